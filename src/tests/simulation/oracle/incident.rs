//! What must be true of incidents, and of clients that may not ask.

use uuid::Uuid;

use crate::{
    domain::{attempt::Trigger, client::StateName},
    tests::simulation::{
        history::Event,
        store::{Changes, Connection, suspect::Standing},
        world::State,
    },
};

impl State {
    /// Each incident is told once.
    pub(super) fn check_incidents(&mut self, changes: &Changes) {
        for (id, is) in changes.clients.iter() {
            let Some(was) = self.db.tables.clients.get(id) else { continue };
            let (before, told) = (was.state, is.incidents_told - was.incidents_told);
            let began = before != StateName::Incident && is.state == StateName::Incident;
            let over = before == StateName::Incident && is.state != StateName::Incident;
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

    fn states(&self, changes: &Changes, id: Uuid) -> [StateName; 2] {
        let was = self.db.tables.clients[&id].state;
        [was, changes.clients.get(&id).map_or(was, |client| client.state)]
    }

    /// A connection is condemned by its provider's word.
    pub(super) fn check_amid(&mut self, connection: usize, changes: &Changes, is: &Connection) {
        let amid = self.states(changes, is.client_id) == [StateName::Incident; 2];
        let suspect = self.db.tables.suspects.get(&is.id);
        let is_last_try = suspect.is_some_and(|one| one.standing == Standing::LastTry);
        if amid && !is_last_try {
            self.violate(connection, "I10", "condemned amid an incident");
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
