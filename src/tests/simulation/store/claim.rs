//! The statements of a claim.

use std::collections::BTreeMap;

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{Attempt, Connection, Key, Result, View, lease_is_over, least};
use crate::tests::simulation::world::Broken;
use crate::{
    domain::{
        attempt::Verdict,
        client,
        connection::{GrantType, StateName},
    },
    server::store::{
        attempt::{self, Abandoned},
        client::limit::{Begun, Limit},
        connection::lease::{Lease, Leased, Room},
    },
};

/// For how long somebody who waits for room is heeded.
const CALLING: Duration = Duration::seconds(2);

impl View<'_> {
    /// `store::client::list_due`, the ids.
    pub fn list_due(&self) -> Vec<Uuid> {
        let now = self.now;
        let has_due = |id: Uuid| {
            let mut connections = self.tables.connections.values();
            connections.any(|n| n.client_id == id && n.is_due(now) && n.is_free(now, true))
        };
        let clients = self.tables.clients.values();
        clients.filter(|c| c.may_ask(now) && has_due(c.id)).map(|c| c.id).collect()
    }

    /// `limit::room`.
    pub fn room(
        &mut self,
        limits: &[Limit],
        states: &[client::StateName],
        open: Begun,
        answered: &[Uuid],
    ) -> Result<Vec<Room>> {
        let known: Vec<&Limit> =
            limits.iter().filter(|limit| self.client(limit.client_id).is_some()).collect();
        let mut rooms = Vec::new();
        for limit in known {
            let key = Key::Client(limit.client_id);
            if self.is_locked(key) {
                continue;
            }
            self.lock([key])?;
            let client = self.client(limit.client_id);
            let Some(client) = client.filter(|c| c.may_ask_in(states, self.now)) else { continue };
            let begun = self.open_attempts(limit.client_id, open);
            let answered = begun.iter().filter(|id| answered.contains(id)).count() as i32;
            let waiting = client.callers_until.is_some_and(|end| !lease_is_over(end, self.now));
            let yields = if waiting { limit.yields } else { 0 };
            let under_way = begun.len() as i32 - answered.min(limit.concurrency) + yields;
            let by_rate = match limit.interval {
                None => f64::from(limit.concurrency),
                Some(interval) => {
                    let ahead = client
                        .next_request_at
                        .map_or(0.0, |next| (next - self.now).as_seconds_f64().max(0.0));
                    (limit.burst - ahead / interval).floor()
                }
            };
            let room = (limit.concurrency - under_way).min(by_rate as i32).max(0);
            rooms.push(Room { client_id: limit.client_id, room });
        }
        Ok(rooms)
    }

    /// The attempts of a client that have no verdict yet, and can still be under way.
    fn open_attempts(&self, client_id: Uuid, open: Begun) -> Vec<Uuid> {
        let ids = attempt::first_id(open.since)..attempt::first_id(open.before);
        let attempts = self.tables.open.iter().filter_map(|id| self.tables.attempts.get(id));
        let ours = attempts.filter(|attempt| attempt.client_id == client_id);
        ours.filter(|attempt| ids.contains(&attempt.id)).map(|attempt| attempt.id).collect()
    }

    /// `limit::call_for_room`.
    pub fn call_for_room(&mut self, id: Uuid) -> Result<()> {
        let key = Key::Client(id);
        let Some(mut client) = self.client(id).cloned() else { return Ok(()) };
        let soon = self.now + CALLING / 2;
        let is_over = |until| until < soon || lease_is_over(until, self.now);
        if !self.is_locked(key) && client.callers_until.is_none_or(is_over) {
            self.lock([key])?;
            client.callers_until = Some(self.now + CALLING);
            self.open.changes.clients.insert(id, client);
        }
        Ok(())
    }

    /// `store::client::lock`.
    pub fn lock_clients(&mut self, ids: &[Uuid]) -> Result<()> {
        self.lock(ids.iter().map(|id| Key::Client(*id)))
    }

    /// `limit::spend`.
    pub fn spend(&mut self, client_id: Uuid, seconds: f64) -> Result<()> {
        self.lock([Key::Client(client_id)])?;
        let now = self.now;
        if let Some(mut client) = self.client(client_id).cloned() {
            let from = client.next_request_at.map_or(now, |next| next.max(now));
            client.next_request_at = Some(from + in_micros(seconds));
            self.open.changes.clients.insert(client_id, client);
        }
        Ok(())
    }

    /// `lease::claim_due`.
    pub fn claim_due(
        &mut self,
        lease: Lease,
        rooms: &[Room],
        except: &[Uuid],
        limit: usize,
    ) -> Vec<Leased> {
        let now = self.now;
        // The place within the client, then how long it is due.
        let mut found: Vec<(usize, OffsetDateTime, Uuid)> = Vec::new();
        for room in rooms {
            let mut due: Vec<(OffsetDateTime, Uuid)> = self
                .tables
                .connections
                .values()
                .filter(|n| n.client_id == room.client_id && n.is_due(now))
                .filter(|n| self.is_free(n, lease))
                .filter(|n| n.leased_until.is_none() || !except.contains(&n.id))
                .filter_map(|n| Some((n.due_at?, n.id)))
                .collect();
            due.sort();
            due.truncate(usize::try_from(room.room).unwrap_or_default());
            found.extend(due.into_iter().enumerate().map(|(place, (due, id))| (place, due, id)));
        }
        found.sort();
        found.truncate(limit);
        let mut leased = Vec::with_capacity(found.len());
        for (_, _, id) in found {
            if self.is_locked(Key::Connection(id)) {
                continue;
            }
            self.locks.insert(Key::Connection(id), self.tx);
            leased.extend(self.lease(lease, id, false));
        }
        leased
    }

    /// `lease::claim_one`.
    pub fn claim_one(&mut self, lease: Lease, id: Uuid, generation: i64) -> Result<Option<Leased>> {
        let fits = self
            .connection(id)
            .is_some_and(|n| n.generation == generation && n.is_alive() && self.is_free(n, lease));
        if !fits {
            return Ok(None);
        }
        self.lock([Key::Connection(id)])?;
        Ok(self.lease(lease, id, true))
    }

    fn is_free(&self, n: &Connection, lease: Lease) -> bool {
        self.broken == Broken::NoLease || n.is_free(self.now, lease.orphans)
    }

    fn lease(&mut self, lease: Lease, id: Uuid, at_once: bool) -> Option<Leased> {
        let mut row = self.connection(id)?.clone();
        let now = self.now;
        let before = Leased {
            id,
            client_id: row.client_id,
            lease_id: lease.id,
            lease_before: row.lease_id,
            name: String::new(),
            generation: row.generation,
            state: row.state,
            failures: row.failures,
            doubtful_attempt_id: row.doubtful_attempt_id,
            scopes_requested: Vec::new(),
            scopes_consented: Vec::new(),
            obtained_at: row.obtained_at,
            access_expires_at: row.access_expires_at,
            refresh_expires_at: row.refresh_expires_at,
            consented_at: row.consented_at,
            due_at: row.due_at,
            grant_type: GrantType::AuthorizationCode,
            variables: BTreeMap::new(),
        };
        row.lease_id = Some(lease.id);
        row.leased_until = Some(now + in_micros(lease.seconds));
        if at_once {
            row.due_at = least(row.due_at, Some(now));
        }
        self.put(row);
        Some(before)
    }

    /// `store::attempt::abandon`.
    pub fn abandon(
        &mut self,
        clients: &[Uuid],
        connections: &[Uuid],
        lease_id: Uuid,
    ) -> Result<Vec<Abandoned>> {
        let ids: Vec<Uuid> = self
            .tables
            .open
            .iter()
            .copied()
            .filter(|id| {
                self.attempt(*id).is_some_and(|attempt| {
                    attempt.verdict.is_none()
                        && clients.contains(&attempt.client_id)
                        && connections.contains(&attempt.connection_id)
                        && attempt.lease_id != lease_id
                })
            })
            .collect();
        self.lock(ids.iter().map(|id| Key::Attempt(*id)))?;
        let mut abandoned = Vec::new();
        for id in ids {
            let Some(mut attempt) = self.attempt(id).cloned() else { continue };
            attempt.verdict = Some(Verdict::InDoubt);
            abandoned.push(Abandoned {
                id,
                connection_id: attempt.connection_id,
                generation_before: attempt.generation_before,
            });
            self.open.changes.attempts.insert(id, Some(attempt));
        }
        Ok(abandoned)
    }

    /// `lease::doubt`.
    pub fn doubt(&mut self, lease_id: Uuid, doubts: &[(Uuid, Uuid)]) {
        for (id, attempt_id) in doubts {
            if self.connection(*id).is_some_and(|n| n.lease_id == Some(lease_id)) {
                self.change(*id, |n| {
                    n.state = StateName::InDoubt;
                    n.doubtful_attempt_id.get_or_insert(*attempt_id);
                });
            }
        }
    }

    /// What `store::attempt::insert` gives back.
    pub fn refresh_token(&self, id: Uuid, generation: i64) -> Option<Vec<u8>> {
        self.set(id).filter(|set| set.generation == generation)?.sealed_refresh_token.clone()
    }

    /// `store::attempt::insert`.
    pub fn intend(&mut self, attempt: Attempt) {
        self.open.changes.attempts.insert(attempt.id, Some(attempt));
    }

    /// `lease::extend`.
    pub fn extend(&mut self, held: &[(Uuid, Uuid)], seconds: f64) -> Result<()> {
        let until = self.now + in_micros(seconds);
        for (id, lease_id) in held {
            let is_ours = self.connection(*id).is_some_and(|n| n.lease_id == Some(*lease_id));
            if is_ours && self.lock([Key::Connection(*id)]).is_ok() {
                self.change(*id, |n| n.leased_until = Some(until));
            }
        }
        Ok(())
    }
}

/// Seconds as PostgreSQL adds them: to the microsecond.
fn in_micros(seconds: f64) -> Duration {
    Duration::microseconds((seconds * 1e6).round() as i64)
}
