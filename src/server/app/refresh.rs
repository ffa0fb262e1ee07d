//! Keeping connections alive: claim, ask the provider, save (DESIGN section 3).
//!
//! A claim is a lease in a short transaction that also writes the intent. The call to the provider
//! holds no transaction and no database connection. What follows is saved under the lease and the
//! generation, so that a late answer changes nothing. A refresh that has begun runs to its end even
//! if whoever asked for it goes away.

mod outcome;

use std::time::Duration as StdDuration;

use futures::future::join_all;
use secrecy::SecretString;
use sqlx::PgConnection;
use time::Duration;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::{App, Error, Result, client::Caller, grant, keys};
use crate::{
    domain::{
        attempt::{Attempt, Trigger},
        client,
        connection::{Connection, State, StateName},
    },
    server::{
        provider,
        store::{
            self,
            attempt::Intent,
            connection::lease::{self, Lease, Leased},
        },
    },
};
use outcome::{keep, lapse, set_back, unprepared};

/// How long a claim lasts. Longer than any call to a provider, and a crashed holder's claim is free
/// again within a minute.
pub const LEASE: Duration = Duration::seconds(60);
/// How long a caller waits for a refresh that someone else has begun.
const JOIN_DEADLINE: StdDuration = StdDuration::from_secs(40);
const JOIN_POLL: StdDuration = StdDuration::from_millis(150);
/// At most so many refreshes of one client begin in one tick, so that none starves the others.
const PER_CLIENT: i64 = 32;

/// A connection whose refresh could not even be asked for is looked at again after this time.
const WITHDRAWN_DELAY: Duration = Duration::minutes(1);
/// How long a call to a provider takes at most.
const CALL: Duration = Duration::seconds(provider::DEADLINE.as_secs().cast_signed());

const _: () = assert!(provider::DEADLINE.as_secs() < LEASE.whole_seconds().unsigned_abs());

/// A refresh that is ours to make: leased, its intent written.
struct Claim {
    leased: Leased,
    attempt_id: Uuid,
    trigger: Trigger,
}

/// Begins the refreshes that are due, at most `limit`. Each runs by itself; await the handles to
/// see them end.
pub async fn begin_due(app: &App, limit: i64) -> Result<Vec<JoinHandle<()>>> {
    // Either we see the stop, or the drain sees us and waits.
    let _seen = app.tasks().token();
    if app.stopping().is_cancelled() || app.clock_is_off() {
        return Ok(Vec::new());
    }
    let mut tx = app.begin().await?;
    let lease = new_lease(app);
    let leased = lease::claim_due(&mut tx, lease, PER_CLIENT, limit).await?;
    let mut claims = Vec::with_capacity(leased.len());
    for leased in leased {
        claims.push(intend(app, &mut tx, leased, Trigger::Schedule, "worker").await?);
    }
    tx.commit().await?;
    let begun = claims.into_iter().map(|claim| {
        let running = app.clone();
        app.tasks().spawn(async move {
            let id = claim.leased.id;
            if let Err(error) = run(&running, claim).await {
                tracing::error!(connection = %id, error = format!("{error:#}"), "a refresh failed");
            }
        })
    });
    Ok(begun.collect())
}

/// Makes the refreshes that are due and waits for them; how many there were.
pub async fn run_due(app: &App, limit: i64) -> Result<usize> {
    let begun = begin_due(app, limit).await?;
    let count = begun.len();
    join_all(begun).await;
    Ok(count)
}

/// Refreshes one connection now, or joins the refresh that is under way or has just been.
pub async fn now(
    app: &App,
    connection: &Connection,
    trigger: Trigger,
    actor: &str,
) -> Result<Attempt> {
    let id = connection.id;
    match &connection.state {
        State::NeedsReauth { reason, .. } => return Err(Error::ReauthRequired(*reason)),
        State::Pending => {
            return Err(Error::Conflict("Nobody has given consent to this connection yet.".into()));
        }
        State::Disconnected => {
            return Err(Error::Conflict("This connection was disconnected.".into()));
        }
        State::Active | State::Retrying { .. } | State::InDoubt { .. } => {}
    }
    refuse_unready(connection)?;
    // Claimed and made in a task of its own: once the intent is written, the request follows.
    let (running, generation, actor) = (app.clone(), connection.generation, actor.to_owned());
    app.finish(async move { claim_and_run(&running, id, generation, trigger, &actor).await }).await
}

async fn claim_and_run(
    app: &App,
    id: Uuid,
    generation: i64,
    trigger: Trigger,
    actor: &str,
) -> Result<Attempt> {
    if app.stopping().is_cancelled() || app.clock_is_off() {
        return Err(Error::unavailable("Regrant can't refresh just now. Try again in a moment."));
    }
    let mut tx = app.begin().await?;
    let Some(leased) = lease::claim_one(&mut tx, new_lease(app), id, generation).await? else {
        drop(tx);
        return join(app, id, generation).await;
    };
    let claim = intend(app, &mut tx, leased, trigger, actor).await?;
    let attempt_id = claim.attempt_id;
    tx.commit().await?;
    run(app, claim).await?;
    let mut conn = app.pool().acquire().await?;
    store::attempt::find(&mut conn, id, attempt_id).await?.ok_or_else(|| {
        Error::Conflict("This connection holds nothing that it could be refreshed with.".into())
    })
}

fn refuse_unready(connection: &Connection) -> Result<()> {
    let name = &connection.client_name;
    match connection.client_state {
        client::StateName::Ready => Ok(()),
        client::StateName::Disabled => {
            Err(Error::Conflict(format!("The client {name} is switched off.")))
        }
        client::StateName::CredentialsRejected => Err(Error::Conflict(format!(
            "The provider refuses the credentials of the client {name}. Replace its secret."
        ))),
        client::StateName::Incident => Err(Error::Conflict(format!(
            "The provider refuses an unusual number of connections of the client {name}; an admin \
             must look at it first."
        ))),
    }
}

/// Waits for the refresh that someone else has begun with this generation; what it came to.
async fn join(app: &App, id: Uuid, generation: i64) -> Result<Attempt> {
    until_free(app, id).await?;
    let mut conn = app.pool().acquire().await?;
    store::attempt::list(&mut conn, id, None, 1)
        .await?
        .into_iter()
        .find(|attempt| attempt.generation_before >= generation && attempt.verdict.is_some())
        .ok_or_else(|| Error::unavailable("That refresh came to nothing. Try again in a moment."))
}

/// Waits until nobody holds the connection.
async fn until_free(app: &App, id: Uuid) -> Result<()> {
    let waiting = async {
        loop {
            tokio::time::sleep(JOIN_POLL).await;
            let mut conn = app.pool().acquire().await?;
            if !lease::is_held(&mut conn, id, app.now()).await? {
                return Ok::<_, Error>(());
            }
        }
    };
    tokio::time::timeout(JOIN_DEADLINE, waiting).await.unwrap_or_else(|_| {
        Err(Error::unavailable("A refresh is under way and takes long. Look again in a moment."))
    })
}

/// Keeps everyone from refreshing a connection, waiting for a refresh under way; the connection as
/// it is then. Without a lease: nothing of it can be refreshed anyway.
pub(super) async fn hold(app: &App, id: Uuid) -> Result<(Connection, Option<Leased>)> {
    let deadline = tokio::time::Instant::now() + JOIN_DEADLINE;
    loop {
        let mut conn = app.pool().acquire().await?;
        let connection = super::connection::load(&mut conn, id).await?;
        if !matches!(
            connection.state,
            State::Active | State::Retrying { .. } | State::InDoubt { .. }
        ) {
            return Ok((connection, None));
        }
        let generation = connection.generation;
        let leased = lease::claim_one(&mut conn, new_lease(app), id, generation).await?;
        drop(conn);
        if let Some(leased) = leased {
            return Ok((connection, Some(leased)));
        }
        if tokio::time::Instant::now() > deadline {
            return Err(Error::unavailable("A refresh is under way. Try again in a moment."));
        }
        until_free(app, id).await?;
    }
}

fn new_lease(app: &App) -> Lease {
    let now = app.now();
    Lease { id: app.new_id(), now, until: now + LEASE }
}

/// Writes the intent. If an earlier holder died, its attempt is in doubt, and so is the connection.
async fn intend(
    app: &App,
    conn: &mut PgConnection,
    mut leased: Leased,
    trigger: Trigger,
    actor: &str,
) -> Result<Claim> {
    let now = app.now();
    let (id, lease_id, generation) = (leased.id, leased.lease_id, leased.generation);
    let lost = store::attempt::abandon(conn, id, lease_id, generation, now).await?;
    if let Some(attempt_id) = lost {
        lease::doubt(conn, id, lease_id, attempt_id, now).await?;
        leased.state = StateName::InDoubt;
        leased.doubtful_attempt_id = Some(attempt_id);
    }
    let set = store::token_set::find(conn, id, generation).await?;
    let attempt_id = app.new_id();
    let intent = Intent {
        id: attempt_id,
        connection_id: id,
        lease_id,
        trigger,
        actor,
        started_at: now,
        generation_before: generation,
        fingerprint_before: set.as_ref().and_then(|set| set.fingerprint.as_deref()),
        replica: app.replica(),
    };
    store::attempt::insert(conn, &intent).await?;
    Ok(Claim { leased, attempt_id, trigger })
}

/// What a request to the provider is made of.
struct Ready {
    connection: Connection,
    caller: Caller,
    held: Option<SecretString>,
}

/// Asks the provider and saves what follows.
async fn run(app: &App, claim: Claim) -> Result<()> {
    let Ready { connection, caller, held } = match prepare(app, &claim).await {
        Ok(ready) => ready,
        Err(error) => {
            // Nothing was sent, so nothing is in doubt.
            unprepared(app, &claim, &error).await?;
            return Err(error);
        }
    };
    let by_client = grant::by_client_credentials(&caller.profile, connection.grant_type);
    if !grant::renewable(&caller.profile, connection.grant_type, held.is_some()) {
        return lapse(app, &claim, &connection).await;
    }
    // A process that was stopped for a while may wake up when its lease is nearly over, and another
    // holder would send the same token: then it sends nothing.
    if app.now() + CALL > claim.leased.leased_until {
        return withdraw(app, &claim).await;
    }
    let registration = caller.registration();
    let answer = match &held {
        Some(token) if !by_client => {
            provider::token::refresh(app.http(), &registration, token).await
        }
        _ => provider::token::client_credentials(app.http(), &registration).await,
    };
    match answer {
        Ok(given) => keep(app, &claim, &connection, &caller, &given, held.as_ref()).await,
        Err(refusal) => set_back(app, &claim, &connection, &caller, &refusal).await,
    }
}

async fn prepare(app: &App, claim: &Claim) -> Result<Ready> {
    let mut conn = app.pool().acquire().await?;
    let connection = super::connection::load(&mut conn, claim.leased.id).await?;
    let scopes = connection.scopes_requested.clone();
    let caller = Caller::load(app, &mut conn, claim.leased.client_id, scopes).await?;
    let caller = caller.for_connection(&connection);
    let held = held_refresh_token(app, &mut conn, &claim.leased).await?;
    Ok(Ready { connection, caller, held })
}

/// Takes the intent back, since no request followed it, and gives the lease back.
async fn withdraw(app: &App, claim: &Claim) -> Result<()> {
    let mut tx = app.begin().await?;
    store::attempt::delete(&mut tx, claim.leased.id, claim.attempt_id).await?;
    lease::release(&mut tx, &claim.leased, Some(app.now() + WITHDRAWN_DELAY)).await?;
    tx.commit().await?;
    Ok(())
}

async fn held_refresh_token(
    app: &App,
    conn: &mut PgConnection,
    leased: &Leased,
) -> Result<Option<SecretString>> {
    let set = store::token_set::find(conn, leased.id, leased.generation).await?;
    match set.and_then(|set| set.sealed_refresh_token) {
        Some(sealed) => {
            let place = grant::refresh_place(leased.id, leased.generation);
            Ok(Some(keys::open_text(app, conn, place, &sealed).await?))
        }
        None => Ok(None),
    }
}
