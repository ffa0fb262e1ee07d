//! Where the answers are that nobody has stored yet: what the end of a process explains, and what it does
//! not. Its answer is lost with it only if it was nowhere else, or if somebody else had to go on before it
//! could be brought from there.

use uuid::Uuid;

use super::{
    executor::{Group, Micros, SECOND},
    provider::{Excuse, Request, Said},
    world::State,
};

/// An answer that came is somewhere durable within this time, while its process runs.
const PROMPT: Micros = 3 * SECOND;
/// A replica that is back, with nothing in its way but a slow store, has brought what its journal held
/// within this time.
const REPLAY: Micros = 20 * SECOND;

impl State {
    /// A process ends: what it had under way is lost, unless it is in its journal.
    pub fn lose(&mut self, replica: usize, group: Group, disk_lost: bool) {
        let is_theirs = |request: &Request| request.group == group && !request.is_settled;
        let requests = 0..self.provider.requests.len();
        let theirs: Vec<usize> =
            requests.filter(|id| is_theirs(&self.provider.requests[*id])).collect();
        for id in theirs {
            let attempt_id = self.provider.requests[id].attempt_id;
            self.provider.requests[id].is_settled = true;
            if self.journals.holds(group, attempt_id) {
                self.provider.requests[id].waits_at = Some(replica);
                continue;
            }
            if !disk_lost {
                self.check_custody(replica, id);
            }
            self.excuse(id, Excuse::Crashed);
        }
        if disk_lost {
            self.excuse_waiting(|request| request.waits_at == Some(replica));
        }
    }

    /// An answer is not kept in memory alone for long.
    fn check_custody(&mut self, replica: usize, id: usize) {
        let request = &self.provider.requests[id];
        let (Some(Said::Granted { token }), Some(received_at)) =
            (&request.received, request.received_at)
        else {
            return;
        };
        let for_long = self.schedule.now - received_at > PROMPT
            && self.replicas[replica].paused_until < received_at;
        if for_long && !request.has_no_journal {
            let why = format!("token {token} came in {id} long ago, and was in memory alone");
            self.violate(request.connection, "I3", why);
        }
    }

    /// The disk does not take what came of an attempt.
    pub fn has_no_journal(&mut self, attempt_id: Uuid) {
        let mut requests = self.provider.requests.iter_mut().rev();
        if let Some(request) = requests.find(|request| request.attempt_id == attempt_id) {
            request.has_no_journal = true;
        }
    }

    /// A lease is over, and somebody else goes on with the token that is stored. What waits in the journal
    /// of a replica that is not back is lost by that.
    pub fn taken_over(&mut self, connection: usize) {
        let (db, now) = (&self.db, self.schedule.now);
        let is_back: Vec<bool> = (0..self.replicas.len())
            .map(|n| {
                let replica = &self.replicas[n];
                let ways = [db.cuts[n].until, db.away_until, db.frozen_until];
                let since = replica.begun_at.max(replica.paused_until);
                let since = ways.into_iter().fold(since, Micros::max);
                replica.group.is_some() && since + REPLAY <= now
            })
            .collect();
        self.excuse_waiting(|request| {
            request.connection == connection
                && request.waits_at.is_some_and(|replica| !is_back[replica])
        });
    }

    /// What waits in journals is lost.
    fn excuse_waiting(&mut self, is_lost: impl Fn(&Request) -> bool) {
        for id in 0..self.provider.requests.len() {
            if is_lost(&self.provider.requests[id]) {
                self.provider.requests[id].waits_at = None;
                self.excuse(id, Excuse::Crashed);
            }
        }
    }
}
