//! What must be true of every history, whatever went wrong.
//!
//! - I1 No refresh token is in two requests that are under way at the same time.
//! - I2 None is presented again once its successor is stored, and no older one takes its place.
//! - I3 At rest the newest token that was delivered and made durable is the one that is held.
//! - I4 Every connection that needs a person is explained: its owner withdrew consent, or an answer was
//!   lost to an injected fault; and the reason that is shown is the right one.
//! - I5 No lease is stuck while somebody is there to take it over, also after the shared clock jumped: then
//!   holders are given a while to prolong theirs, and none is believed to last for more than a minute.
//! - I6 Nobody is condemned unless the provider refused the very token that was presented.
//! - I7 The token set that readers get belongs to the generation of its connection.
//! - I8 No client has more requests under way than its limit, over all replicas, nor begins any while it is
//!   switched off; in an incident only canaries begin. Who began after a jump of the shared clock does
//!   not know of what was sent before it.
//! - I9 When everything works again, every connection that is not dead is alive and fresh.
//! - I10 Each incident is told once, and nobody is condemned amid one but by an admin, or by a last try that
//!   an incident before has left.
//! - I11 An incident begins when its policy says, and then nobody stays dead whom the provider refused in
//!   error of late; its canaries come when the policy says, and are sent then; it is over as soon as one is
//!   granted, and in the time that it takes to try each suspect if one of them is good.

mod death;
mod ending;
mod incident;
mod rest;
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    executor::{Group, MINUTE, Micros},
    history::Event,
    provider::{self, Excuse, Request},
    store::{Changes, Connection},
    world::State,
};
use crate::{
    domain::{attempt::Verdict, connection::StateName},
    server::store::token_set::TokenSet,
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
    /// Connections that died by their provider's word, and were to be tried no more.
    refused: BTreeMap<Uuid, incident::Refused>,
    /// Clients of connections that were refreshed, and when that was stored.
    renewed: Vec<(Uuid, Micros)>,
    /// Clients whose next canary could be sent, and since when.
    canaries_due_since: BTreeMap<Uuid, Micros>,
    /// Clients with an incident, and by when it has to be over.
    ends: BTreeMap<Uuid, ending::Ends>,
    /// When each client's last incident was over.
    incidents_over: BTreeMap<Uuid, Micros>,
    /// When it was last written until when a connection or a client waits.
    waits_since: BTreeMap<Uuid, Micros>,
    /// Attempts that once had no answer.
    doubted: BTreeSet<Uuid>,
    /// By connection: the generation that came when somebody else had its predecessor.
    came_late: BTreeMap<Uuid, i64>,
    /// How connections died.
    pub deaths: BTreeMap<&'static str, u64>,
    pub refreshed: u64,
}

/// A connection before a change, as far as it matters.
#[derive(Clone, Copy)]
struct Was {
    state: StateName,
    generation: i64,
    lease_id: Option<Uuid>,
    due_at: Option<OffsetDateTime>,
}

/// How long after a pause what a process does may still come of what it believed before.
const PAUSE_SHADOW: Micros = 4 * MINUTE;

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

    /// A jump of the shared clock before a process began hides from it what was sent before that.
    fn is_hidden(&self, sent_at: Micros, from: Group) -> bool {
        let replica = self.replica_of(from).unwrap_or_default();
        let begun_at = self.replicas[replica].begun_at;
        self.jumps.all.iter().any(|jump| sent_at <= jump.at && jump.at <= begun_at)
    }

    fn check_limit(&mut self, request: &Request) {
        let under_way = self.oracle.under_way.iter().filter(|id| {
            let other = &self.provider.requests[**id];
            other.client == request.client
                && !other.is_excused_by(&[Excuse::Paused])
                && !self.is_hidden(other.sent_at, request.group)
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
            if let (Some(attempt), Verdict::Refreshed) = (attempt, verdict) {
                self.oracle.renewed.push((attempt.client_id, self.schedule.now));
            }
        }
        if !changes.clients.is_empty() {
            self.tell_workers(self.schedule.now);
            self.check_incidents(changes);
        }
        for (id, now) in changes.connections.iter() {
            let Some(row) = self.db.tables.connections.get(id) else { continue };
            let was = Was {
                state: row.state,
                generation: row.generation,
                lease_id: row.lease_id,
                due_at: row.due_at,
            };
            self.compare(changes, was, now);
        }
        self.check_put_off(changes);
        self.check_given_back(changes);
        self.check_granted(changes);
    }

    /// An attempt has its verdict: what its request brought is stored, or needed no more.
    fn settle(&mut self, attempt_id: Uuid, verdict: Verdict) {
        let abandoned = verdict == Verdict::InDoubt;
        if abandoned {
            self.oracle.doubted.insert(attempt_id);
        }
        for request in self.provider.requests.iter_mut().rev() {
            if request.attempt_id == attempt_id {
                request.is_settled |= !abandoned || request.ended_at.is_some();
                request.waits_at = request.waits_at.filter(|_| abandoned);
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
        if is.lease_id.is_some() != was.lease_id.is_some() {
            self.note(connection, Event::Held { is_held: is.lease_id.is_some() });
        }
        if was.lease_id.is_some() && is.lease_id.is_some() && is.lease_id != was.lease_id {
            self.taken_over(connection);
        }
        if is.lease_id.is_some() && is.lease_id != was.lease_id {
            self.check_claim(connection, changes, is);
        }
        if set_generation != is.generation {
            let why = format!("generation {} has the tokens of {set_generation}", is.generation);
            self.violate(connection, "I7", why);
        }
        if is.generation != was.generation {
            self.oracle.refreshed += 1;
            self.check_order(connection, is.id, token);
            let mut attempts = changes.attempts.values().flatten();
            let brought = attempts.find(|attempt| {
                attempt.connection_id == is.id && attempt.generation_after == Some(is.generation)
            });
            if brought.is_some_and(|attempt| Some(attempt.lease_id) != was.lease_id) {
                self.oracle.came_late.insert(is.id, is.generation);
            }
        }
        if is.due_at != was.due_at {
            self.oracle.waits_since.insert(is.id, self.schedule.now);
        }
        if let Some(due) = is.due_at {
            let free = is.leased_until.map_or(due, |until| until.max(due));
            self.tell_workers(self.micros_of(free));
        }
        if is.state == StateName::NeedsReauth && was.state != StateName::NeedsReauth {
            self.oracle.refused.remove(&is.id);
            if changes.condemned_by_admin.contains(&is.id) {
                self.check_believed(connection, is);
                *self.oracle.deaths.entry("condemned by an admin").or_default() += 1;
            } else {
                self.check_amid(connection, changes, is);
                self.check_death(connection, changes, is);
            }
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
}

pub fn token_of(set: &TokenSet) -> Option<usize> {
    provider::number(set.sealed_refresh_token.as_deref()?)
}
