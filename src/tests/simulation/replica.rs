//! A replica and its process: the real engine on simulated ports, and the loops around it.

mod demand;
mod ports;

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering},
    },
};

use futures::future::{Either, join_all, select};
use time::Duration;
use tokio::sync::{Notify, Semaphore};
use uuid::Uuid;

use super::{
    executor::{Group, MILLI, Micros, SECOND},
    faults::Fault,
    history::Event,
    store::transaction::{Gone, Statements},
    world::{Broken, State, World},
};
use crate::{
    domain::client::StateName,
    server::app::refresh::{
        contact::Contact,
        decide::Outcome,
        engine::{self, LEASE, Ports, Task},
        flights::{Flights, Hand, Place, board},
        replay,
        save::WRITING,
        saver::Saver,
    },
};

/// How often the worker looks for what is due.
const TICK: Micros = SECOND;
/// How long a look may take.
const LONGEST: Micros = 15 * SECOND;
/// How long it takes at most until a process that is well has looked for what is due, and for canaries.
pub const LOOK: Micros = 2 * LONGEST + TICK;
/// When nothing is due for long, looks that would find nothing are left out, all but one in so long.
const LONGEST_LOOK: Micros = 60 * SECOND;
/// How soon the worker looks again after someone else was claiming for a client.
const BUSY_LOOK: Micros = 25 * MILLI;
/// What ends within this time is looked after at once.
const GATHER: Micros = 3 * MILLI;
const BATCH: usize = 64;
const PROLONG: Micros = 12 * SECOND;
const PROLONG_AGAIN: Micros = 2 * SECOND;
/// How long a stop waits for what is under way.
const DRAIN: Micros = 30 * SECOND;

/// A place where processes run, one after the other.
pub struct Replica {
    /// The process that runs now.
    pub group: Option<Group>,
    pub process: Option<Arc<Process>>,
    /// By how much its clock is off.
    pub clock_off: Micros,
    /// When its last process began.
    pub begun_at: Micros,
    /// Since when nothing has kept it from its work.
    pub well_since: Micros,
    /// When its worker looks next.
    pub looks_at: Micros,
    /// Until when it was last stopped for a while.
    pub paused_until: Micros,
}

/// A process's memory.
pub struct Process {
    pub world: World,
    pub replica: usize,
    pub group: Group,
    clock_off: Micros,
    /// By how much the shared clock was off when it was last looked at.
    pub agreed: AtomicI64,
    pub saver: Saver,
    pub flights: Flights,
    pub contact: Contact,
    stopping: AtomicBool,
    pub woken: Notify,
    /// Something may be due sooner than was thought.
    pub changed: Notify,
    called: Notify,
    under_way: AtomicUsize,
    /// Whose turn it is to write outcomes.
    pub writing: Arc<Semaphore>,
}

/// What a request is made with: the generation of the client's secret.
pub type Secret = i64;

/// A refresh that is ours to make.
pub type Claimed = Task<Result<Secret, String>>;

impl State {
    pub fn crash(&mut self, replica: usize, place: &'static str) {
        if let Some(group) = self.replicas[replica].group.take() {
            self.replicas[replica].process = None;
            self.note_for_all(Event::Crashed { replica, place });
            let disk_lost = self.break_journal(replica, group);
            self.lose(replica, group, disk_lost);
            self.schedule.end(group);
            self.fallen.notify_one();
        }
    }
}

impl World {
    /// Begins a process on a replica.
    pub fn start(&self, replica: usize) {
        let mut state = self.state();
        if state.replicas[replica].group.is_some() {
            return;
        }
        let group = state.schedule.new_group();
        let now = state.schedule.now;
        let process = Arc::new(Process {
            world: self.clone(),
            replica,
            group,
            clock_off: state.replicas[replica].clock_off,
            agreed: AtomicI64::new(state.jumps.off),
            saver: Saver::default(),
            flights: Flights::default(),
            contact: Contact::default(),
            stopping: AtomicBool::new(false),
            woken: Notify::new(),
            changed: Notify::new(),
            called: Notify::new(),
            under_way: AtomicUsize::new(0),
            writing: Arc::new(Semaphore::new(WRITING)),
        });
        state.journals.open(replica, group);
        state.replicas[replica].group = Some(group);
        state.replicas[replica].process = Some(process.clone());
        state.replicas[replica].well_since = now;
        state.replicas[replica].begun_at = now;
        state.note_for_all(Event::Started { replica });
        drop(state);
        self.spawn(group, async move { process.live().await });
    }

    /// Tells a process to stop, and ends it when what it has under way has ended, or after a while.
    pub async fn stop(&self, replica: usize) {
        let Some(process) = self.state().replicas[replica].process.clone() else { return };
        self.state().note_for_all(Event::Stopping { replica });
        process.stopping.store(true, Ordering::Relaxed);
        process.woken.notify_one();
        let patience = self.state().schedule.now + DRAIN;
        while process.under_way.load(Ordering::Relaxed) > 0 && self.state().schedule.now < patience
        {
            self.sleep(SECOND / 10).await;
        }
        let mut state = self.state();
        if state.replicas[replica].group == Some(process.group) {
            state.crash(replica, "stopped");
        }
    }
}

impl Process {
    async fn live(self: Arc<Self>) {
        while self.world.look(Some(self.replica), |_| ()).await.is_err() {
            self.world.at("wait for the store");
            self.world.sleep(SECOND).await;
        }
        self.check_clock();
        self.leftovers().await;
        let looking = self.clone();
        self.spawn(async move { looking.prolong().await });
        self.work().await;
    }

    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.world.spawn(self.group, work);
    }

    /// `replay::leftovers`.
    async fn leftovers(self: &Arc<Self>) {
        let found = {
            let state = self.world.state();
            state.journals.leftovers(self.replica, |group| state.schedule.has_ended(group))
        };
        let forgets = self.world.state().broken == Broken::ForgetfulReplay;
        for (owner, outcomes) in found {
            if forgets {
                self.world.state().journals.remove(owner);
                continue;
            }
            self.world.at("replay the journal");
            outcomes.iter().for_each(|outcome| self.replaying(outcome));
            let bring = |outcome| replay::bring(self.as_ref(), outcome);
            let stored = join_all(outcomes.iter().map(bring)).await;
            let offered = outcomes.into_iter().zip(stored);
            let busy: Vec<Outcome> =
                offered.filter_map(|(outcome, stored)| (!stored).then_some(outcome)).collect();
            if busy.is_empty() {
                self.world.state().journals.remove(owner);
                continue;
            }
            let process = self.clone();
            self.spawn(async move {
                process.world.at("replay the journal");
                if replay::bring_all(process.as_ref(), busy).await {
                    process.world.state().journals.remove(owner);
                }
            });
        }
    }

    fn replaying(&self, outcome: &Outcome) {
        let mut state = self.world.state();
        let connection = state.index_of(outcome.fence.id);
        state.note(
            connection,
            Event::Replaying { replica: self.replica, token: ports::token_of(outcome) },
        );
    }

    /// `worker::refresh_loop`.
    async fn work(self: &Arc<Self>) {
        while !self.is_stopping() {
            // What went wrong is only logged.
            let due = self.world.timeout(LONGEST, self.due(BATCH)).await;
            if due.is_none() {
                self.contact.kept_waiting(self.elapsed());
            }
            if let Some(Ok(due)) = due {
                self.flights.set_hungry(due.hungry);
                if due.was_busy {
                    let process = self.clone();
                    self.spawn(async move {
                        process.world.sleep(BUSY_LOOK).await;
                        process.woken.notify_one();
                    });
                }
                self.begin(due.leased);
            }
            if let Some(Ok(canaries)) = self.world.timeout(LONGEST, self.canaries()).await {
                self.begin(canaries);
            }
            self.idle().await;
        }
    }

    fn begin(self: &Arc<Self>, claimed: Vec<Claimed>) {
        for claimed in claimed {
            let process = self.clone();
            self.under_way.fetch_add(1, Ordering::Relaxed);
            self.spawn(async move {
                let pilot = board(&process.flights, claimed.leased.id, false);
                process.make(claimed).await;
                drop(pilot);
            });
        }
    }

    /// Waits for the next look. Looks that would find nothing are left out.
    async fn idle(&self) {
        let begun = self.world.state().schedule.now;
        loop {
            let idle = {
                let mut state = self.world.state();
                let idle = state.idle_time(self.replica);
                state.replicas[self.replica].looks_at = state.schedule.now + idle;
                state.schedule.at("wait for something to be due");
                idle
            };
            let woken = pin!(self.woken.notified());
            let changed = pin!(self.changed.notified());
            match self.world.timeout(idle, select(woken, changed)).await {
                Some(Either::Right(_)) => {}
                Some(Either::Left(_)) => {
                    self.world.sleep(GATHER).await;
                    break;
                }
                None => break,
            }
        }
        let state = self.world.state();
        let was_there = state.replicas[self.replica].paused_until < begun;
        let now = state.schedule.now;
        drop(state);
        // The looks that were left out would have heard the store.
        let mut look = begun + TICK;
        while was_there && look < now {
            self.contact.heard(Duration::microseconds(look));
            look += 2 * TICK;
        }
    }

    /// `refresh::make`.
    async fn make(&self, claimed: Claimed) {
        let _hand = Hand::take(&self.flights, claimed.leased.id, claimed.leased.lease_id);
        let _place = Place::take(&self.flights, claimed.attempt_id);
        self.called.notify_one();
        let made = engine::make(self, claimed).await;
        assert!(made.is_ok(), "nothing keeps a grant from being sealed here");
        self.under_way.fetch_sub(1, Ordering::Relaxed);
    }

    /// `refresh::prolong`, again and again.
    async fn prolong(&self) {
        let held_for = self.lease_time();
        let mut failed = false;
        loop {
            self.world.at("wait to prolong leases");
            if self.flights.count() == 0 {
                self.called.notified().await;
            }
            let phase = self.world.state().schedule.now % PROLONG;
            self.world.sleep(if failed { PROLONG_AGAIN } else { PROLONG - phase }).await;
            let held = self.flights.held();
            if held.is_empty() || self.world.state().broken == Broken::ShortLease {
                failed = false;
                continue;
            }
            let prolonged = async {
                let mut tx = self.world.begin(Some(self.replica)).await?;
                tx.run("prolong leases", |view| view.extend(&held, held_for)).await?;
                tx.commit().await
            };
            let prolonged: Result<(), Gone> = prolonged.await;
            failed = prolonged.is_err();
        }
    }

    pub fn lease_time(&self) -> f64 {
        match self.world.state().broken {
            Broken::ShortLease => 3.0,
            _ => LEASE.as_seconds_f64(),
        }
    }

    /// The store has just answered: whether what others left can be taken over.
    pub fn hears(&self) -> bool {
        self.contact.heard(self.elapsed()) || self.world.state().broken == Broken::NoPatience
    }
}

impl State {
    /// How long nothing can be due for a replica, as far as the rows tell.
    fn idle_time(&mut self, replica: usize) -> Micros {
        if self.is_cut_off(replica) {
            return TICK;
        }
        let tables = &self.db.tables;
        let next = tables
            .connections
            .values()
            .filter_map(|n| {
                let client = &tables.clients[&n.client_id];
                let free = n.due_at?.max(n.leased_until.unwrap_or(n.due_at?));
                let is_ready = client.state == StateName::Ready;
                is_ready.then(|| free.max(client.paused_until.unwrap_or(free)))
            })
            .chain(tables.incidents.values().map(|incident| {
                let client = &tables.clients[&incident.client_id];
                incident.canary_at.max(client.paused_until.unwrap_or(incident.canary_at))
            }))
            .min()
            .map_or(LONGEST_LOOK, |next| self.micros_of(next) - self.schedule.now);
        let looks = (next + TICK - 1).div_euclid(TICK).clamp(1, LONGEST_LOOK / TICK);
        // Each process looks at moments of its own.
        looks * TICK - self.dice.between(0, TICK / 50)
    }

    /// Tells workers that a connection may be due before they look next.
    pub fn tell_workers(&self, due_at: Micros) {
        for replica in &self.replicas {
            if let Some(process) = &replica.process
                && due_at < replica.looks_at
            {
                process.changed.notify_one();
            }
        }
    }

    /// Whether a replica can't come to the store.
    pub fn is_cut_off(&self, replica: usize) -> bool {
        let (db, now) = (&self.db, self.schedule.now);
        db.away_until > now || db.frozen_until > now || db.cuts[replica].until > now
    }

    /// Says to the other replicas that something became of connections. A hint.
    pub fn announce(&mut self, ids: &[Uuid]) {
        for replica in 0..self.replicas.len() {
            if self.strikes(Fault::NotificationLost) || self.is_cut_off(replica) {
                continue;
            }
            if let Some(process) = &self.replicas[replica].process {
                ids.iter().for_each(|id| process.flights.wake(*id));
            }
        }
    }
}
