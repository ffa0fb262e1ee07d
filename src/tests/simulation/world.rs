//! One simulated world: its clock, its chance, and all that is in it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use time::{Duration, OffsetDateTime, macros::datetime};
use tokio::sync::Notify;
use uuid::Uuid;

use super::{
    clock::Jumps,
    dice::Dice,
    executor::{Group, MINUTE, Micros, SECOND, Schedule},
    faults::{Counts, Fault, Rates},
    history::{Entry, Event},
    incidents::Weighing,
    journal::Journals,
    oracle::{Oracle, Violation},
    provider::{Excuse, Provider},
    replica::Replica,
    store::transaction::Db,
};

const START: OffsetDateTime = datetime!(2026-03-01 12:00 UTC);

/// What is broken on purpose, to see that the oracle notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    Nothing,
    /// Saves look at no lease and no generation.
    NoFence,
    /// Claims look at no lease.
    NoLease,
    /// No journal is kept.
    NoJournal,
    /// A start forgets what earlier processes left in their journals.
    ForgetfulReplay,
    /// Nobody waits for those who have answers when the store comes back.
    NoPatience,
    /// A lease ends while its call is under way.
    ShortLease,
    /// Only refusals look at no lease and no generation.
    LateRefusals,
    /// What is refused amid an incident is condemned all the same.
    CondemnsAmid,
    /// Each refusal amid an incident is told as another incident.
    TellsEach,
    /// No incident ever begins.
    NeverAlarmed,
    /// What fell before an incident began stays dead.
    HoldsNobody,
    /// No canary is sent.
    NoCanary,
    /// Leases are trusted although the clock jumped.
    TrustsClocks,
}

/// A world, as all that happens in it shares it.
#[derive(Clone)]
pub struct World(Arc<Mutex<State>>);

pub struct State {
    pub schedule: Schedule,
    pub dice: Dice,
    pub rates: Rates,
    /// Whether anything still goes wrong.
    pub is_chaotic: bool,
    pub broken: Broken,
    pub faults: Counts,
    pub places: Vec<&'static str>,
    pub db: Db,
    pub deadlocks: u64,
    pub provider: Provider,
    pub connections: Vec<Uuid>,
    pub replicas: Vec<Replica>,
    pub journals: Journals,
    pub history: Vec<Entry>,
    pub oracle: Oracle,
    /// Says that a process has ended.
    pub fallen: Arc<Notify>,
    pub jumps: Jumps,
    /// Clients whose incidents an admin is to look at.
    pub incidents: Vec<Uuid>,
    pub alert: Arc<Notify>,
    /// Connections that need a person, and who is told.
    pub needed: Vec<usize>,
    pub dead: Arc<Notify>,
    ids: u64,
}

impl World {
    pub fn new(seed: u64, broken: Broken) -> Self {
        let mut dice = Dice::new(seed);
        let rates = match broken {
            Broken::Nothing => Rates::of(&mut dice),
            _ => Rates::with(&mut dice, 0.6),
        };
        Self(Arc::new(Mutex::new(State {
            schedule: Schedule::new(),
            dice,
            rates,
            is_chaotic: true,
            broken,
            faults: Counts::default(),
            places: Vec::new(),
            db: Db::default(),
            deadlocks: 0,
            provider: Provider::default(),
            connections: Vec::new(),
            replicas: Vec::new(),
            journals: Journals::default(),
            history: Vec::new(),
            oracle: Oracle::default(),
            fallen: Arc::default(),
            jumps: Jumps::default(),
            incidents: Vec::new(),
            alert: Arc::default(),
            needed: Vec::new(),
            dead: Arc::default(),
            ids: 0,
        })))
    }

    /// All of it, for a moment: never across an await.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl World {
    /// Chance of its own for a transaction, whose statements may be repeated.
    pub fn dice(&self) -> Dice {
        let mut state = self.state();
        Dice::new(state.dice.throw())
    }

    pub fn weighing(&self) -> Weighing {
        let dice = self.dice();
        let state = self.state();
        let clients = state.provider.clients.iter();
        let policies = clients.map(|client| (client.id, client.profile.policy.incident)).collect();
        Weighing { policies, dice, broken: state.broken }
    }
}

impl State {
    pub fn is_over(&self) -> bool {
        self.oracle.violation.is_some()
    }

    /// The time of day by the clock that all share: the database's.
    pub fn shared_time(&self) -> OffsetDateTime {
        self.time_by(self.jumps.off)
    }

    /// The time of day by a clock that is off the time that has passed.
    pub fn time_by(&self, off: Micros) -> OffsetDateTime {
        START + Duration::microseconds(self.schedule.now + off)
    }

    /// When the shared clock will show it.
    pub fn micros_of(&self, at: OffsetDateTime) -> Micros {
        (at - START).whole_microseconds() as Micros - self.jumps.off
    }

    /// A UUIDv7 of a moment.
    pub fn new_id(&mut self, at: OffsetDateTime) -> Uuid {
        self.ids += 1;
        let millis = (at.unix_timestamp_nanos() / 1_000_000) as u64;
        let mut rest = [0; 10];
        rest[2..].copy_from_slice(&self.ids.to_be_bytes());
        uuid::Builder::from_unix_timestamp_millis(millis, &rest).into_uuid()
    }

    /// Whether a fault strikes now.
    pub fn strikes(&mut self, fault: Fault) -> bool {
        let strikes = self.is_chaotic && self.dice.chance(self.rates.rate(fault));
        if strikes {
            self.faults.note(fault);
        }
        strikes
    }

    pub fn note(&mut self, connection: usize, event: Event) {
        let at = self.schedule.now;
        self.history.push(Entry { at, connection: Some(connection), event });
    }

    pub fn note_for_all(&mut self, event: Event) {
        let at = self.schedule.now;
        self.history.push(Entry { at, connection: None, event });
    }

    pub fn index_of(&self, id: Uuid) -> usize {
        self.connections.iter().position(|known| *known == id).unwrap_or_default()
    }

    pub fn replica_of(&self, group: Group) -> Option<usize> {
        self.replicas.iter().position(|replica| replica.group == Some(group))
    }

    /// What may happen to a process at any step of it.
    pub fn strike_process(&mut self, group: Group) {
        let Some(replica) = self.replica_of(group) else { return };
        let place = self.schedule.place();
        // A process is idle most of the time; not much can be lost then.
        if place.starts_with("wait for something") && self.dice.chance(0.95) {
            return;
        }
        if self.strikes(Fault::Crash) {
            self.crash(replica, place);
        } else if self.strikes(Fault::Pause) {
            let until = self.schedule.now + self.dice.spread(SECOND / 10, 3 * MINUTE);
            self.schedule.pause(group, until);
            self.replicas[replica].paused_until = until;
            self.excuse_all(group, Excuse::Paused);
            self.note_for_all(Event::Paused { replica, until });
        }
    }

    pub fn violate(&mut self, connection: usize, rule: &'static str, why: impl Into<String>) {
        let at = self.schedule.now;
        self.oracle.violation.get_or_insert(Violation { at, connection, rule, why: why.into() });
    }
}
