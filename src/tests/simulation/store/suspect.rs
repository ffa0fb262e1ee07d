//! The statements about suspects and incidents (`store::suspect`, `store::incident`).

use time::OffsetDateTime;
use uuid::Uuid;

use super::{Key, Result, View};
use crate::{
    domain::{
        attempt::Verdict,
        client,
        connection::{Reason, StateName},
        incident::{Counts, Evidence},
    },
    server::store::suspect::{Before, Refused},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Condemned,
    Held,
    LastTry,
}

/// A connection that was refused of late.
#[derive(Clone, Debug, PartialEq)]
pub struct Suspect {
    pub id: Uuid,
    pub client_id: Uuid,
    pub generation: i64,
    attempt_id: Uuid,
    reason: Reason,
    refused_at: OffsetDateTime,
    doubtful_attempt_id: Option<Uuid>,
    needs_human_by: Option<OffsetDateTime>,
    pub standing: Standing,
    tried_at: Option<OffsetDateTime>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Incident {
    pub client_id: Uuid,
    pub began_at: OffsetDateTime,
    refreshed: i64,
    pub confirmed: u32,
    pub canary_at: OffsetDateTime,
}

/// Connections that were refreshed of late.
#[derive(Clone, Copy, Debug)]
pub struct Refreshed {
    pub client_id: Uuid,
    pub at: OffsetDateTime,
    pub count: i64,
}

impl View<'_> {
    fn suspects(&self, client_id: Uuid, standing: Standing) -> Vec<Suspect> {
        let changed = &self.open.changes.suspects;
        let stored = self.tables.suspects.values().filter(|one| !changed.contains_key(&one.id));
        let all = stored.chain(changed.values().flatten());
        let ours = all.filter(|one| one.client_id == client_id && one.standing == standing);
        ours.cloned().collect()
    }

    fn keep(&mut self, suspect: Suspect) {
        self.open.changes.suspects.insert(suspect.id, Some(suspect));
    }

    fn incident(&self, client_id: Uuid) -> Option<Incident> {
        match self.open.changes.incidents.get(&client_id) {
            Some(changed) => changed.clone(),
            None => self.tables.incidents.get(&client_id).cloned(),
        }
    }

    fn change_incident(&mut self, client_id: Uuid, change: impl FnOnce(&mut Incident)) {
        if let Some(mut incident) = self.incident(client_id) {
            change(&mut incident);
            self.open.changes.incidents.insert(client_id, Some(incident));
        }
    }

    /// `suspect::before`.
    pub fn before(&self, ids: &[Uuid]) -> Vec<Before> {
        let found = ids.iter().filter_map(|id| self.connection(*id));
        found
            .map(|n| Before {
                id: n.id,
                doubtful_attempt_id: n.doubtful_attempt_id,
                needs_human_by: n.needs_human_by,
            })
            .collect()
    }

    /// `suspect::take_last_tries`.
    pub fn take_last_tries(&mut self, client_id: Uuid, refused: &[Refused]) -> Vec<Uuid> {
        let given = self.suspects(client_id, Standing::LastTry);
        let is_taken = |one: &&Suspect| {
            refused.iter().any(|r| r.before.id == one.id && r.generation == one.generation)
        };
        let taken: Vec<Uuid> = given.iter().filter(is_taken).map(|one| one.id).collect();
        for id in &taken {
            self.open.changes.suspects.insert(*id, None);
        }
        taken
    }

    /// `suspect::note`.
    pub fn note(&mut self, client_id: Uuid, refused: &[Refused], now: OffsetDateTime) {
        for one in refused {
            let id = one.before.id;
            let known = match self.open.changes.suspects.get(&id) {
                Some(changed) => changed.clone(),
                None => self.tables.suspects.get(&id).cloned(),
            };
            let (needs_human_by, tried_at) =
                known.map_or((None, None), |known| (known.needs_human_by, known.tried_at));
            self.keep(Suspect {
                id,
                client_id,
                generation: one.generation,
                attempt_id: one.attempt_id,
                reason: one.reason,
                refused_at: now,
                doubtful_attempt_id: one.before.doubtful_attempt_id,
                needs_human_by: one.before.needs_human_by.or(needs_human_by),
                standing: Standing::Condemned,
                tried_at,
            });
        }
    }

    /// `suspect::count` and `client_window::sum`.
    pub fn counts(&self, client_id: Uuid, since: OffsetDateTime) -> Counts {
        let refused = self.suspects(client_id, Standing::Condemned);
        let refused = refused.iter().filter(|one| one.refused_at > since).count();
        let refreshed = self.tables.refreshed.iter();
        let refreshed = refreshed.filter(|one| one.client_id == client_id && one.at > since);
        Counts { refused: refused as i64, refreshed: refreshed.map(|one| one.count).sum() }
    }

    /// `suspect::hold`: connections and the attempts that had condemned them.
    pub fn hold(
        &mut self,
        client_id: Uuid,
        since: OffsetDateTime,
        mut due: impl FnMut() -> OffsetDateTime,
    ) -> Result<Vec<(Uuid, Uuid)>> {
        let mut held = self.suspects(client_id, Standing::Condemned);
        held.retain(|one| {
            one.refused_at > since
                && self.connection(one.id).is_some_and(|n| {
                    n.generation == one.generation
                        && n.state == StateName::NeedsReauth
                        && n.reason == Some(one.reason)
                })
        });
        self.lock(held.iter().map(|one| Key::Connection(one.id)))?;
        let mut back = Vec::new();
        for one in held {
            let due_at = due();
            self.change(one.id, |n| {
                n.state = match one.doubtful_attempt_id {
                    None => StateName::Retrying,
                    Some(_) => StateName::InDoubt,
                };
                n.reason = None;
                n.doubtful_attempt_id = one.doubtful_attempt_id;
                n.needs_human_by = one.needs_human_by.or(n.refresh_expires_at);
                n.due_at = Some(due_at);
            });
            back.push((one.id, one.attempt_id));
            self.keep(Suspect { standing: Standing::Held, ..one });
        }
        Ok(back)
    }

    /// `attempt::suspend`.
    pub fn suspend(&mut self, attempts: &[(Uuid, Uuid)]) -> Result<()> {
        let condemned: Vec<Uuid> = attempts
            .iter()
            .map(|(_, id)| *id)
            .filter(|id| self.attempt(*id).is_some_and(|a| a.verdict == Some(Verdict::Condemned)))
            .collect();
        self.lock(condemned.iter().map(|id| Key::Attempt(*id)))?;
        for id in condemned {
            if let Some(mut attempt) = self.attempt(id).cloned() {
                attempt.verdict = Some(Verdict::Suspended);
                self.open.changes.attempts.insert(id, Some(attempt));
            }
        }
        Ok(())
    }

    /// `incident::begin`, with what is told of it.
    pub fn begin_incident(
        &mut self,
        client_id: Uuid,
        counts: Counts,
        now: OffsetDateTime,
        canary_at: OffsetDateTime,
    ) {
        if let Some(mut client) = self.client(client_id).cloned() {
            client.state = client::StateName::Incident;
            client.incidents_told += 1;
            self.open.changes.clients.insert(client_id, client);
        }
        let refreshed = counts.refreshed;
        let incident = Incident { client_id, began_at: now, refreshed, confirmed: 0, canary_at };
        self.open.changes.incidents.insert(client_id, Some(incident));
    }

    /// What no engine does.
    pub fn tell_again(&mut self, client_id: Uuid) -> Result<()> {
        self.lock([Key::Client(client_id)])?;
        if let Some(mut client) = self.client(client_id).cloned() {
            client.incidents_told += 1;
            self.open.changes.clients.insert(client_id, client);
        }
        Ok(())
    }

    /// `incident::list_due`.
    pub fn canaries_due(&self, now: OffsetDateTime) -> Vec<Uuid> {
        let incidents = self.tables.incidents.values().filter(|one| one.canary_at <= now);
        let clients = incidents.filter_map(|one| self.tables.clients.get(&one.client_id));
        let asked = clients.filter(|client| client.paused_until.is_none_or(|until| until <= now));
        asked.map(|client| client.id).collect()
    }

    /// `incident::take_turn`.
    pub fn take_turn(&self, client_id: Uuid, now: OffsetDateTime) -> Option<u32> {
        self.incident(client_id).filter(|one| one.canary_at <= now).map(|one| one.confirmed)
    }

    /// `incident::put_off`.
    pub fn put_off(&mut self, client_id: Uuid, until: OffsetDateTime) {
        self.change_incident(client_id, |incident| incident.canary_at = until);
    }

    /// `incident::confirm`.
    pub fn confirm(&mut self, client_id: Uuid) -> Option<Evidence> {
        self.change_incident(client_id, |incident| incident.confirmed += 1);
        self.incident(client_id).map(|incident| Evidence {
            began_at: incident.began_at,
            refreshed: incident.refreshed,
            confirmed: incident.confirmed,
        })
    }

    /// `suspect::next_canary`.
    pub fn next_canary(&mut self, client_id: Uuid, now: OffsetDateTime) -> Option<(Uuid, i64)> {
        let mut held = self.suspects(client_id, Standing::Held);
        held.retain(|one| self.is_suspected(one));
        held.sort_by_key(|one| (one.tried_at.is_some(), one.tried_at, one.refused_at, one.id));
        let next = held.into_iter().next()?;
        let found = (next.id, next.generation);
        self.keep(Suspect { tried_at: Some(now), ..next });
        Some(found)
    }

    fn is_suspected(&self, suspect: &Suspect) -> bool {
        self.connection(suspect.id).is_some_and(|n| {
            n.generation == suspect.generation
                && matches!(n.state, StateName::Retrying | StateName::InDoubt)
        })
    }

    /// `suspect::condemn`, for an admin.
    pub fn condemn(&mut self, client_id: Uuid, now: OffsetDateTime) -> Result<()> {
        let mut held = self.suspects(client_id, Standing::Held);
        held.retain(|one| {
            self.is_suspected(one) && self.connection(one.id).is_some_and(|n| n.lease_id.is_none())
        });
        self.lock(held.iter().map(|one| Key::Connection(one.id)))?;
        self.open.changes.condemned_by_admin.extend(held.iter().map(|one| one.id));
        for one in held {
            self.change(one.id, |n| {
                n.state = StateName::NeedsReauth;
                n.reason = Some(one.reason);
                n.doubtful_attempt_id = None;
                n.needs_human_by = Some(now);
                n.due_at = None;
            });
        }
        Ok(())
    }

    /// `suspect::give_last_try`.
    pub fn give_last_try(&mut self, client_id: Uuid) {
        for one in self.suspects(client_id, Standing::Held) {
            self.keep(Suspect { standing: Standing::LastTry, ..one });
        }
    }

    /// `incident::forget`.
    pub fn forget_incident(&mut self, client_id: Uuid) {
        self.open.changes.incidents.insert(client_id, None);
        for standing in [Standing::Condemned, Standing::Held] {
            for one in self.suspects(client_id, standing) {
                self.open.changes.suspects.insert(one.id, None);
            }
        }
        self.open.changes.cleared.push(client_id);
    }
}
