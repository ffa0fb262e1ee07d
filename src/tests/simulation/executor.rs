//! Runs futures one at a time in an order that the seed decides, on a clock that jumps to the next
//! timer. No threads, no runtime, no real time: the same seed gives the same history.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Wake, Waker},
};

use futures::future::{Either, select};

use super::world::{State, World};

/// Simulated time, in microseconds since the world began.
pub type Micros = i64;
pub const MILLI: Micros = 1_000;
pub const SECOND: Micros = 1_000_000;
pub const MINUTE: Micros = 60 * SECOND;
pub const HOUR: Micros = 60 * MINUTE;

pub type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Tasks that end together: those of one process, or those of the world around the processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group(pub usize);
pub const WORLD: Group = Group(0);

/// What tasks and the loop that runs them share.
pub struct Schedule {
    pub now: Micros,
    pub current: usize,
    timers: BinaryHeap<Reverse<(Micros, usize)>>,
    spawned: Vec<(Group, Work)>,
    ending: Vec<Group>,
    groups: Vec<GroupState>,
    /// Where each task is, in words.
    places: Vec<&'static str>,
    woken: Arc<Mutex<Vec<usize>>>,
    pub polls: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum GroupState {
    Running,
    /// Stopped as by SIGSTOP.
    Paused {
        until: Micros,
    },
    Ended,
}

impl Schedule {
    pub fn new() -> Self {
        Self {
            now: 0,
            current: 0,
            timers: BinaryHeap::new(),
            spawned: Vec::new(),
            ending: Vec::new(),
            groups: vec![GroupState::Running],
            places: Vec::new(),
            woken: Arc::default(),
            polls: 0,
        }
    }

    pub fn new_group(&mut self) -> Group {
        self.groups.push(GroupState::Running);
        Group(self.groups.len() - 1)
    }

    /// Drops all tasks of a group, wherever they are.
    pub fn end(&mut self, group: Group) {
        self.groups[group.0] = GroupState::Ended;
        self.ending.push(group);
    }

    pub fn pause(&mut self, group: Group, until: Micros) {
        self.groups[group.0] = GroupState::Paused { until };
    }

    pub fn is_paused(&self, group: Group) -> bool {
        matches!(self.groups[group.0], GroupState::Paused { until } if until > self.now)
    }

    pub fn has_ended(&self, group: Group) -> bool {
        self.groups[group.0] == GroupState::Ended
    }

    /// Says where the current task is.
    pub fn at(&mut self, place: &'static str) {
        if let Some(at) = self.places.get_mut(self.current) {
            *at = place;
        }
    }

    pub fn place(&self) -> &'static str {
        self.places.get(self.current).copied().unwrap_or("nowhere")
    }

    pub fn spawn(&mut self, group: Group, work: Work) {
        if !self.has_ended(group) {
            self.spawned.push((group, work));
        }
    }

    fn wake_at(&mut self, at: Micros) {
        self.timers.push(Reverse((at, self.current)));
    }
}

struct Task {
    group: Group,
    work: Work,
    waker: Waker,
}

struct Alarm {
    id: usize,
    woken: Arc<Mutex<Vec<usize>>>,
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.lock().unwrap_or_else(PoisonError::into_inner).push(self.id);
    }
}

/// Runs the world to its end, or until something went wrong in it.
pub fn run(world: &World) {
    let mut tasks = Tasks::default();
    while let Some(id) = tasks.next(world) {
        let Some(task) = tasks.all[id].as_mut() else { continue };
        if task.work.as_mut().poll(&mut Context::from_waker(&task.waker)).is_ready() {
            tasks.all[id] = None;
        }
    }
    // Whatever is left goes without the lock: ends of futures want it.
    drop(tasks);
    drop(std::mem::take(&mut world.state().schedule.spawned));
}

#[derive(Default)]
struct Tasks {
    all: Vec<Option<Task>>,
    ready: Vec<usize>,
    queued: Vec<bool>,
}

impl Tasks {
    /// The task that goes on next.
    fn next(&mut self, world: &World) -> Option<usize> {
        loop {
            let mut state = world.state();
            if state.is_over() {
                return None;
            }
            if !state.schedule.ending.is_empty() {
                self.end(world, state);
                continue;
            }
            self.take_in(&mut state);
            if self.ready.is_empty() {
                self.wait(&mut state)?;
                continue;
            }
            let chosen = match self.ready.len() {
                1 => 0,
                count => state.dice.below(count),
            };
            let id = self.ready.swap_remove(chosen);
            self.queued[id] = false;
            let Some(group) = self.all[id].as_ref().map(|task| task.group) else { continue };
            state.schedule.current = id;
            if let GroupState::Paused { until } = state.schedule.groups[group.0] {
                if until > state.schedule.now {
                    state.schedule.wake_at(until);
                    continue;
                }
                state.schedule.groups[group.0] = GroupState::Running;
            }
            if group != WORLD {
                state.strike_process(group);
                if state.schedule.groups[group.0] != GroupState::Running {
                    self.enqueue(id);
                    continue;
                }
            }
            state.schedule.polls += 1;
            return Some(id);
        }
    }

    /// Lets the clock jump to the next timer. `None`: there is none that matters.
    fn wait(&mut self, state: &mut State) -> Option<()> {
        let Reverse((at, _)) = *state.schedule.timers.peek()?;
        if state.ends_before(at) {
            return None;
        }
        let schedule = &mut state.schedule;
        schedule.now = schedule.now.max(at);
        while let Some(Reverse((due, id))) = schedule.timers.peek().copied() {
            if due > at {
                break;
            }
            schedule.timers.pop();
            self.enqueue(id);
        }
        Some(())
    }

    fn enqueue(&mut self, id: usize) {
        if !std::mem::replace(&mut self.queued[id], true) {
            self.ready.push(id);
        }
    }

    /// Takes in what was spawned and woken since the last look.
    fn take_in(&mut self, state: &mut State) {
        let schedule = &mut state.schedule;
        if !schedule.spawned.is_empty() {
            for (group, work) in std::mem::take(&mut schedule.spawned) {
                let id = self.all.len();
                let waker = Waker::from(Arc::new(Alarm { id, woken: schedule.woken.clone() }));
                self.all.push(Some(Task { group, work, waker }));
                schedule.places.push("begin");
                self.queued.push(false);
                self.enqueue(id);
            }
        }
        let mut woken = schedule.woken.lock().unwrap_or_else(PoisonError::into_inner);
        for id in woken.drain(..) {
            self.enqueue(id);
        }
    }

    /// Drops the tasks of groups that end.
    fn end(&mut self, world: &World, mut state: MutexGuard<'_, State>) {
        let ending = std::mem::take(&mut state.schedule.ending);
        let spawned = std::mem::take(&mut state.schedule.spawned);
        let (gone, kept): (Vec<_>, Vec<_>) =
            spawned.into_iter().partition(|(group, _)| ending.contains(group));
        state.schedule.spawned = kept;
        drop(state);
        drop(gone);
        let mut places = Vec::new();
        for (id, task) in self.all.iter_mut().enumerate() {
            if task.as_ref().is_some_and(|task| ending.contains(&task.group)) {
                *task = None;
                places.push(id);
            }
        }
        let mut state = world.state();
        for id in places {
            let place = state.schedule.places[id];
            state.places.push(place);
        }
    }
}

/// Waits until the clock has come to `at`.
struct Until<'a> {
    world: &'a World,
    at: Micros,
    set: bool,
}

impl Future for Until<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        let mut state = self.world.state();
        if state.schedule.now >= self.at {
            return Poll::Ready(());
        }
        if !self.set {
            state.schedule.wake_at(self.at);
            drop(state);
            self.set = true;
        }
        Poll::Pending
    }
}

impl World {
    pub async fn until(&self, at: Micros) {
        Until { world: self, at, set: false }.await;
    }

    pub async fn sleep(&self, time: Micros) {
        let at = self.state().schedule.now + time;
        self.until(at).await;
    }

    /// What `work` gives, unless it takes longer than `time`: then it is dropped where it is.
    pub async fn timeout<T>(&self, time: Micros, work: impl Future<Output = T>) -> Option<T> {
        match select(pin!(work), pin!(self.sleep(time))).await {
            Either::Left((done, _)) => Some(done),
            Either::Right(_) => None,
        }
    }

    pub fn spawn(&self, group: Group, work: impl Future<Output = ()> + Send + 'static) {
        self.state().schedule.spawn(group, Box::pin(work));
    }

    /// Says where the current task is: what a crash there is counted as.
    pub fn at(&self, place: &'static str) {
        self.state().schedule.at(place);
    }
}
