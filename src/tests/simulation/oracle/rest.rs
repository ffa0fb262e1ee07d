//! What must be true between events: that leases are taken over, and how all stands in the end.

use time::Duration;
use uuid::Uuid;

use super::{PAUSE_SHADOW, death::LOSING, token_of};
use crate::{
    domain::connection::StateName,
    server::app::refresh::engine::LEASE,
    tests::simulation::{
        executor::{MINUTE, Micros, SECOND},
        provider::{Excuse, Rotation},
        store::{Connection, lease_is_over, transaction::Key},
        world::State,
    },
};

/// A lease that nobody holds any more is taken over within this time, if somebody is there.
const STUCK: Micros = 40 * SECOND;
/// After a jump of the shared clock whoever lives is given the time to prolong.
const SHAKEN: Micros = MINUTE;
/// How long it takes after an incident until each connection has had its turn.
pub(super) const TURN: Micros = 4 * MINUTE;

impl State {
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
        let somebody = self.somebody_is_there();
        let rows = self.db.tables.connections.values();
        let free: Vec<Uuid> = rows
            .filter(|n| {
                somebody
                    && n.is_alive()
                    && n.leased_until.is_some_and(|end| lease_is_over(end, shared))
            })
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
        self.check_canaries();
        self.check_ends();
    }

    pub(super) fn somebody_is_there(&self) -> bool {
        let now = self.schedule.now;
        let is_shaken = self.jumps.all.last().is_some_and(|jump| jump.at + SHAKEN > now);
        !is_shaken && self.replicas.iter().any(|replica| replica.well_since + STUCK <= now)
    }

    fn could_be_claimed(&self, n: &Connection) -> bool {
        let shared = self.shared_time();
        // A claim looks at as many as there is room for, the longest due first. Those of them that somebody
        // has locked, a process that stands still among them, keep their places.
        let before = self.db.tables.connections.values().filter(|other| {
            other.client_id == n.client_id
                && (other.due_at, other.id) < (n.due_at, n.id)
                && other.due_at.is_some_and(|due| due <= shared)
                && self.db.locks.contains_key(&Key::Connection(other.id))
        });
        self.db.tables.clients[&n.client_id].may_ask(shared)
            && self.has_room(n.client_id, before.count())
            && n.due_at.is_some_and(|due| due <= shared)
            && !self.db.locks.contains_key(&Key::Connection(n.id))
    }

    /// Whether neither limits nor anybody's transaction keep a client's requests from beginning, if so many
    /// are before them.
    pub(super) fn has_room(&self, client_id: Uuid, waiting: usize) -> bool {
        let shared = self.shared_time();
        let client = &self.db.tables.clients[&client_id];
        let limit = self
            .provider
            .clients
            .iter()
            .find(|known| known.id == client_id)
            .and_then(|known| known.profile.policy.concurrency);
        // What began within a lease's time may still be under way, whoever has the connection now.
        let since = shared - LEASE - Duration::seconds(5);
        let begun = self.db.tables.attempts.values().rev();
        let begun = begun.take_while(|attempt| attempt.started_at > since);
        let held = begun.filter(|a| a.client_id == client_id && a.verdict.is_none());
        client.next_request_at.is_none_or(|next| next <= shared)
            && held.count() + waiting < limit.unwrap_or(u32::MAX) as usize
            && !self.db.locks.contains_key(&Key::Client(client_id))
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
        if !self.db.tables.incidents.is_empty() {
            self.violate(0, "I11", "an incident goes on, and nobody ends it");
        }
        for connection in 0..self.connections.len() {
            let row = self.db.tables.connections[&self.connections[connection]].clone();
            let token = self.db.tables.sets.get(&row.id).and_then(token_of);
            if matches!(row.state, StateName::NeedsReauth | StateName::Disconnected) {
                continue;
            }
            let is_late = self.is_late_by_the_clock(&row);
            let is_fresh = row.state == StateName::Active
                && row.access_expires_at.is_some_and(|end| end > shared);
            if !is_fresh && !is_late {
                let (state, until) = (row.state, row.access_expires_at);
                let client = &self.db.tables.clients[&row.client_id];
                let why = format!(
                    "{state:?}, its token lives until {until:?}, it is {shared}; due {:?}, {client:?}",
                    row.due_at
                );
                self.violate(connection, "I9", why);
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
            let is_unheard = is_late && token.is_some_and(|token| self.is_unheard(token));
            if !good && !busy && !is_unheard {
                self.violate(
                    connection,
                    "I9",
                    format!("holds {token:?}, which is good for nothing"),
                );
            }
        }
    }

    /// The clock was set back after its time was written down: it waits for one that has been before, by the
    /// clock that all share (DESIGN 3.9, 3.10).
    fn is_late_by_the_clock(&self, row: &Connection) -> bool {
        let client = &self.db.tables.clients[&row.client_id];
        let waits = [(row.id, row.due_at), (client.id, client.paused_until)];
        let back = || self.jumps.all.iter().filter(|jump| jump.by < 0);
        waits.into_iter().any(|(id, until)| {
            let written_at = self.oracle.waits_since.get(&id).copied().unwrap_or_default();
            until.is_some_and(|until| until > self.shared_time())
                && back().any(|jump| written_at <= jump.at + PAUSE_SHADOW)
        })
    }

    /// Whether what became of a token can't be known yet by whoever waits for a time that has been before:
    /// its consent was withdrawn, or an answer was lost (DESIGN 3.3: it is asked with again, and then known).
    fn is_unheard(&self, token: usize) -> bool {
        let mut requests = self.provider.requests.iter();
        self.provider.family_of(token).is_some()
            || requests.any(|request| {
                // Of two answers to a request that was doubled the first, with what it gave, comes to nobody.
                let is_lost =
                    request.is_excused_by(LOSING) || request.is_excused_by(&[Excuse::Duplicated]);
                request.token == token && is_lost
            })
    }

    /// Whether a token could be used.
    pub(super) fn is_good(&self, token: usize) -> bool {
        let known = &self.provider.tokens[token];
        let row = &self.db.tables.connections[&self.connections[known.connection]];
        let mut clients = self.provider.clients.iter();
        let rotation = clients.find(|client| client.id == row.client_id).map(|c| c.rotation);
        self.provider.family_of(token).is_none()
            && (known.replaced.is_none() || rotation == Some(Rotation::Never))
    }
}
