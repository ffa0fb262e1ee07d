//! What must be true of every history, whatever went wrong.
//!
//! - I1 No refresh token is in two requests that are under way at the same time.
//! - I2 None is presented again once its successor is stored, and no older one takes its place.
//! - I3 At rest the newest token that was delivered and made durable is the one that is held.
//! - I4 Every connection that needs a person is explained: its owner withdrew consent, or an answer was
//!   lost to an injected fault; and the reason that is shown is the right one.
//! - I5 No lease is stuck while somebody is there to take it over.
//! - I6 Nobody is condemned unless the provider refused the very token that was presented.
//! - I7 The token set that readers get belongs to the generation of its connection.
//! - I8 No client has more requests under way than its limit, over all replicas.
//! - I9 When everything works again, every connection that is not dead is alive and fresh.

use std::collections::BTreeMap;

use time::Duration;
use uuid::Uuid;

use super::{
    executor::{MINUTE, Micros, SECOND},
    history::Event,
    provider::{self, Excuse, Request, Revoked, Rotation, Said},
    store::{self, Changes, Connection},
    world::State,
};
use crate::{
    domain::{
        attempt::Verdict,
        connection::{Reason, StateName},
        refusal::ErrorClass,
    },
    server::app::refresh::engine::LEASE,
};

/// A rule that was broken.
#[derive(Clone, Debug)]
#[expect(dead_code, reason = "told by what `Debug` makes of it")]
pub struct Violation {
    pub at: Micros,
    pub connection: usize,
    pub rule: &'static str,
    pub why: String,
}

#[derive(Default)]
pub struct Oracle {
    pub violation: Option<Violation>,
    /// Requests whose senders wait.
    under_way: Vec<usize>,
    /// By connection: the newest token that was stored or synced.
    durable: BTreeMap<usize, usize>,
    /// Connections whose leases are over and that could be claimed, and since when.
    free_since: BTreeMap<Uuid, Micros>,
    /// How connections died.
    pub deaths: BTreeMap<&'static str, u64>,
    pub refreshed: u64,
}

/// A connection before a change, as far as it matters.
#[derive(Clone, Copy)]
struct Was {
    state: StateName,
    generation: i64,
    is_leased: bool,
}

/// How long after a pause what a process does may still come of what it believed before.
const PAUSE_SHADOW: Micros = 4 * MINUTE;
/// A lease that nobody holds any more is taken over within this time, if somebody is there.
const STUCK: Micros = 40 * SECOND;

impl State {
    /// A request leaves.
    pub fn send(&mut self, mut request: Request) -> usize {
        let now = self.schedule.now;
        request.sent_at = now;
        let replica = self.replica_of(request.group).unwrap_or_default();
        if self.replicas[replica].paused_until + PAUSE_SHADOW > now {
            request.excuses.push(Excuse::Paused);
        }
        if self.db.cuts[replica].until > now {
            request.excuses.push(Excuse::CutOff);
        }
        let id = self.provider.requests.len();
        let event = Event::Sent { request: id, token: request.token, replica };
        self.note(request.connection, event);
        let provider = &self.provider;
        self.oracle.under_way.retain(|id| provider.requests[*id].ended_at.is_none());
        self.check_overlap(&request);
        self.check_reuse(&request);
        self.check_limit(&request);
        self.oracle.under_way.push(id);
        self.provider.requests.push(request);
        id
    }

    fn check_overlap(&mut self, request: &Request) {
        let paused = [Excuse::Paused];
        let other = self.oracle.under_way.iter().copied().find(|id| {
            let other = &self.provider.requests[*id];
            other.token == request.token
                && !other.is_excused_by(&paused)
                && !request.is_excused_by(&paused)
        });
        if let Some(other) = other {
            let why = format!("token {} is in request {other} too", request.token);
            self.violate(request.connection, "I1", why);
        }
    }

    fn check_reuse(&mut self, request: &Request) {
        let id = self.connections[request.connection];
        let Some(held) = self.db.tables.sets.get(&id).and_then(token_of) else { return };
        let tokens = &self.provider.tokens;
        if held > request.token
            && tokens[held].family == tokens[request.token].family
            && !request.is_excused_by(&[Excuse::Paused])
        {
            let why = format!("token {} is presented, and {held} is stored", request.token);
            self.violate(request.connection, "I2", why);
        }
    }

    fn check_limit(&mut self, request: &Request) {
        let under_way = self.oracle.under_way.iter().filter(|id| {
            let other = &self.provider.requests[**id];
            other.client == request.client && !other.is_excused_by(&[Excuse::Paused])
        });
        let limit = self.provider.clients[request.client].profile.policy.concurrency;
        if under_way.count() >= limit.unwrap_or(u32::MAX) as usize
            && !request.is_excused_by(&[Excuse::Paused])
        {
            self.violate(request.connection, "I8", format!("more than {limit:?} requests"));
        }
    }

    /// A transaction is about to be committed.
    pub fn committing(&mut self, changes: &Changes) {
        for (id, attempt) in changes.attempts.iter() {
            let Some(verdict) = attempt.as_ref().and_then(|attempt| attempt.verdict) else {
                continue;
            };
            self.settle(*id, verdict);
        }
        if !changes.clients.is_empty() {
            self.tell_workers(self.schedule.now);
        }
        for (id, now) in changes.connections.iter() {
            let Some(row) = self.db.tables.connections.get(id) else { continue };
            let was = Was {
                state: row.state,
                generation: row.generation,
                is_leased: row.lease_id.is_some(),
            };
            self.compare(changes, was, now);
        }
    }

    /// An attempt has its verdict: what its request brought is stored, or needed no more.
    fn settle(&mut self, attempt_id: Uuid, verdict: Verdict) {
        let abandoned = verdict == Verdict::InDoubt;
        for request in self.provider.requests.iter_mut().rev() {
            if request.attempt_id == attempt_id {
                request.is_settled |= !abandoned || request.ended_at.is_some();
                break;
            }
        }
    }

    fn compare(&mut self, changes: &Changes, was: Was, is: &Connection) {
        let connection = self.index_of(is.id);
        let set = changes.sets.get(&is.id).or_else(|| self.db.tables.sets.get(&is.id));
        let (set_generation, token) = set.map_or((0, None), |set| (set.generation, token_of(set)));
        let stored = Event::Stored {
            state: is.state,
            reason: is.reason,
            generation: is.generation,
            token: token.filter(|_| is.generation != was.generation),
        };
        self.note(connection, stored);
        if is.lease_id.is_some() != was.is_leased {
            self.note(connection, Event::Held { is_held: is.lease_id.is_some() });
        }
        if set_generation != is.generation {
            let why = format!("generation {} has the tokens of {set_generation}", is.generation);
            self.violate(connection, "I7", why);
        }
        if is.generation != was.generation {
            self.oracle.refreshed += 1;
            self.check_order(connection, is.id, token);
        }
        if let Some(due) = is.due_at {
            let free = is.leased_until.map_or(due, |until| until.max(due));
            self.tell_workers(self.micros_of(free));
        }
        if is.state == StateName::NeedsReauth && was.state != StateName::NeedsReauth {
            self.check_death(connection, changes, is);
            if self.dice.chance(0.8) {
                self.needed.push(connection);
                self.dead.notify_one();
            }
        }
    }

    /// No token is replaced by one that is older.
    fn check_order(&mut self, connection: usize, id: Uuid, token: Option<usize>) {
        let Some(token) = token else { return };
        let held = self.db.tables.sets.get(&id).and_then(token_of);
        let tokens = &self.provider.tokens;
        if let Some(held) = held
            && held > token
            && tokens[held].family == tokens[token].family
        {
            self.violate(connection, "I2", format!("token {token} takes the place of {held}"));
        }
        self.make_durable(connection, token);
    }

    /// A token is where it will be found again.
    pub fn make_durable(&mut self, connection: usize, token: usize) {
        let newest = self.oracle.durable.entry(connection).or_insert(token);
        *newest = token.max(*newest);
    }

    fn check_death(&mut self, connection: usize, changes: &Changes, is: &Connection) {
        let attempt = changes.attempts.values().flatten().find(|attempt| {
            attempt.connection_id == is.id && attempt.verdict == Some(Verdict::Condemned)
        });
        let request = attempt.and_then(|attempt| {
            let mut requests = self.provider.requests.iter();
            requests.rposition(|request| request.attempt_id == attempt.id)
        });
        let Some(request) = request else {
            self.violate(connection, "I6", "condemned without a request");
            return;
        };
        let refused = |said: &Said| matches!(said, Said::Refused(refusal) if refusal.class == ErrorClass::GrantRefused);
        if !self.provider.requests[request].received.as_ref().is_some_and(refused) {
            self.violate(connection, "I6", "condemned without the provider's word");
            return;
        }
        match self.explain(connection, request, is) {
            Ok(why) => *self.oracle.deaths.entry(why).or_default() += 1,
            Err(why) => self.violate(connection, "I4", why),
        }
    }

    /// Why a connection died, if there is a reason that the engine is not to blame for.
    fn explain(
        &self,
        connection: usize,
        request: usize,
        is: &Connection,
    ) -> Result<&'static str, String> {
        let provider = &self.provider;
        let presented = provider.requests[request].token;
        let used = match provider.family_of(presented) {
            Some(Revoked::ByOwner) => {
                let doubted = self.was_in_doubt(connection, is);
                return match is.reason {
                    Some(Reason::Revoked) => Ok("withdrawn by the owner"),
                    Some(Reason::RotationLost) if doubted => Ok("withdrawn, in doubt"),
                    reason => Err(format!("withdrawn by its owner, and called {reason:?}")),
                };
            }
            Some(Revoked::ByReuse { token, request }) => (token, request),
            None => (presented, request),
        };
        let Some((_, replaced_by)) = provider.tokens[used.0].replaced else {
            return Err(format!("token {} was refused although it is good", used.0));
        };
        let requests = [replaced_by, used.1, request];
        let excused = |excuses: &[Excuse]| {
            requests.iter().any(|id| provider.requests[*id].is_excused_by(excuses))
        };
        let why = if excused(&[Excuse::Duplicated]) {
            "doubled by the network"
        } else if excused(&[Excuse::NoAnswer, Excuse::FailedAfterActing]) {
            "answer lost"
        } else if excused(&[Excuse::Crashed]) {
            "answer lost with its process"
        } else if excused(&[Excuse::Paused]) {
            "process stopped for too long"
        } else if excused(&[Excuse::CutOff]) {
            "process cut off from the store"
        } else {
            return Err(format!(
                "token {} was replaced in request {replaced_by}, whose answer was not lost, and \
                 presented again in {}",
                used.0, used.1
            ));
        };
        // A request that came twice, or after another had taken its place, is not heard of.
        let stray = provider.requests[used.1].is_excused_by(&[Excuse::Stray]);
        let unknowable = excused(&[Excuse::Duplicated]) || (stray && used.1 != request);
        if is.reason != Some(Reason::RotationLost) && !unknowable {
            return Err(format!("{why}, and called {:?}", is.reason));
        }
        Ok(why)
    }

    /// Whether an answer was missing since the token set that is held came.
    fn was_in_doubt(&self, connection: usize, is: &Connection) -> bool {
        let attempts = self.db.tables.attempts.values().rev();
        let doubtful = |attempt: &store::Attempt| {
            matches!(attempt.verdict, Some(Verdict::InDoubt) | None)
                || matches!(attempt.status, Some(500 | 502 | 504))
        };
        attempts
            .filter(|attempt| attempt.connection_id == is.id)
            .filter(|attempt| attempt.generation_before >= is.generation - 1)
            .any(doubtful)
            || self
                .provider
                .requests
                .iter()
                .rev()
                .take(40)
                .any(|request| request.connection == connection && !request.excuses.is_empty())
    }

    /// Looks for leases that nobody takes over.
    pub fn check_leases(&mut self) {
        let now = self.schedule.now;
        for replica in 0..self.replicas.len() {
            let group = self.replicas[replica].group;
            let is_well = group.is_some_and(|group| !self.schedule.is_paused(group));
            if !is_well || self.is_cut_off(replica) {
                self.replicas[replica].well_since = now;
            }
        }
        let shared = self.shared_time();
        let somebody = self.replicas.iter().any(|replica| replica.well_since + STUCK <= now);
        let rows = self.db.tables.connections.values();
        let free: Vec<Uuid> = rows
            .filter(|n| somebody && n.is_alive() && n.leased_until.is_some_and(|end| end < shared))
            .filter(|n| self.could_be_claimed(n))
            .map(|n| n.id)
            .collect();
        let mut since = std::mem::take(&mut self.oracle.free_since);
        since.retain(|id, _| free.contains(id));
        for id in free {
            if *since.entry(id).or_insert(now) + STUCK <= now {
                let connection = self.index_of(id);
                self.violate(connection, "I5", "its lease is long over, and nobody takes it");
            }
        }
        self.oracle.free_since = since;
    }

    fn could_be_claimed(&self, n: &Connection) -> bool {
        let shared = self.shared_time();
        let client = &self.db.tables.clients[&n.client_id];
        let limit = self
            .provider
            .clients
            .iter()
            .find(|known| known.id == n.client_id)
            .and_then(|known| known.profile.policy.concurrency);
        // What began within a lease's time may still be under way, whoever has the connection now.
        let since = shared - LEASE - Duration::seconds(5);
        let begun = self.db.tables.attempts.values().rev();
        let begun = begun.take_while(|attempt| attempt.started_at > since);
        let held = begun.filter(|a| a.client_id == n.client_id && a.verdict.is_none());
        client.may_ask(shared)
            && client.next_request_at.is_none_or(|next| next <= shared)
            && n.due_at.is_some_and(|due| due <= shared)
            && held.count() < limit.unwrap_or(u32::MAX) as usize
            && !self.db.locks.contains_key(&store::transaction::Key::Connection(n.id))
            && !self.db.locks.contains_key(&store::transaction::Key::Client(n.client_id))
    }

    /// Everything has worked for a while, and everybody is there.
    pub fn check_at_rest(&mut self) {
        if self.is_over() {
            return;
        }
        let shared = self.shared_time();
        if !self.journals.are_settled() {
            self.violate(0, "I3", "a journal holds what nobody has stored");
        }
        for connection in 0..self.connections.len() {
            let row = self.db.tables.connections[&self.connections[connection]].clone();
            let token = self.db.tables.sets.get(&row.id).and_then(token_of);
            match row.state {
                StateName::NeedsReauth | StateName::Disconnected => continue,
                StateName::Active if row.access_expires_at.is_some_and(|end| end > shared) => {}
                state => {
                    let until = row.access_expires_at;
                    let why = format!("{state:?}, its token lives until {until:?}, it is {shared}");
                    self.violate(connection, "I9", why);
                }
            }
            let durable = self.oracle.durable.get(&connection).copied();
            if token < durable {
                let why = format!("holds {token:?}, and {durable:?} was delivered and durable");
                self.violate(connection, "I3", why);
            }
            let busy = self.oracle.under_way.iter().any(|id| {
                let request = &self.provider.requests[*id];
                request.connection == connection && !request.is_settled
            });
            let good = token.is_some_and(|token| self.is_good(token));
            if !good && !busy {
                self.violate(
                    connection,
                    "I9",
                    format!("holds {token:?}, which is good for nothing"),
                );
            }
        }
    }

    /// Whether a token could be used.
    fn is_good(&self, token: usize) -> bool {
        let known = &self.provider.tokens[token];
        let row = &self.db.tables.connections[&self.connections[known.connection]];
        let mut clients = self.provider.clients.iter();
        let rotation = clients.find(|client| client.id == row.client_id).map(|c| c.rotation);
        self.provider.family_of(token).is_none()
            && (known.replaced.is_none() || rotation == Some(Rotation::Never))
    }
}

fn token_of(set: &crate::server::store::token_set::TokenSet) -> Option<usize> {
    provider::number(set.sealed_refresh_token.as_deref()?)
}
