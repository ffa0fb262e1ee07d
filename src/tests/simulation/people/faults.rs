//! What happens when a fault strikes that comes some times an hour.

use crate::tests::simulation::{
    executor::{HOUR, MINUTE, Micros, SECOND},
    faults::Fault,
    history::Event,
    people::CONNECTIONS,
    provider::Excuse,
    store::transaction::Cut,
    world::State,
};

/// What follows when a fault has struck.
pub enum Follows {
    Nothing,
    /// The store can't be reached, by all or by some.
    Absence {
        until: Micros,
    },
    Stop {
        replica: usize,
    },
    /// An admin enters the secret.
    Repair {
        client: usize,
        after: Micros,
    },
    Consent {
        connection: usize,
    },
    Disconnection {
        connection: usize,
    },
    /// An admin switches a client off for so long.
    Rest {
        client: usize,
        time: Micros,
    },
    /// An admin ends the pause of a client.
    Decision {
        client: usize,
    },
}

impl State {
    pub fn strike(&mut self, fault: Fault) -> Follows {
        // That one may find nothing to do, and notes itself.
        if fault != Fault::PauseEnded {
            self.faults.note(fault);
        }
        let now = self.schedule.now;
        let replicas = self.replicas.len();
        match fault {
            Fault::Outage => {
                let until = now + self.dice.spread(MINUTE, 2 * HOUR);
                let client = self.dice.below(self.provider.clients.len());
                let is_dark = self.dice.chance(0.5);
                self.provider.clients[client].outage_until = until;
                self.provider.clients[client].is_dark = is_dark;
                self.note_for_all(Event::Outage { until });
                Follows::Nothing
            }
            Fault::MassRefusal => {
                let until = now + self.dice.spread(MINUTE, 20 * MINUTE);
                let client = self.dice.below(self.provider.clients.len());
                self.provider.clients[client].refuses_until = until;
                self.note_for_all(Event::Refusing { until });
                Follows::Nothing
            }
            Fault::ClockForward | Fault::ClockBack => {
                self.jump(fault == Fault::ClockForward);
                Follows::Absence { until: now }
            }
            Fault::SwitchedOff => Follows::Rest {
                client: self.dice.below(self.provider.clients.len()),
                time: self.dice.spread(10 * SECOND, 10 * MINUTE),
            },
            Fault::PauseEnded => {
                Follows::Decision { client: self.dice.below(self.provider.clients.len()) }
            }
            Fault::StoreAway => {
                let until = now + self.dice.spread(SECOND / 10, 5 * MINUTE);
                self.db.restart();
                self.db.away_until = self.db.away_until.max(until);
                self.note_for_all(Event::StoreAway { until });
                Follows::Absence { until }
            }
            Fault::StoreFrozen => {
                let until = now + self.dice.spread(SECOND / 10, 3 * MINUTE);
                self.db.frozen_until = self.db.frozen_until.max(until);
                self.note_for_all(Event::StoreFrozen { until });
                Follows::Absence { until }
            }
            Fault::StoreRestart => {
                self.db.restart();
                self.note_for_all(Event::StoreRestarted);
                Follows::Nothing
            }
            Fault::PartitionRefused | Fault::PartitionSilent => {
                let until = now + self.dice.spread(SECOND / 10, 3 * MINUTE);
                let replica = self.dice.below(replicas);
                let is_silent = fault == Fault::PartitionSilent;
                let until = until.max(self.db.cuts[replica].until);
                self.db.cuts[replica] = Cut { until, is_silent };
                if let Some(group) = self.replicas[replica].group {
                    self.excuse_all(group, Excuse::CutOff);
                }
                self.note_for_all(Event::CutOff { replica, until, is_silent });
                Follows::Absence { until }
            }
            Fault::Stop => Follows::Stop { replica: self.dice.below(replicas) },
            Fault::SecretReplaced => {
                let client = self.dice.below(self.provider.clients.len());
                self.provider.clients[client].secret += 1;
                self.note_for_all(Event::SecretReplaced);
                Follows::Repair { client, after: self.dice.spread(MINUTE, 30 * MINUTE) }
            }
            Fault::Revoked => {
                let connection = self.dice.below(CONNECTIONS);
                self.withdraw(connection);
                Follows::Nothing
            }
            Fault::ConsentAgain => Follows::Consent { connection: self.dice.below(CONNECTIONS) },
            Fault::Disconnected => {
                Follows::Disconnection { connection: self.dice.below(CONNECTIONS) }
            }
            _ => Follows::Nothing,
        }
    }
}
