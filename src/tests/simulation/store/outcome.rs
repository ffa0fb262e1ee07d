//! The statements by which an outcome is stored, and those of people.

use time::OffsetDateTime;
use uuid::Uuid;

use super::{Attempt, Connection, Key, Result, View};
use crate::tests::simulation::world::Broken;
use crate::{
    domain::{
        attempt::Verdict,
        client,
        connection::{Reason, StateName},
    },
    server::store::{
        attempt::Ending,
        connection::outcome::{Fence, Renewal, Setback, Standing},
        token_set::TokenSet,
    },
};

impl View<'_> {
    /// `outcome::renew`.
    pub fn renew(
        &mut self,
        renewals: &[(Fence, &Renewal)],
        attempts: &[Uuid],
        now: OffsetDateTime,
    ) -> Result<Vec<Uuid>> {
        let taken: Vec<usize> = (0..renewals.len())
            .filter(|n| {
                self.connection(renewals[*n].0.id).is_some_and(|c| self.takes(c, &renewals[*n].0))
            })
            .collect();
        self.lock(taken.iter().map(|n| Key::Connection(renewals[*n].0.id)))?;
        for n in &taken {
            let ((fence, renewal), attempt_id) = (renewals[*n], attempts[*n]);
            self.change(fence.id, |c| {
                let own = c.lease_id == Some(fence.lease_id);
                c.state = StateName::Active;
                c.reason = None;
                c.failures = 0;
                c.last_error = None;
                c.doubtful_attempt_id = match own {
                    true => None,
                    false => c.doubtful_attempt_id.or(Some(attempt_id)),
                };
                c.generation += 1;
                c.has_refresh_token = renewal.has_refresh_token;
                c.obtained_at = Some(renewal.obtained_at);
                c.access_expires_at = renewal.access_expires_at;
                c.refresh_expires_at = renewal.refresh_expires_at;
                c.needs_human_by = renewal.needs_human_by;
                c.due_at = match own || !renewal.has_refresh_token {
                    true => renewal.due_at,
                    false => Some(now),
                };
                c.lease_id = None;
                c.leased_until = None;
            });
        }
        Ok(taken.into_iter().map(|n| renewals[n].0.id).collect())
    }

    fn takes(&self, connection: &Connection, fence: &Fence) -> bool {
        if self.broken == Broken::NoFence {
            return true;
        }
        connection.generation == fence.generation
            && (connection.lease_id == Some(fence.lease_id)
                || (!connection.is_held(self.now) && !is_over(connection)))
    }

    fn fits(&self, fence: &Fence) -> bool {
        self.connection(fence.id).is_some_and(|connection| {
            self.broken == Broken::NoFence
                || (connection.lease_id == Some(fence.lease_id)
                    && connection.generation == fence.generation)
        })
    }

    /// `outcome::set_back`.
    pub fn set_back(&mut self, setbacks: &[(Fence, &Setback)]) -> Result<Vec<Uuid>> {
        let late = self.broken == Broken::LateRefusals;
        let taken: Vec<&(Fence, &Setback)> =
            setbacks.iter().filter(|(fence, _)| self.fits(fence) || late).collect();
        self.lock(taken.iter().map(|(fence, _)| Key::Connection(fence.id)))?;
        for (fence, setback) in &taken {
            self.change(fence.id, |c| {
                c.state = setback.state;
                c.reason = setback.reason;
                c.failures = setback.failures;
                c.doubtful_attempt_id = setback.doubtful_attempt_id;
                if setback.last_error.is_some() {
                    c.last_error.clone_from(&setback.last_error);
                }
                c.needs_human_by = setback.needs_human_by;
                c.due_at = setback.due_at;
                c.lease_id = None;
                c.leased_until = None;
            });
        }
        Ok(taken.into_iter().map(|(fence, _)| fence.id).collect())
    }

    /// `outcome::release`.
    pub fn release(&mut self, released: &[(Fence, &Option<OffsetDateTime>)]) -> Result<Vec<Uuid>> {
        let taken: Vec<&(Fence, &Option<OffsetDateTime>)> =
            released.iter().filter(|(fence, _)| self.fits(fence)).collect();
        self.lock(taken.iter().map(|(fence, _)| Key::Connection(fence.id)))?;
        for (fence, due_at) in &taken {
            self.change(fence.id, |c| {
                c.due_at = **due_at;
                c.lease_id = None;
                c.leased_until = None;
            });
        }
        Ok(taken.into_iter().map(|(fence, _)| fence.id).collect())
    }

    /// `token_set::replace`.
    pub fn replace(&mut self, set: TokenSet) {
        self.open.changes.sets.insert(set.connection_id, set);
    }

    /// `attempt::verdicts`.
    pub fn verdict(&self, attempt_id: Uuid) -> Option<Verdict> {
        self.attempt(attempt_id)?.verdict
    }

    /// `outcome::standing`.
    pub fn standing(&self, ids: &[Uuid]) -> Vec<Standing> {
        let found = ids.iter().filter_map(|id| self.connection(*id));
        found
            .map(|connection| Standing {
                id: connection.id,
                generation: connection.generation,
                is_over: is_over(connection),
            })
            .collect()
    }

    /// `attempt::finish`.
    pub fn finish(&mut self, endings: &[(Uuid, Uuid, Ending)]) -> Result<()> {
        let open: Vec<&(Uuid, Uuid, Ending)> = endings
            .iter()
            .filter(|(connection_id, id, _)| {
                self.attempt(*id).is_some_and(|attempt| {
                    attempt.connection_id == *connection_id
                        && matches!(attempt.verdict, None | Some(Verdict::InDoubt))
                })
            })
            .collect();
        self.lock(open.iter().map(|(_, id, _)| Key::Attempt(*id)))?;
        for (_, id, ending) in open {
            let Some(attempt) = self.attempt(*id).cloned() else { continue };
            let ended = Attempt {
                verdict: Some(ending.verdict),
                error_class: ending.error_class,
                status: ending.status,
                generation_after: ending.generation_after,
                ..attempt
            };
            self.open.changes.attempts.insert(*id, Some(ended));
        }
        Ok(())
    }

    /// `attempt::delete`.
    pub fn delete(&mut self, ids: &[Uuid]) -> Result<()> {
        let known: Vec<Uuid> =
            ids.iter().copied().filter(|id| self.attempt(*id).is_some()).collect();
        self.lock(known.iter().map(|id| Key::Attempt(*id)))?;
        for id in known {
            self.open.changes.attempts.insert(id, None);
        }
        Ok(())
    }

    /// `client::pause`.
    pub fn pause(&mut self, client_id: Uuid, until: OffsetDateTime) -> Result<()> {
        self.lock([Key::Client(client_id)])?;
        let until = super::to_micros(until);
        if let Some(mut client) = self.client(client_id).cloned() {
            client.paused_until = Some(client.paused_until.map_or(until, |was| was.max(until)));
            self.open.changes.clients.insert(client_id, client);
        }
        Ok(())
    }

    /// `client::reject_credentials`.
    pub fn reject(&mut self, client_id: Uuid, secret_generation: i64) -> Result<()> {
        let fits = self.client(client_id).is_some_and(|client| {
            client.secret_generation == secret_generation
                && client.state == client::StateName::Ready
        });
        if fits {
            self.lock([Key::Client(client_id)])?;
            if let Some(mut client) = self.client(client_id).cloned() {
                client.state = client::StateName::CredentialsRejected;
                self.open.changes.clients.insert(client_id, client);
            }
        }
        Ok(())
    }

    /// What an admin does who enters another secret; `due` as of [`View::spread`].
    pub fn replace_secret(
        &mut self,
        client_id: Uuid,
        due: impl FnMut(Uuid) -> OffsetDateTime,
    ) -> Result<()> {
        self.lock([Key::Client(client_id)])?;
        let Some(mut client) = self.client(client_id).cloned() else { return Ok(()) };
        let was = client.state;
        client.secret_generation += 1;
        self.open.changes.clients.insert(client_id, client);
        if was != client::StateName::CredentialsRejected {
            return Ok(());
        }
        self.set_ready(client_id)?;
        self.spread(client_id, due)
    }

    /// An admin switches a client off.
    pub fn switch_off(&mut self, client_id: Uuid) -> Result<()> {
        let was = self.client(client_id).map(|client| client.state);
        self.set_state(client_id, client::StateName::Disabled)?;
        if was == Some(client::StateName::Incident) {
            self.forget_incident(client_id);
        }
        Ok(())
    }

    pub fn set_ready(&mut self, client_id: Uuid) -> Result<()> {
        self.set_state(client_id, client::StateName::Ready)
    }

    fn set_state(&mut self, client_id: Uuid, state: client::StateName) -> Result<()> {
        self.lock([Key::Client(client_id)])?;
        if let Some(mut client) = self.client(client_id).cloned() {
            client.state = state;
            self.open.changes.clients.insert(client_id, client);
        }
        Ok(())
    }

    /// `limit::end_pause`.
    pub fn end_pause(&mut self, client_id: Uuid) -> Result<()> {
        self.lock([Key::Client(client_id)])?;
        if let Some(mut client) = self.client(client_id).cloned() {
            client.paused_until = None;
            self.open.changes.clients.insert(client_id, client);
        }
        Ok(())
    }

    /// Spreads what is overdue (`client::resume`, `client::spread_some`), at once; `due` gives each
    /// connection its turn.
    pub fn spread(
        &mut self,
        client_id: Uuid,
        mut due: impl FnMut(Uuid) -> OffsetDateTime,
    ) -> Result<()> {
        let ours = self.tables.connections.values().filter(|n| n.client_id == client_id);
        let overdue: Vec<Uuid> = ours
            .filter_map(|n| self.connection(n.id))
            .filter(|n| n.is_due(self.now) && !n.is_held(self.now))
            .filter(|n| !self.is_locked(Key::Connection(n.id)))
            .map(|n| n.id)
            .collect();
        for id in overdue {
            self.lock([Key::Connection(id)])?;
            let due_at = due(id);
            self.change(id, |n| n.due_at = Some(due_at));
        }
        Ok(())
    }

    /// `connection::activate`, with a refresh token that came with the consent.
    pub fn activate(&mut self, id: Uuid, given: &Renewal, set: TokenSet) -> Result<bool> {
        let Some(generation) = self.connection(id).map(|n| n.generation) else { return Ok(false) };
        self.lock([Key::Connection(id)])?;
        if generation + 1 != set.generation {
            return Ok(false);
        }
        self.change(id, |n| {
            n.state = StateName::Active;
            n.reason = None;
            n.failures = 0;
            n.doubtful_attempt_id = None;
            n.last_error = None;
            n.generation = set.generation;
            n.has_refresh_token = given.has_refresh_token;
            n.consented_at = Some(given.obtained_at);
            n.obtained_at = Some(given.obtained_at);
            n.access_expires_at = given.access_expires_at;
            n.refresh_expires_at = given.refresh_expires_at;
            n.needs_human_by = given.needs_human_by;
            n.due_at = given.due_at;
            n.lease_id = None;
            n.leased_until = None;
        });
        self.replace(set);
        Ok(true)
    }

    /// `connection::disconnect` and `token_set::forget`.
    pub fn disconnect(&mut self, id: Uuid) -> Result<()> {
        self.lock([Key::Connection(id)])?;
        self.change(id, |n| {
            n.state = StateName::Disconnected;
            n.reason = None;
            n.due_at = None;
            n.needs_human_by = None;
            n.access_expires_at = None;
            n.refresh_expires_at = None;
            n.has_refresh_token = false;
            n.doubtful_attempt_id = None;
            n.failures = 0;
            n.lease_id = None;
            n.leased_until = None;
        });
        if let Some(mut set) = self.set(id).cloned() {
            set.sealed_access_token = None;
            set.sealed_refresh_token = None;
            set.sealed_extras = None;
            self.replace(set);
        }
        Ok(())
    }
}

fn is_over(connection: &Connection) -> bool {
    !(connection.is_alive()
        || matches!(connection.reason, Some(Reason::RotationLost | Reason::RefreshTokenExpired)))
}
