//! The worker's looks for what is due: what each claims is begun, and runs by itself.

use std::time::Duration;

use futures::future::join_all;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::{
    canary,
    claim::{self, Claimed},
    flights, make,
};
use crate::server::app::{App, Result, client};

/// How soon the worker looks again after someone else was claiming for a client just when it was about to.
const BUSY_LOOK: Duration = Duration::from_millis(25);

/// Begins the refreshes that are due, at most `limit`. Each runs by itself; await the handles to
/// see them end.
pub async fn begin_due(app: &App, limit: i64) -> Result<Vec<JoinHandle<()>>> {
    // Either we see the stop, or the drain sees us and waits.
    let _seen = app.tasks().token();
    if app.stopping().is_cancelled() {
        return Ok(Vec::new());
    }
    match client::spread_some(app).await {
        Ok(true) => app.wake_worker(),
        Ok(false) => {}
        Err(error) => tracing::error!(error = format!("{error:#}"), "spreading failed"),
    }
    let (mut claims, hungry) = claim(app, limit, None).await?;
    app.flights().set_hungry(hungry);
    if let Err(error) = canary::due(app, |claimed| claims.claimed.push(claimed)).await {
        tracing::error!(error = format!("{error:#}"), "looking for canaries failed");
    }
    Ok(claims.begin())
}

/// [`begin_due`], for when there is room again for what was due before: nothing else is looked after, and where
/// answers take their time a portion is begun at once. Two looks go side by side then, at half of the clients each:
/// what a look takes is mostly the database's answers, and meanwhile places are empty.
pub async fn fill_places(app: &App, limit: i64) -> Result<Vec<JoinHandle<()>>> {
    let _seen = app.tasks().token();
    if app.stopping().is_cancelled() {
        return Ok(Vec::new());
    }
    let mut some = app.flights().hungry();
    if !app.flights().are_long() || some.len() < 2 || limit < 2 {
        let (begun, hungry) = fill(app, limit, some).await?;
        app.flights().set_hungry(hungry);
        return Ok(begun);
    }
    let others = some.split_off(some.len() / 2);
    let half = limit / 2;
    let (some, others) = tokio::join!(fill(app, half, some), fill(app, limit - half, others));
    let ((mut begun, mut hungry), (more, others)) = (some?, others?);
    begun.extend(more);
    hungry.extend(others);
    app.flights().set_hungry(hungry);
    Ok(begun)
}

/// One look for places. What it claims is begun at once: no other look is waited for.
async fn fill(
    app: &App,
    limit: i64,
    clients: Vec<Uuid>,
) -> Result<(Vec<JoinHandle<()>>, Vec<Uuid>)> {
    let (mut claims, hungry) = claim(app, limit, Some(clients)).await?;
    Ok((claims.begin(), hungry))
}

/// What is due, at most `limit`, and of which clients there may be more; see [`claim::due`].
async fn claim(
    app: &App,
    limit: i64,
    hungry: Option<Vec<Uuid>>,
) -> Result<(Claims<'_>, Vec<Uuid>)> {
    let due = claim::due(app, limit, hungry).await?;
    if due.is_cut {
        app.tell_of_places();
    }
    if due.was_busy {
        app.wake_worker_in(BUSY_LOOK);
    }
    Ok((Claims { app, claimed: due.claimed }, due.hungry))
}

/// What is claimed and not begun. It is begun however the look ends, also when it is cut short: the
/// leases and the intents are committed.
struct Claims<'a> {
    app: &'a App,
    claimed: Vec<Claimed>,
}

impl Claims<'_> {
    fn begin(&mut self) -> Vec<JoinHandle<()>> {
        self.claimed.drain(..).map(|claimed| begin(self.app, claimed)).collect()
    }
}

impl Drop for Claims<'_> {
    fn drop(&mut self) {
        // Without a runtime the process is at its end.
        if tokio::runtime::Handle::try_current().is_ok() {
            self.begin();
        }
    }
}

fn begin(app: &App, claimed: Claimed) -> JoinHandle<()> {
    let running = app.clone();
    app.tasks().spawn(async move {
        let id = claimed.leased.id;
        let _pilot = flights::board(running.flights(), id, false);
        if let Err(error) = make(&running, claimed).await {
            tracing::error!(connection = %id, error = format!("{error:#}"), "a refresh failed");
        }
        if running.flights().is_full() {
            running.tell_of_places();
        }
    })
}

/// Makes the refreshes that are due and waits for them; how many there were.
pub async fn run_due(app: &App, limit: i64) -> Result<usize> {
    let begun = begin_due(app, limit).await?;
    let count = begun.len();
    join_all(begun).await;
    Ok(count)
}
