//! All that happens around the processes: what breaks and is mended, what owners, admins and callers do.

mod admin;
mod faults;
mod founding;

use self::{admin::Decision, faults::Follows};
use super::{
    executor::{HOUR, MINUTE, Micros, SECOND, WORLD},
    faults::Fault,
    history::Event,
    replica::Replica,
    store::{self, transaction::Statements},
    world::{State, World},
};
use crate::{domain::connection::StateName, server::store::token_set::TokenSet};

/// For how long things go wrong.
pub const CHAOS: Micros = 20 * MINUTE;
/// For how long everything works after that.
pub const REST: Micros = 17 * MINUTE;
/// No incident is waited for longer than this, when it goes on after that.
const LONGEST_REST: Micros = 12 * HOUR;
/// By how much a replica's clock is wrong at most.
pub const CLOCK_OFF: Micros = 2 * SECOND;

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
    Fault::ClockForward,
    Fault::ClockBack,
];
/// What is worst amid a transaction.
const AMID_TRANSACTIONS: &[Fault] =
    &[Fault::StoreFrozen, Fault::StoreRestart, Fault::PartitionSilent];

impl State {
    /// Whether the world ends before a moment: what an incident has held up is to be seen refreshed.
    pub fn ends_before(&self, at: Micros) -> bool {
        let rest = at - CHAOS - REST;
        rest > 0 && (!self.is_held_up() || rest > LONGEST_REST)
    }
}

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
                    state.dice.between(-CLOCK_OFF, CLOCK_OFF)
                } else {
                    0
                };
                state.replicas.push(Replica {
                    group: None,
                    process: None,
                    clock_off,
                    begun_at: 0,
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
            Fault::MassRefusal,
            Fault::ClockForward,
            Fault::ClockBack,
            Fault::SwitchedOff,
            Fault::PauseEnded,
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
        self.spawn(WORLD, async move { world.look_at_incidents().await });
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
            Follows::Rest { client, time } => self.rest(client, time).await,
            Follows::Decision { client } => self.decide(client, Decision::EndPause).await,
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
                client.refuses_until = now;
            }
            state.note_for_all(Event::Healed);
            state.replicas.len()
        };
        for replica in 0..replicas {
            self.start(replica);
        }
        for client in 0..2 {
            let world = self.clone();
            self.spawn(WORLD, async move { world.tidy_up(client).await });
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
}
