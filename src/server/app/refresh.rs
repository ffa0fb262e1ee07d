//! Keeping connections alive: claim, ask the provider, save (DESIGN section 3).
//!
//! A claim is a lease in a short transaction that also writes the intent. The call to the provider
//! holds no transaction and no database connection. What follows is saved under the lease and the
//! generation, so that a late answer changes nothing; when PostgreSQL does not take it, it waits in the
//! journal. A refresh that has begun runs to its end even if whoever asked for it goes away.

pub mod ask;
mod canary;
pub mod claim;
pub mod contact;
pub mod decide;
pub mod engine;
pub mod flights;
pub mod group;
mod hold;
pub mod intent;
mod join;
mod live;
pub mod look;
pub mod replay;
pub mod room;
pub mod save;
pub mod saver;
pub(super) mod turn;
pub mod weigh;

use time::{Duration, OffsetDateTime};
use tokio::time::Instant;
use uuid::Uuid;

use super::{App, Error, Result};
use crate::{
    domain::{
        attempt::{Attempt, Verdict},
        client,
        connection::{Connection, State},
        problem::Obstacle,
    },
    server::store::{self, connection::lease},
};
use ask::Came;
pub use ask::{Ask, Asker};
use claim::{Claimed, One};
pub use contact::Contact;
pub use engine::LEASE;
pub(super) use engine::{JOURNAL_AFTER, JOURNAL_PATIENCE, PARTING};
pub use flights::Flights;
use flights::{Hand, Place};
pub(super) use hold::hold;
pub use look::{begin_due, fill_places, run_due};
pub use replay::leftovers;
pub use saver::Saver;

/// How long whoever asked waits for the audit log. It is written however long that takes.
const LOG_PATIENCE: std::time::Duration = std::time::Duration::from_secs(2);

/// How often a caller looks whether its client has room again.
const ROOM_LOOK: std::time::Duration = std::time::Duration::from_millis(50);

/// How far the clocks of replicas are apart at most: all follow the database's.
const CLOCKS: Duration = Duration::seconds(1);

/// Prolongs the leases of what is in hand.
pub async fn prolong(app: &App) -> Result<()> {
    let held = app.flights().held();
    if !held.is_empty() {
        let mut conn = app.pool().acquire().await?;
        lease::extend(&mut conn, &held, app.database_now(), LEASE.as_seconds_f64()).await?;
    }
    Ok(())
}

async fn make(app: &App, claimed: Claimed) -> anyhow::Result<Verdict> {
    let trigger = claimed.trigger;
    let _hand = Hand::take(app.flights(), claimed.leased.id, claimed.leased.lease_id);
    let _place = Place::take(app.flights(), claimed.attempt_id);
    let verdict = engine::make(app, claimed).await?;
    metrics::counter!(
        "regrant_refreshes_total",
        "trigger" => trigger.as_str(),
        "verdict" => verdict.as_str()
    )
    .increment(1);
    Ok(verdict)
}

/// [`now`], and what came of it in the audit log, though whoever asked may be gone by then.
pub async fn asked(
    app: &App,
    connection: Connection,
    ask: Ask,
    asker: Asker,
    force: bool,
) -> Result<Attempt> {
    let running = app.clone();
    app.finish(async move {
        let id = connection.id;
        let came = make_or_join(&running, &connection, ask, force).await;
        if let Some(told) = asker.told(&came) {
            let writing = running.clone();
            let written = running.tasks().spawn(async move {
                if let Err(error) = asker.note(&writing, told).await {
                    let error = format!("{error:#}");
                    tracing::error!(connection = %id, error, "what came of a refresh is not in the audit log");
                }
            });
            _ = tokio::time::timeout(LOG_PATIENCE, written).await;
        }
        came.map(|came| came.attempt)
    })
    .await
}

/// Refreshes one connection now, or joins the refresh that is under way or has just been. With `force`
/// it is a request of its own, made after whatever is under way.
pub async fn now(app: &App, connection: &Connection, ask: Ask, force: bool) -> Result<Attempt> {
    make_or_join(app, connection, ask, force).await.map(|came| came.attempt)
}

async fn make_or_join(app: &App, connection: &Connection, ask: Ask, force: bool) -> Result<Came> {
    refuse_dead(connection)?;
    refuse_unready(connection)?;
    let (asked, deadline) = (app.now(), Instant::now() + join::DEADLINE);
    let mut connection = connection.clone();
    loop {
        match flights::board(app.flights(), connection.id, force) {
            Err(flight) => {
                let swallows = force && !flight.forced;
                join::landed(flight, deadline).await?;
                if !swallows {
                    let attempt = came_of(app, connection.id, connection.generation, asked)
                        .await?
                        .ok_or_else(nothing)?;
                    ask.note_joined(app).await?;
                    return Ok(Came::joined(attempt));
                }
                connection = again(app, connection.id).await?;
            }
            Ok(pilot) => {
                // Claimed and made in a task of its own: once the intent is written, the request follows.
                let running = app.clone();
                let made = app.finish(async move {
                    let _pilot = pilot;
                    claim_and_make(&running, connection, &ask, force, deadline).await
                });
                return tokio::time::timeout_at(deadline, made).await.unwrap_or_else(|_| {
                    Err(Error::unavailable(
                        "The refresh goes on and takes long. Look again in a moment.",
                    ))
                });
            }
        }
    }
}

async fn claim_and_make(
    app: &App,
    mut connection: Connection,
    ask: &Ask,
    force: bool,
    deadline: Instant,
) -> Result<Came> {
    let (id, client_id) = (connection.id, connection.client_id);
    let asked = app.now();
    let asking = app.flights().asking(client_id);
    let mut asks = None;
    loop {
        // However many ask at once, few of each client look for room. Whoever refreshes, or waits for
        // somebody else's refresh, looks for none.
        if asks.is_none() {
            let turn = tokio::time::timeout_at(deadline, asking.acquire());
            asks = Some(turn.await.map_err(|_| turn::busy())?);
        }
        if app.stopping().is_cancelled() {
            return Err(Error::unavailable("Regrant is about to stop. Try again in a moment."));
        }
        let generation = connection.generation;
        match claim::one(app, id, client_id, generation, ask).await? {
            One::Claimed(claimed) => {
                drop(asks);
                let (attempt_id, prepared) =
                    (claimed.attempt_id, claimed.caller.as_ref().err().cloned());
                make(app, *claimed).await.map_err(Error::Internal)?;
                if let Some(why) = prepared {
                    return Err(Error::Internal(anyhow::anyhow!(why)));
                }
                let mut conn = app.pool().acquire().await?;
                let made = store::attempt::find(&mut conn, id, attempt_id).await?;
                return made.map(Came::own).ok_or_else(|| {
                    Error::conflict(
                        Obstacle::NotRenewable,
                        "This connection holds nothing that it could be refreshed with.",
                    )
                });
            }
            One::Taken => {
                asks = None;
                join::until_free(app, id, deadline).await?;
                if !force && let Some(attempt) = came_of(app, id, generation, asked).await? {
                    ask.note_joined(app).await?;
                    return Ok(Came::joined(attempt));
                }
                if Instant::now() >= deadline {
                    return Err(nothing());
                }
                // Nobody holds it, and yet it may not be claimed: what a holder left that may be about to
                // come back.
                tokio::time::sleep(ROOM_LOOK).await;
                connection = again(app, id).await?;
            }
            One::NoRoom => wait_for_room(app, client_id, deadline).await?,
        }
    }
}

/// Waits a little for the client to have room; not for as long as its provider asked for.
async fn wait_for_room(app: &App, client_id: Uuid, deadline: Instant) -> Result<()> {
    let mut conn = app.pool().acquire().await?;
    let client = store::client::find_bare(&mut conn, client_id).await?;
    drop(conn);
    if let Some(client) = &client {
        refuse_client(client.state, &client.name)?;
    }
    turn::wait(app, client_id, deadline, &turn::REFRESH).await
}

/// The connection as it is now, if it can still be refreshed.
async fn again(app: &App, id: Uuid) -> Result<Connection> {
    let mut conn = app.pool().acquire().await?;
    let connection = super::connection::load(&mut conn, id).await?;
    refuse_dead(&connection)?;
    refuse_unready(&connection)?;
    Ok(connection)
}

fn refuse_dead(connection: &Connection) -> Result<()> {
    match &connection.state {
        State::NeedsReauth { reason, .. } => Err(Error::ReauthRequired(*reason)),
        State::Pending => Err(Error::conflict(
            Obstacle::AwaitingConsent,
            "Nobody has given consent to this connection yet.",
        )),
        State::Disconnected => Err(Error::disconnected()),
        State::Active | State::Retrying { .. } | State::InDoubt { .. } => Ok(()),
    }
}

fn refuse_unready(connection: &Connection) -> Result<()> {
    refuse_client(connection.client_state, &connection.client_name)
}

pub(super) fn refuse_client(state: client::StateName, name: &str) -> Result<()> {
    match state {
        client::StateName::Ready => Ok(()),
        client::StateName::Disabled => Err(Error::conflict(
            Obstacle::ClientDisabled,
            format!("The client {name} is switched off."),
        )),
        client::StateName::CredentialsRejected => Err(Error::conflict(
            Obstacle::ClientRefused,
            format!(
                "The provider refuses the credentials of the client {name}. Replace its secret."
            ),
        )),
        client::StateName::Incident => Err(Error::conflict(
            Obstacle::ClientIncident,
            format!(
                "The provider refuses an unusual number of connections of the client {name}; an admin \
             must look at it first."
            ),
        )),
    }
}

fn nothing() -> Error {
    Error::unavailable("That refresh came to nothing. Try again in a moment.")
}

/// What the refresh came to that someone else made with this generation while one waited, since `asked`
/// or just before.
async fn came_of(
    app: &App,
    id: Uuid,
    generation: i64,
    asked: OffsetDateTime,
) -> Result<Option<Attempt>> {
    let mut conn = app.pool().acquire().await?;
    let attempts = store::attempt::list(&mut conn, id, None, 8).await?;
    let is_answer = |attempt: &Attempt| match attempt.verdict {
        None => false,
        // It used the generation up, whenever that was.
        Some(Verdict::Refreshed) => true,
        Some(_) => attempt.finished_at.is_some_and(|at| at >= asked - CLOCKS),
    };
    Ok(attempts
        .into_iter()
        .filter(|attempt| attempt.generation_before >= generation && is_answer(attempt))
        .max_by_key(|attempt| (attempt.generation_before, attempt.id)))
}

/// Passes on what replicas say of connections, to whoever waits for them here. Ends when the
/// notifications do.
pub async fn listen(app: &App) -> Result<()> {
    let mut said = store::connection::listen(app.pool()).await?;
    loop {
        let ids = store::connection::heard(&mut said).await?;
        for id in ids {
            app.flights().wake(id);
        }
    }
}
