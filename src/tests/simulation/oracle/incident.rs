//! What must be true of incidents, and of clients that may not ask.

use uuid::Uuid;

use super::PAUSE_SHADOW;
use crate::{
    domain::{
        attempt::Trigger,
        client::StateName,
        connection,
        incident::{self, Counts},
        provider::IncidentPolicy,
    },
    tests::simulation::{
        executor::{HOUR, Micros, SECOND},
        history::Event,
        people::CLOCK_OFF,
        store::{
            Changes, Connection,
            suspect::{Standing, Suspect},
        },
        world::State,
    },
};

/// A connection that died by its provider's word.
#[derive(Clone, Copy)]
pub struct Refused {
    client_id: Uuid,
    /// By the shared clock, at the earliest.
    refused_at: Micros,
    stored_at: Micros,
    generation: i64,
    token: usize,
}

impl State {
    /// Each incident is told once.
    pub(super) fn check_incidents(&mut self, changes: &Changes) {
        for (id, is) in changes.clients.iter() {
            let Some(was) = self.db.tables.clients.get(id) else { continue };
            let (before, told) = (was.state, is.incidents_told - was.incidents_told);
            let began = before != StateName::Incident && is.state == StateName::Incident;
            let over = before == StateName::Incident && is.state != StateName::Incident;
            if was.paused_until != is.paused_until {
                self.oracle.waits_since.insert(*id, self.schedule.now);
            }
            if told != u32::from(began) {
                self.violate(0, "I10", format!("an incident that was told {told} times"));
            }
            if began {
                self.note_for_all(Event::IncidentBegan);
                self.incidents.push(*id);
                self.alert.notify_one();
            }
            if over {
                self.oracle.incidents_over.insert(*id, self.schedule.now);
                self.note_for_all(Event::IncidentOver);
            }
        }
    }

    pub(super) fn states(&self, changes: &Changes, id: Uuid) -> [StateName; 2] {
        let was = self.db.tables.clients[&id].state;
        [was, changes.clients.get(&id).map_or(was, |client| client.state)]
    }

    /// A connection died by its provider's word. Whoever had a last try is not given back.
    pub(super) fn remember(&mut self, request: usize, is: &Connection) {
        let suspect = self.db.tables.suspects.get(&is.id);
        if suspect.is_some_and(|one| is_last_try(one, is)) {
            return;
        }
        let now = self.schedule.now;
        let request = &self.provider.requests[request];
        let received_at = request.received_at.unwrap_or(now);
        // Whoever noted it knew the shared clock as it was then, or as it had been a while before.
        let (off, _) = self.jumps.range(received_at - PAUSE_SHADOW, now);
        let refused_at = received_at + off - CLOCK_OFF;
        let refused = Refused {
            client_id: is.client_id,
            refused_at,
            stored_at: now,
            generation: is.generation,
            token: request.token,
        };
        self.oracle.refused.insert(is.id, refused);
    }

    /// An incident begins when as many are refused as its policy has it, whatever was not counted of those
    /// that were refreshed.
    pub(super) fn check_unusual(&mut self, connection: usize, changes: &Changes, client_id: Uuid) {
        let [was, is] = self.states(changes, client_id);
        if is == StateName::Incident || was == StateName::Disabled {
            return;
        }
        let policy = self.policy(client_id);
        let since = self.window_since(&policy);
        // What was counted before the last incident was over is forgotten.
        let over_at = self.oracle.incidents_over.get(&client_id).copied().unwrap_or(-HOUR);
        let refused = self.oracle.refused.values().filter(|one| one.client_id == client_id);
        let refused = refused.filter(|one| one.refused_at > since && one.stored_at > over_at);
        // By a clock that was set back they may all be of late.
        let back = match self.jumps.all.is_empty() {
            true => self.schedule.now - policy.window_seconds as Micros * SECOND,
            false => over_at,
        };
        let renewed = self
            .oracle
            .renewed
            .iter()
            .filter(|(id, at)| *id == client_id && *at > back.max(over_at) - PAUSE_SHADOW);
        let counts = Counts { refused: refused.count() as i64, refreshed: renewed.count() as i64 };
        if incident::is_unusual(counts, &policy) {
            self.violate(connection, "I11", format!("{counts:?}, and no incident begins"));
        }
    }

    /// From when on a refusal counts now, by the shared clock, at the latest.
    fn window_since(&self, policy: &IncidentPolicy) -> Micros {
        let now = self.schedule.now;
        let (_, off) = self.jumps.range(now - PAUSE_SHADOW, now);
        now + off + CLOCK_OFF - policy.window_seconds as Micros * SECOND
    }

    /// When an incident begins, those that fell before it was noticed are given back.
    pub(super) fn check_given_back(&mut self, changes: &Changes) {
        let began = changes.clients.iter().map(|(id, _)| *id).filter(|id| {
            let [was, is] = self.states(changes, *id);
            was != StateName::Incident && is == StateName::Incident
        });
        let began: Vec<Uuid> = began.collect();
        for client_id in began {
            if let Some(id) = self.left_dead(changes, client_id) {
                let connection = self.index_of(id);
                self.violate(connection, "I11", "stays dead of what is an incident now");
            }
        }
    }

    fn left_dead(&self, changes: &Changes, client_id: Uuid) -> Option<Uuid> {
        let since = self.window_since(&self.policy(client_id));
        let mut refused = self.oracle.refused.iter().filter(|(_, one)| one.refused_at > since);
        let left = refused.find(|(id, one)| {
            let changed = changes.connections.get(id);
            let row = changed.unwrap_or_else(|| &self.db.tables.connections[id]);
            one.client_id == client_id
                && row.generation == one.generation
                && row.state == connection::StateName::NeedsReauth
                && self.is_good(one.token)
        });
        left.map(|(id, _)| *id)
    }

    pub(super) fn policy(&self, client_id: Uuid) -> IncidentPolicy {
        let mut clients = self.provider.clients.iter();
        let client = clients.find(|client| client.id == client_id).expect("a client");
        client.profile.policy.incident
    }

    /// A connection is condemned by its provider's word.
    pub(super) fn check_amid(&mut self, connection: usize, changes: &Changes, is: &Connection) {
        let amid = self.states(changes, is.client_id) == [StateName::Incident; 2];
        let suspect = self.db.tables.suspects.get(&is.id);
        if amid && !suspect.is_some_and(|one| is_last_try(one, is)) {
            self.violate(connection, "I10", "condemned amid an incident");
        }
    }

    /// An admin condemns what is held, and nothing else.
    pub(super) fn check_believed(&mut self, connection: usize, is: &Connection) {
        let suspect = self.db.tables.suspects.get(&is.id);
        let is_held = suspect
            .is_some_and(|one| one.standing == Standing::Held && one.generation == is.generation);
        if !is_held || !self.db.tables.incidents.contains_key(&is.client_id) {
            self.violate(connection, "I10", "condemned by an admin, and was not held");
        }
    }

    /// Somebody claims it.
    pub(super) fn check_claim(&mut self, connection: usize, changes: &Changes, is: &Connection) {
        let [_, state] = self.states(changes, is.client_id);
        let mut attempts = changes.attempts.values().flatten();
        let trigger = attempts
            .find(|attempt| Some(attempt.lease_id) == is.lease_id && attempt.connection_id == is.id)
            .map(|attempt| attempt.trigger);
        let may = match state {
            StateName::Ready => true,
            StateName::Incident => trigger == Some(Trigger::Canary),
            StateName::CredentialsRejected | StateName::Disabled => false,
        };
        if !may {
            self.violate(connection, "I8", format!("claimed while its client is {state:?}"));
        }
    }
}

/// Whether what it holds was to be tried once more, and nothing else.
fn is_last_try(suspect: &Suspect, is: &Connection) -> bool {
    suspect.standing == Standing::LastTry && suspect.generation == is.generation
}
