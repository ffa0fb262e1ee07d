//! What must be true of canaries, and of how incidents end.

use time::OffsetDateTime;
use uuid::Uuid;

use super::{PAUSE_SHADOW, rest::TURN, token_of};
use crate::{
    domain::{
        attempt::{Trigger, Verdict},
        client::StateName,
        incident,
    },
    server::app::refresh::engine::LEASE,
    tests::simulation::{
        executor::Micros,
        people::CLOCK_OFF,
        replica::LOOK,
        store::{Changes, Connection, suspect::Standing, transaction::Key},
        world::State,
    },
};

/// By when an incident has to be over, with so many suspects.
#[derive(Clone, Copy)]
pub struct Ends {
    began_at: OffsetDateTime,
    suspects: usize,
    /// One of the suspects is good, or none is left.
    can_end: bool,
    by: Micros,
}

/// A canary that is due is sent within this time: one look may go wrong.
const SENT: Micros = 2 * LOOK;

impl State {
    /// The next canary comes when the policy says, counted from those that were refused.
    pub(super) fn check_put_off(&mut self, changes: &Changes) {
        let now = self.schedule.now;
        let late = changes.incidents.values().flatten().any(|is| {
            let was = self.db.tables.incidents.get(&is.client_id);
            if was.is_some_and(|was| was.canary_at == is.canary_at) {
                return false;
            }
            let tried = if was.is_some() { is.confirmed + 1 } else { 0 };
            let wait = incident::canary_wait(&self.policy(is.client_id), tried, 1.0);
            let (_, off) = self.jumps.range(now - PAUSE_SHADOW, now);
            let latest = now + off + CLOCK_OFF + wait.whole_microseconds() as Micros;
            self.micros_of(is.canary_at) + self.jumps.off > latest
        });
        if late {
            self.violate(0, "I11", "a canary is put off for too long");
        }
    }

    /// What an incident was about is over when a canary is granted.
    pub(super) fn check_granted(&mut self, changes: &Changes) {
        for attempt in changes.attempts.values().flatten() {
            let is_granted = attempt.trigger == Trigger::Canary
                && attempt.verdict == Some(Verdict::Refreshed)
                && self.states(changes, attempt.client_id) == [StateName::Incident; 2];
            if is_granted {
                let connection = self.index_of(attempt.connection_id);
                self.violate(connection, "I11", "a canary is granted, and its incident goes on");
            }
        }
    }

    /// Looks for incidents that nobody tries to end.
    pub(super) fn check_canaries(&mut self) {
        let (now, shared) = (self.schedule.now, self.shared_time());
        let incidents = self.db.tables.incidents.values();
        let due = incidents.filter(|incident| {
            let client = &self.db.tables.clients[&incident.client_id];
            // The next one's lease or row is somebody's.
            let is_taken = self.suspects_of(client.id).any(|row| {
                row.is_held(shared) || self.db.locks.contains_key(&Key::Connection(row.id))
            });
            incident.canary_at <= shared
                && client.state == StateName::Incident
                && client.paused_until.is_none_or(|until| until <= shared)
                && !is_taken
                && self.has_room(client.id, 0)
        });
        let somebody = self.somebody_is_there();
        let due: Vec<Uuid> = due.filter(|_| somebody).map(|incident| incident.client_id).collect();
        let mut since = std::mem::take(&mut self.oracle.canaries_due_since);
        since.retain(|id, _| due.contains(id));
        for id in due {
            if *since.entry(id).or_insert(now) + SENT <= now {
                self.violate(0, "I11", "a canary is due, and nobody sends it");
            }
        }
        self.oracle.canaries_due_since = since;
    }

    /// Connections of a client whose verdicts wait.
    fn suspects_of(&self, client_id: Uuid) -> impl Iterator<Item = &Connection> {
        let suspects = self.db.tables.suspects.values();
        suspects.filter_map(move |one| {
            let row = &self.db.tables.connections[&one.id];
            let is_held = one.client_id == client_id
                && one.standing == Standing::Held
                && one.generation == row.generation;
            (is_held && row.is_alive()).then_some(row)
        })
    }

    /// Whether a client's incident can end by itself when its provider refuses nothing in error: one of the
    /// suspects is good, or none is left.
    pub fn can_end(&self, client_id: Uuid) -> bool {
        let token = |row: &Connection| self.db.tables.sets.get(&row.id).and_then(token_of);
        let is_good = |row: &Connection| token(row).is_some_and(|token| self.is_good(token));
        let mut suspects = self.suspects_of(client_id).peekable();
        suspects.peek().is_none() || suspects.any(is_good)
    }

    /// Whether an incident goes on, or was over just now, so that not everybody had a turn.
    pub fn is_held_up(&self) -> bool {
        let mut over_at = self.oracle.incidents_over.values();
        !self.db.tables.incidents.is_empty() || over_at.any(|at| *at + TURN > self.schedule.now)
    }

    /// When nothing goes wrong any more, incidents end by themselves.
    pub(super) fn check_ends(&mut self) {
        let now = self.schedule.now;
        let mut ends = std::mem::take(&mut self.oracle.ends);
        ends.retain(|id, known| {
            let incident = self.db.tables.incidents.get(id);
            incident.is_some_and(|incident| incident.began_at == known.began_at)
        });
        let standing: Vec<Uuid> =
            self.db.tables.incidents.values().map(|incident| incident.client_id).collect();
        for id in standing {
            let (suspects, can_end) = (self.suspects_of(id).count(), self.can_end(id));
            let known = ends.get(&id).copied();
            let known =
                known.filter(|known| suspects <= known.suspects && known.can_end == can_end);
            if can_end && known.is_some_and(|known| known.by < now) {
                self.violate(0, "I11", "nothing is refused in error any more, and it goes on");
            } else if known.is_none() && !self.is_chaotic && self.somebody_is_there() {
                ends.insert(id, self.ends(id, suspects, can_end));
            }
        }
        self.oracle.ends = ends;
    }

    /// Each suspect has its turn as a canary, and each canary that is refused doubles the wait for the next.
    fn ends(&self, client_id: Uuid, suspects: usize, can_end: bool) -> Ends {
        let incident = &self.db.tables.incidents[&client_id];
        let client = &self.db.tables.clients[&client_id];
        // What its provider asked for, and its rate, put off the first of them.
        let first = [client.paused_until, client.next_request_at];
        let first = first.into_iter().flatten().fold(incident.canary_at, OffsetDateTime::max);
        let canaries = suspects.max(1) as u32;
        let waits = (1..canaries)
            .map(|n| incident::canary_wait(&self.policy(client_id), incident.confirmed + n, 1.0));
        let waits: Micros = waits.map(|wait| wait.whole_microseconds() as Micros).sum();
        // A lease that nobody holds any more ends before the canary's own begins.
        let each = SENT + 2 * LEASE.whole_microseconds() as Micros;
        let by =
            self.micros_of(first).max(self.schedule.now) + waits + each * Micros::from(canaries);
        Ends { began_at: incident.began_at, suspects, can_end, by }
    }
}
