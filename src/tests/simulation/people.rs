//! All that happens around the processes: what breaks and is mended, what owners, admins and callers do.

mod founding;

use time::Duration;

use super::{
    executor::{HOUR, MINUTE, Micros, SECOND, WORLD},
    faults::Fault,
    history::Event,
    provider::Excuse,
    replica::Replica,
    store::{
        self,
        transaction::{Cut, Statements},
    },
    world::{State, World},
};
use crate::{
    domain::{client, connection::StateName},
    server::store::token_set::TokenSet,
};

/// For how long things go wrong.
pub const CHAOS: Micros = 20 * MINUTE;
/// For how long everything works after that.
pub const REST: Micros = 17 * MINUTE;

const CONNECTIONS: usize = 6;

/// What is worst when an answer has just come.
const UPON_ANSWERS: &[Fault] = &[
    Fault::StoreAway,
    Fault::StoreFrozen,
    Fault::StoreRestart,
    Fault::PartitionRefused,
    Fault::PartitionSilent,
    Fault::Stop,
    Fault::Revoked,
    Fault::ConsentAgain,
];
/// What is worst amid a transaction.
const AMID_TRANSACTIONS: &[Fault] =
    &[Fault::StoreFrozen, Fault::StoreRestart, Fault::PartitionSilent];

impl World {
    /// Makes the world, and begins what happens in it.
    pub fn populate(&self) {
        {
            let mut state = self.state();
            for _ in 0..2 {
                state.register();
            }
            for _ in 0..CONNECTIONS {
                state.connect();
            }
            let replicas = *state.dice.pick(&[1, 2, 3, 3, 3]);
            for _ in 0..replicas {
                let clock_off = if state.strikes(Fault::ClockOff) {
                    state.dice.between(-2 * SECOND, 2 * SECOND)
                } else {
                    0
                };
                state.replicas.push(Replica {
                    group: None,
                    process: None,
                    clock_off,
                    well_since: 0,
                    looks_at: 0,
                    paused_until: -HOUR,
                });
            }
        }
        let replicas = self.state().replicas.len();
        for replica in 0..replicas {
            self.start(replica);
        }
        for fault in [
            Fault::Outage,
            Fault::SecretReplaced,
            Fault::Revoked,
            Fault::StoreAway,
            Fault::StoreFrozen,
            Fault::StoreRestart,
            Fault::PartitionRefused,
            Fault::PartitionSilent,
            Fault::Stop,
            Fault::ConsentAgain,
            Fault::Disconnected,
        ] {
            if self.state().rates.rate(fault) > 0.0 {
                let world = self.clone();
                self.spawn(WORLD, async move { world.keep_striking(fault).await });
            }
        }
        let world = self.clone();
        self.spawn(WORLD, async move { world.supervise().await });
        let world = self.clone();
        self.spawn(WORLD, async move { world.call().await });
        let world = self.clone();
        self.spawn(WORLD, async move { world.relink().await });
        let world = self.clone();
        self.spawn(WORLD, async move { world.watch().await });
        let world = self.clone();
        self.spawn(WORLD, async move {
            world.sleep(CHAOS).await;
            world.heal();
        });
    }

    /// A fault that comes some times an hour.
    async fn keep_striking(&self, fault: Fault) {
        loop {
            let wait = {
                let mut state = self.state();
                let mean = HOUR as f64 / state.rates.rate(fault);
                (-mean * (1.0 - state.dice.fraction()).ln()) as Micros
            };
            self.sleep(wait).await;
            if !self.state().is_chaotic {
                return;
            }
            self.strike(fault).await;
        }
    }

    async fn strike(&self, fault: Fault) {
        let follows = self.state().strike(fault);
        self.follow(follows).await;
    }

    /// Has windows begin at the worst moment: when an answer has just come, or amid a transaction.
    pub fn strike_now(&self, amid: bool) {
        let struck = {
            let mut state = self.state();
            let fault = *state.dice.pick(if amid { AMID_TRANSACTIONS } else { UPON_ANSWERS });
            let odds = if amid { 1000.0 } else { 30.0 };
            let chance = state.rates.rate(fault) / odds;
            let strikes = state.is_chaotic && state.dice.chance(chance);
            strikes.then(|| state.strike(fault))
        };
        if let Some(follows) = struck {
            let world = self.clone();
            self.spawn(WORLD, async move { world.follow(follows).await });
        }
    }

    async fn follow(&self, follows: Follows) {
        match follows {
            Follows::Nothing => {}
            Follows::Absence { until } => {
                self.alarm();
                self.until(until).await;
            }
            Follows::Stop { replica } => self.stop(replica).await,
            Follows::Repair { client, after } => {
                let world = self.clone();
                self.spawn(WORLD, async move {
                    world.sleep(after).await;
                    world.enter_secret(client).await;
                });
            }
            Follows::Consent { connection } => self.consent(connection).await,
            Follows::Disconnection { connection } => self.disconnect(connection).await,
        }
    }

    /// Has every worker look soon: it looks every second, and idle looks are only left out here.
    fn alarm(&self) {
        let waits: Vec<Micros> = {
            let mut state = self.state();
            (0..state.replicas.len()).map(|_| state.dice.between(0, SECOND)).collect()
        };
        for (replica, wait) in waits.into_iter().enumerate() {
            let world = self.clone();
            self.spawn(WORLD, async move {
                world.sleep(wait).await;
                if let Some(process) = &world.state().replicas[replica].process {
                    process.woken.notify_one();
                }
            });
        }
    }

    /// Everything is mended, for good.
    fn heal(&self) {
        let replicas = {
            let mut state = self.state();
            state.is_chaotic = false;
            let now = state.schedule.now;
            state.db.away_until = now;
            state.db.frozen_until = now;
            state.db.cuts = Default::default();
            for client in &mut state.provider.clients {
                client.outage_until = now;
            }
            state.note_for_all(Event::Healed);
            state.replicas.len()
        };
        for replica in 0..replicas {
            self.start(replica);
        }
        for client in 0..2 {
            let world = self.clone();
            self.spawn(WORLD, async move { world.enter_secret(client).await });
        }
    }

    /// Begins processes that ended anew, after a while.
    async fn supervise(&self) {
        let fallen = self.state().fallen.clone();
        loop {
            fallen.notified().await;
            let delays: Vec<(usize, Micros)> = {
                let mut state = self.state();
                let replicas = 0..state.replicas.len();
                let down = replicas.filter(|replica| state.replicas[*replica].group.is_none());
                let down: Vec<usize> = down.collect();
                let longest = if state.is_chaotic { 3 * MINUTE } else { SECOND };
                down.into_iter()
                    .map(|replica| (replica, state.dice.spread(SECOND / 10, longest)))
                    .collect()
            };
            for (replica, delay) in delays {
                let world = self.clone();
                self.spawn(WORLD, async move {
                    world.sleep(delay).await;
                    world.start(replica);
                });
            }
        }
    }

    /// People and programs that want a fresh token now.
    async fn call(&self) {
        let mean = self.state().dice.spread(MINUTE, 20 * MINUTE) as f64;
        loop {
            let wait = (-mean * (1.0 - self.state().dice.fraction()).ln()) as Micros;
            self.sleep(wait).await;
            let mut state = self.state();
            let count = state.replicas.len();
            let replica = state.dice.below(count);
            let Some(process) = state.replicas[replica].process.clone() else { continue };
            let connection = state.dice.below(CONNECTIONS);
            let id = state.connections[connection];
            let callers = *state.dice.pick(&[1, 1, 1, 3]);
            for _ in 0..callers {
                let (process, is_forced) = (process.clone(), state.dice.chance(0.3));
                let call = async move { process.on_demand(id, is_forced).await };
                let group = state.replicas[replica].group.expect("it runs");
                state.schedule.spawn(group, Box::pin(call));
            }
        }
    }

    /// Owners of connections that need them come, sooner or later.
    async fn relink(&self) {
        let dead = self.state().dead.clone();
        loop {
            dead.notified().await;
            let needed: Vec<(usize, Micros)> = {
                let mut state = self.state();
                let needed = std::mem::take(&mut state.needed);
                needed
                    .into_iter()
                    .map(|connection| (connection, state.dice.spread(SECOND, 10 * MINUTE)))
                    .collect()
            };
            for (connection, delay) in needed {
                let world = self.clone();
                self.spawn(WORLD, async move {
                    world.sleep(delay).await;
                    world.consent(connection).await;
                });
            }
        }
    }

    async fn watch(&self) {
        loop {
            self.sleep(20 * SECOND).await;
            self.state().check_leases();
        }
    }

    /// The owner of an account consents, and the grant is stored, if it can be.
    pub async fn consent(&self, connection: usize) {
        let (id, set, given) = {
            let mut state = self.state();
            let token = state.provider.consent(connection);
            state.note(connection, Event::Consented { token });
            let id = state.connections[connection];
            let (set, given) = state.granted(id, token);
            (id, set, given)
        };
        let patience = self.state().schedule.now + MINUTE;
        while self.state().schedule.now < patience {
            let settled = async {
                let mut tx = self.begin(None).await?;
                let done = tx.run("store a consent", |view| {
                    let Some(row) = view.tables.connections.get(&id) else { return Ok(false) };
                    let is_stored = row.consented_at == Some(given.obtained_at);
                    if is_stored || row.state == StateName::Disconnected {
                        return Ok(false);
                    }
                    let set = TokenSet { generation: row.generation + 1, ..set.clone() };
                    view.activate(id, &given, set)
                });
                done.await?;
                tx.commit().await
            };
            if settled.await.is_ok() {
                return;
            }
            self.sleep(SECOND / 4).await;
        }
    }

    async fn disconnect(&self, connection: usize) {
        let id = self.state().connections[connection];
        let ended = async {
            let mut tx = self.begin(None).await?;
            tx.run("disconnect", |view| view.disconnect(id)).await?;
            tx.commit().await
        };
        let _: Result<(), store::transaction::Gone> = ended.await;
    }

    /// An admin enters the secret that the provider has.
    async fn enter_secret(&self, client: usize) {
        loop {
            let (id, ours, theirs) = {
                let state = self.state();
                let known = &state.provider.clients[client];
                (known.id, state.db.tables.clients[&known.id].secret_generation, known.secret)
            };
            let ready = self.state().db.tables.clients[&id].state == client::StateName::Ready;
            if ours == theirs && ready {
                return;
            }
            let entered = async {
                let mut tx = self.begin(None).await?;
                let mut shares = self.state().dice.clone();
                let from = self.state().shared_time();
                tx.run("enter a secret", |view| {
                    view.replace_secret(id, |_| from + Duration::minutes(2) * shares.fraction())
                })
                .await?;
                tx.commit().await
            };
            if entered.await.is_ok() {
                let mut state = self.state();
                state.dice.throw();
                state.note_for_all(Event::SecretEntered);
                let known = state.db.tables.clients[&id].secret_generation;
                // The provider's secret has the generation under which we know it.
                state.provider.clients[client].secret = known;
                return;
            }
            self.sleep(SECOND).await;
        }
    }
}

/// What follows when a fault has struck.
enum Follows {
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
}

impl State {
    fn strike(&mut self, fault: Fault) -> Follows {
        self.faults.note(fault);
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
