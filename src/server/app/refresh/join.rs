//! Refreshes under way, and whoever waits for them: in this process without asking anyone, on other
//! replicas woken by a notification (a hint; rows decide) and never holding a database connection.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration as StdDuration,
};

use tokio::{
    sync::{Notify, Semaphore, watch},
    time::Instant,
};
use uuid::Uuid;

use crate::server::{
    app::{App, Error, Result},
    store::connection::lease,
};

/// How long a caller waits for a refresh that someone else has begun.
pub const DEADLINE: StdDuration = StdDuration::from_secs(40);
/// How often rows are looked at when no notification comes.
const LOOK: StdDuration = StdDuration::from_millis(250);

/// What this process has under way, and who waits.
#[derive(Default)]
pub struct Flights {
    flights: Mutex<HashMap<Uuid, Flight>>,
    waiting: Mutex<HashMap<Uuid, Arc<Notify>>>,
    /// Leases of calls under way, to be prolonged.
    calls: Mutex<HashMap<Uuid, Uuid>>,
    /// Who asks for a refresh on demand, by client.
    asking: Mutex<HashMap<Uuid, Arc<Semaphore>>>,
    /// The worker found more due than there was room for.
    hungry: AtomicBool,
}

/// How many of one client look for room at once, in this process.
const ASKING: usize = 32;

#[derive(Clone)]
pub struct Flight {
    /// Its caller wanted a request of its own.
    pub forced: bool,
    landed: watch::Receiver<bool>,
}

/// Says that the flight has landed when it is dropped.
pub struct Pilot {
    app: App,
    id: Uuid,
    /// Dropped with it, which wakes who waits.
    _landed: watch::Sender<bool>,
}

impl Drop for Pilot {
    fn drop(&mut self) {
        lock(&self.app.flights().flights).remove(&self.id);
    }
}

/// Joins the refresh of a connection that this process has under way, or becomes the one to make it.
pub fn board(app: &App, id: Uuid, forced: bool) -> std::result::Result<Pilot, Flight> {
    let mut flights = lock(&app.flights().flights);
    if let Some(flight) = flights.get(&id) {
        return Err(flight.clone());
    }
    let (landed, waits) = watch::channel(false);
    flights.insert(id, Flight { forced, landed: waits });
    Ok(Pilot { app: app.clone(), id, _landed: landed })
}

impl Flight {
    /// Waits until it has landed.
    pub async fn landed(mut self, deadline: Instant) -> Result<()> {
        let landed = async { while self.landed.changed().await.is_ok() {} };
        tokio::time::timeout_at(deadline, landed).await.map_err(|_| too_long())
    }
}

fn too_long() -> Error {
    Error::unavailable("A refresh is under way and takes long. Look again in a moment.")
}

/// Waits until nobody holds the connection, on whatever replica.
pub async fn until_free(app: &App, id: Uuid, deadline: Instant) -> Result<()> {
    let wakes = lock(&app.flights().waiting).entry(id).or_default().clone();
    let free = async {
        loop {
            let woken = wakes.notified();
            tokio::pin!(woken);
            // From here on no wake is missed.
            woken.as_mut().enable();
            let mut conn = app.pool().acquire().await?;
            let held = lease::is_held(&mut conn, id, app.database_now()).await?;
            drop(conn);
            if !held {
                return Ok::<_, Error>(());
            }
            let _ = tokio::time::timeout(LOOK, woken).await;
        }
    };
    let result = tokio::time::timeout_at(deadline, free).await.unwrap_or_else(|_| Err(too_long()));
    let mut waiting = lock(&app.flights().waiting);
    // The map's and ours: nobody else waits.
    if Arc::strong_count(&wakes) <= 2 {
        waiting.remove(&id);
    }
    result
}

impl Flights {
    /// Wakes whoever waits for this connection.
    pub fn wake(&self, id: Uuid) {
        if let Some(wakes) = lock(&self.waiting).get(&id) {
            wakes.notify_waiters();
        }
    }

    /// Whether the worker is to look again as soon as something has ended.
    pub fn set_hungry(&self, hungry: bool) {
        self.hungry.store(hungry, Ordering::Relaxed);
    }

    /// Says that a refresh has ended, and its place is free.
    pub fn landed(&self, app: &App) {
        if self.hungry.load(Ordering::Relaxed) {
            app.wake_worker();
        }
    }

    /// Who may look for room at a client.
    pub fn asking(&self, client_id: Uuid) -> Arc<Semaphore> {
        let mut asking = lock(&self.asking);
        asking.entry(client_id).or_insert_with(|| Arc::new(Semaphore::new(ASKING))).clone()
    }

    /// Connections and leases whose calls are under way.
    pub fn calls(&self) -> Vec<(Uuid, Uuid)> {
        lock(&self.calls).iter().map(|(id, lease_id)| (*id, *lease_id)).collect()
    }
}

/// While it lives the lease is prolonged.
pub struct Call<'a> {
    flights: &'a Flights,
    id: Uuid,
}

impl<'a> Call<'a> {
    pub fn begin(flights: &'a Flights, id: Uuid, lease_id: Uuid) -> Self {
        lock(&flights.calls).insert(id, lease_id);
        Self { flights, id }
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        lock(&self.flights.calls).remove(&self.id);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
