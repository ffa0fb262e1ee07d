//! The loops that keep connections alive and the house clean. Each loop only decides *when*; what
//! it runs is a use case that tests call directly.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures::FutureExt;
use tokio::{task::JoinSet, time::Instant};

use super::app::{App, Result, connection, import, job, keys, live, refresh, token_reader, upkeep};

/// How often the worker looks for what is due, when nobody wakes it.
const TICK: Duration = Duration::from_secs(1);
/// How long a look may take.
const LOOK: Duration = Duration::from_secs(15);
/// What ends within this time is looked after at once.
const GATHER: Duration = Duration::from_millis(3);
/// How many refreshes one process has under way at most.
const IN_FLIGHT: usize = 2048;
/// How many are claimed at once.
const BATCH: usize = 256;
const SWEEP: Duration = Duration::from_secs(10 * 60);
/// Well within a lease.
const PROLONG: Duration = Duration::from_secs(12);
/// How soon it is tried again when that failed. After a jump of the database's clock there is less time.
const PROLONG_AGAIN: Duration = Duration::from_secs(2);
/// How soon after a break notifications are listened to again.
const LISTEN_AGAIN: Duration = Duration::from_secs(1);
const CLOCK: Duration = Duration::from_secs(15);
const KEYS: Duration = Duration::from_secs(60);
const HISTORY: Duration = Duration::from_secs(10 * 60);
const UNPLANNED: Duration = Duration::from_secs(60 * 60);
const IMPORTS: Duration = Duration::from_secs(30);
const JOBS: Duration = Duration::from_secs(1);
/// As often, a few accounts of each client are asked for.
const ACCOUNTS: Duration = Duration::from_secs(1);
const READERS: Duration = Duration::from_secs(5);

/// Prolongs the leases of what is under way, also while the process comes to its end: for whoever ends it to
/// abort once nothing is.
pub async fn keep_leases(app: App) {
    loop {
        let wait = match refresh::prolong(&app).await {
            Ok(()) => PROLONG,
            Err(error) => {
                tracing::error!(error = format!("{error:#}"), "leases could not be prolonged");
                PROLONG_AGAIN
            }
        };
        tokio::time::sleep(wait).await;
    }
}

/// Begins the loops that every process needs: people refresh by hand in those that do no other work.
pub fn tend(app: &App) -> JoinSet<()> {
    let mut loops = JoinSet::new();
    loops.spawn(every(app.clone(), "notifications", LISTEN_AGAIN, |app| async move {
        let stopping = app.stopping().clone();
        tokio::select! {
            () = stopping.cancelled() => Ok(()),
            ended = refresh::listen(&app) => ended,
        }
    }));
    loops.spawn(every(app.clone(), "live", LISTEN_AGAIN, |app| async move {
        let stopping = app.stopping().clone();
        tokio::select! {
            () = stopping.cancelled() => Ok(()),
            ended = live::listen(&app) => ended,
        }
    }));
    loops.spawn(every(app.clone(), "clock", CLOCK, |app| async move {
        upkeep::check_clock(&app).await
    }));
    loops.spawn(every(app.clone(), "readers", READERS, |app| async move {
        token_reader::flush(&app).await
    }));
    loops
}

/// Begins all loops. They end by themselves when the app is told to stop. The history is kept for
/// `history`.
pub fn begin(app: &App, history: time::Duration) -> JoinSet<()> {
    let mut loops = tend(app);
    loops.spawn(refresh_loop(app.clone()));
    loops.spawn(every(app.clone(), "sweep", SWEEP, |app| async move { upkeep::sweep(&app).await }));
    loops.spawn(every(app.clone(), "history", HISTORY, move |app| async move {
        upkeep::history::keep(&app, history).await
    }));
    loops.spawn(every(app.clone(), "unplanned", UNPLANNED, |app| async move {
        upkeep::unplanned::plan(&app).await
    }));
    loops.spawn(every(app.clone(), "keys", KEYS, |app| async move { keep_keys(&app).await }));
    loops.spawn(every(app.clone(), "jobs", JOBS, |app| async move {
        job::run_due(&app).await.map(drop)
    }));
    loops.spawn(every(app.clone(), "accounts", ACCOUNTS, |app| async move {
        let stopping = app.stopping().clone();
        tokio::select! {
            () = stopping.cancelled() => Ok(()),
            ended = connection::account::ask_due(&app) => ended.map(drop),
        }
    }));
    loops.spawn(every(app.clone(), "imports", IMPORTS, |app| async move {
        import::end_silent(&app).await.map(drop)
    }));
    loops
}

/// What a look is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    /// Whatever may be due.
    All,
    /// Connections that had no room before.
    Places,
}

async fn refresh_loop(app: App) {
    let (mut look, mut next) = (Look::All, Instant::now());
    while !app.stopping().is_cancelled() {
        // A connection whose other end is gone without a word would keep us for ever.
        let looked = tokio::time::timeout(LOOK, tick(&app, look)).await;
        if look == Look::All {
            next = Instant::now() + TICK;
        }
        let full = match looked {
            Ok(Ok(full)) => full,
            Err(_) => {
                app.database_kept_us_waiting();
                tracing::error!("looking for what is due took too long and was given up");
                false
            }
            Ok(Err(error)) => {
                tracing::error!(error = format!("{error:#}"), "looking for what is due failed");
                false
            }
        };
        // What ended while we looked has gathered by itself.
        let gathered = app.places().now_or_never().is_some();
        look = tokio::select! {
            biased;
            () = app.stopping().cancelled() => return,
            () = tokio::time::sleep_until(next) => Look::All,
            // Several that end together make one look.
            () = app.woken() => {
                tokio::time::sleep(GATHER).await;
                Look::All
            }
            () = std::future::ready(()), if full || gathered => Look::Places,
            () = app.places() => {
                // Where answers take their time, an empty place costs more than a look.
                if !app.flights().are_long() {
                    tokio::time::sleep(GATHER).await;
                }
                Look::Places
            }
        };
    }
}

/// Begins what is due and fits. Says whether there may be more that fits.
async fn tick(app: &App, look: Look) -> Result<bool> {
    let room = IN_FLIGHT.saturating_sub(app.flights().count()).min(BATCH);
    app.flights().set_full(room == 0);
    if room == 0 {
        if look == Look::All {
            // Who has come to have something due is looked for as soon as there is room, not only who waited.
            app.flights().set_hungry(Vec::new());
        }
        return Ok(false);
    }
    let limit = i64::try_from(room).unwrap_or_default();
    if look == Look::Places {
        return Ok(refresh::fill_places(app, limit).await?.len() == room);
    }
    let begun = refresh::begin_due(app, limit).await?;
    let asked = connection::device::begin_due(app, limit).await?;
    Ok(begun.len().max(asked.len()) == room)
}

/// Looks after the data keys, and seals anew what older ones sealed, until nothing is left.
async fn keep_keys(app: &App) -> Result<()> {
    keys::maintain(app).await?;
    let mut total = 0;
    while !app.stopping().is_cancelled() {
        let done = keys::reseal_some(app).await?;
        if done == 0 {
            break;
        }
        total += done;
        tracing::info!(total, "sealed values anew with the newest data key");
    }
    Ok(())
}

async fn every<F>(app: App, name: &'static str, period: Duration, work: impl Fn(App) -> F)
where
    F: Future<Output = Result<()>>,
{
    while !app.stopping().is_cancelled() {
        look(name, work(app.clone())).await;
        tokio::select! {
            () = app.stopping().cancelled() => {}
            () = tokio::time::sleep(period) => {}
        }
    }
}

/// Does a loop's work once. However it ends, the loop goes on: nobody would notice that one is gone before
/// what it does is missing.
async fn look(name: &'static str, work: impl Future<Output = Result<()>>) {
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::error!(name, error = format!("{error:#}"), "a loop's work failed");
        }
        Err(_) => tracing::error!(name, "a loop's work broke off"),
    }
}

#[cfg(test)]
mod tests {
    use sqlx::PgPool;
    use uuid::Uuid;

    use super::*;
    use crate::{
        server::app::{Error, refresh::flights::Hand},
        tests::support::World,
    };

    /// Who came to have something due meanwhile is not among those who waited for a place.
    #[sqlx::test]
    async fn a_full_worker_passes_nobody_by_once_there_is_room(pool: PgPool) {
        let world = World::new(pool).await;
        let client = world.client("books", |_| {}).await;
        let id = world.import(client).await;
        world.pass(time::Duration::hours(1));
        let flights = world.app.flights();
        flights.set_hungry(vec![Uuid::nil()]);
        let in_hand = (1..=u128::try_from(IN_FLIGHT).unwrap()).map(Uuid::from_u128);
        let hands: Vec<_> = in_hand.map(|id| Hand::take(flights, id, id)).collect();
        assert!(!tick(&world.app, Look::All).await.unwrap());
        assert_eq!(world.generation(id).await, 1);
        drop(hands);
        tick(&world.app, Look::Places).await.unwrap();
        world.until_count("SELECT generation FROM connections", 2).await;
    }

    #[tokio::test]
    async fn a_loop_outlives_work_that_breaks_off() {
        look("broken", async { panic!("on purpose") }).await;
        look("failing", async { Err(Error::Internal(anyhow::anyhow!("on purpose"))) }).await;
    }
}
