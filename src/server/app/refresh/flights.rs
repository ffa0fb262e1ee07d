//! Refreshes that this process has under way, and whoever waits here for something to become of a
//! connection.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use tokio::sync::{Notify, Semaphore, watch};
use uuid::Uuid;

/// What this process has under way, and who waits. Cheap to clone.
#[derive(Clone, Default)]
pub struct Flights(Arc<Inner>);

#[derive(Default)]
struct Inner {
    flights: Mutex<HashMap<Uuid, Flight>>,
    waiting: Mutex<HashMap<Uuid, Arc<Notify>>>,
    /// Connections in hand, from the claim until the outcome is stored, each with its lease. Claims made
    /// together share one.
    held: Mutex<HashSet<(Uuid, Uuid)>>,
    /// Attempts whose answers are here and not yet in the store.
    answered: Mutex<HashSet<Uuid>>,
    /// Who asks for a refresh on demand, by client.
    asking: Mutex<HashMap<Uuid, Arc<Semaphore>>>,
    /// How long a provider takes to answer, in microseconds; the latest calls count most.
    call: AtomicU64,
    /// Clients of which the worker found more due than there was room for.
    hungry: Mutex<Vec<Uuid>>,
    /// It has as much in hand as it may.
    full: AtomicBool,
}

/// Of how many calls the average is.
const CALLS: u64 = 64;
/// In microseconds.
const LONG: u64 = 20_000;

/// How many of one client look for room at once, in this process: each look takes a connection to the
/// database, of which others need some too.
const ASKING: usize = 4;

#[derive(Clone)]
pub struct Flight {
    /// Its caller wanted a request of its own.
    pub forced: bool,
    landed: watch::Receiver<bool>,
}

/// Says that the flight has landed when it is dropped.
pub struct Pilot {
    flights: Flights,
    id: Uuid,
    /// Dropped with it, which wakes who waits.
    _landed: watch::Sender<bool>,
}

impl Drop for Pilot {
    fn drop(&mut self) {
        lock(&self.flights.0.flights).remove(&self.id);
    }
}

/// Joins the refresh of a connection that this process has under way, or becomes the one to make it.
pub fn board(flights: &Flights, id: Uuid, forced: bool) -> Result<Pilot, Flight> {
    let mut under_way = lock(&flights.0.flights);
    if let Some(flight) = under_way.get(&id) {
        return Err(flight.clone());
    }
    let (landed, waits) = watch::channel(false);
    under_way.insert(id, Flight { forced, landed: waits });
    Ok(Pilot { flights: flights.clone(), id, _landed: landed })
}

impl Flight {
    /// Waits until it has landed.
    pub async fn landed(mut self) {
        while self.landed.changed().await.is_ok() {}
    }
}

impl Flights {
    /// Wakes whoever waits for this connection.
    pub fn wake(&self, id: Uuid) {
        if let Some(wakes) = lock(&self.0.waiting).get(&id) {
            wakes.notify_waiters();
        }
    }

    /// What wakes whoever waits for this connection.
    pub fn wakes(&self, id: Uuid) -> Arc<Notify> {
        lock(&self.0.waiting).entry(id).or_default().clone()
    }

    /// Says that one has waited long enough.
    pub fn leave(&self, id: Uuid, wakes: Arc<Notify>) {
        let mut waiting = lock(&self.0.waiting);
        // The map's and ours: nobody else waits.
        if Arc::strong_count(&wakes) <= 2 {
            waiting.remove(&id);
        }
    }

    /// Says of which clients the worker is to look again for what is due as soon as an answer has come.
    pub fn set_hungry(&self, clients: Vec<Uuid>) {
        *lock(&self.0.hungry) = clients;
    }

    /// Which clients those are.
    pub fn hungry(&self) -> Vec<Uuid> {
        lock(&self.0.hungry).clone()
    }

    /// Whether the worker is to look again as soon as something has ended.
    pub fn set_full(&self, full: bool) {
        self.0.full.store(full, Ordering::Relaxed);
    }

    pub fn is_full(&self) -> bool {
        self.0.full.load(Ordering::Relaxed)
    }

    /// Notes how long a provider took to answer.
    pub fn took(&self, call: time::Duration) {
        let took = u64::try_from(call.whole_microseconds()).unwrap_or_default();
        // Of two at once one may be forgotten: it is an average.
        let known = self.0.call.load(Ordering::Relaxed);
        self.0.call.store(known - known / CALLS + took / CALLS, Ordering::Relaxed);
    }

    /// Whether providers take much longer to answer than it takes to claim.
    pub fn are_long(&self) -> bool {
        self.0.call.load(Ordering::Relaxed) >= LONG
    }

    /// Notes that an attempt asks its provider nothing more: its place at the client is free.
    pub fn answer(&self, attempt_id: Uuid) {
        lock(&self.0.answered).insert(attempt_id);
    }

    /// Attempts whose answers are here and not yet in the store.
    pub fn answered(&self) -> Vec<Uuid> {
        lock(&self.0.answered).iter().copied().collect()
    }

    /// Whether there are any.
    pub fn is_hungry(&self) -> bool {
        !lock(&self.0.hungry).is_empty()
    }

    /// Who may look for room at a client.
    pub fn asking(&self, client_id: Uuid) -> Arc<Semaphore> {
        let mut asking = lock(&self.0.asking);
        asking.entry(client_id).or_insert_with(|| Arc::new(Semaphore::new(ASKING))).clone()
    }

    /// Connections in hand and their leases.
    pub fn held(&self) -> Vec<(Uuid, Uuid)> {
        lock(&self.0.held).iter().copied().collect()
    }

    /// How many connections are in hand.
    pub fn count(&self) -> usize {
        lock(&self.0.held).len()
    }

    /// Whether this connection is in hand.
    pub fn holds(&self, id: Uuid) -> bool {
        lock(&self.0.held).iter().any(|(held, _)| *held == id)
    }
}

/// While it lives the connection is in hand: its lease is prolonged, and this process claims it no second
/// time, whatever became of the lease. Its answer may be here and not yet in the store.
pub struct Hand {
    flights: Flights,
    held: (Uuid, Uuid),
}

impl Hand {
    pub fn take(flights: &Flights, id: Uuid, lease_id: Uuid) -> Self {
        lock(&flights.0.held).insert((id, lease_id));
        Self { flights: flights.clone(), held: (id, lease_id) }
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        lock(&self.flights.0.held).remove(&self.held);
    }
}

/// An attempt's place at its client, until the attempt has ended.
pub struct Place {
    flights: Flights,
    attempt_id: Uuid,
}

impl Place {
    pub fn take(flights: &Flights, attempt_id: Uuid) -> Self {
        Self { flights: flights.clone(), attempt_id }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.flights.0.answered).remove(&self.attempt_id);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
