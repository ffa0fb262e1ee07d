//! What must be true between events: that leases are taken over, and how all stands in the end.

use time::Duration;
use uuid::Uuid;

use super::token_of;
use crate::{
    domain::connection::StateName,
    server::app::refresh::engine::LEASE,
    tests::simulation::{
        executor::{MINUTE, Micros, SECOND},
        provider::Rotation,
        store::{Connection, lease_is_over, transaction::Key},
        world::State,
    },
};

/// A lease that nobody holds any more is taken over within this time, if somebody is there.
const STUCK: Micros = 40 * SECOND;
/// After a jump of the shared clock whoever lives is given the time to prolong.
const SHAKEN: Micros = MINUTE;
/// How long it takes after an incident until each connection has had its turn.
const TURN: Micros = 4 * MINUTE;

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
        let is_shaken = self.jumps.at.last().is_some_and(|jumped| *jumped + SHAKEN > now);
        let somebody =
            !is_shaken && self.replicas.iter().any(|replica| replica.well_since + STUCK <= now);
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
        // A claim looks at as many as there is room for, the longest due first. Those of them that somebody
        // has locked, a process that stands still among them, keep their places.
        let before = self.db.tables.connections.values().filter(|other| {
            other.client_id == n.client_id
                && (other.due_at, other.id) < (n.due_at, n.id)
                && other.due_at.is_some_and(|due| due <= shared)
                && self.db.locks.contains_key(&Key::Connection(other.id))
        });
        client.may_ask(shared)
            && client.next_request_at.is_none_or(|next| next <= shared)
            && n.due_at.is_some_and(|due| due <= shared)
            && held.count() + before.count() < limit.unwrap_or(u32::MAX) as usize
            && !self.db.locks.contains_key(&Key::Connection(n.id))
            && !self.db.locks.contains_key(&Key::Client(n.client_id))
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
            if self.is_undecided(&row, token)
                || self.is_late_by_the_clock(&row)
                || self.waited_for_others(&row)
            {
                continue;
            }
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

    /// It was refused, and rightly, but whether that was meant is not decided yet.
    fn is_undecided(&self, row: &Connection, token: Option<usize>) -> bool {
        self.db.tables.suspects.contains_key(&row.id)
            && !token.is_some_and(|token| self.is_good(token))
    }

    /// Its client has an incident, or had one just now: it gets its turn.
    fn waited_for_others(&self, row: &Connection) -> bool {
        let over_at = self.oracle.incidents_over.get(&row.client_id);
        self.db.tables.incidents.contains_key(&row.client_id)
            || over_at.is_some_and(|at| *at + TURN > self.schedule.now)
    }

    /// The clock was set back: it waits for a time that has been before.
    fn is_late_by_the_clock(&self, row: &Connection) -> bool {
        let client = &self.db.tables.clients[&row.client_id];
        let waits_for = [row.due_at, client.paused_until, client.next_request_at];
        let shared = self.shared_time();
        self.jumps.went_back && waits_for.into_iter().flatten().any(|until| until > shared)
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
