//! Keeping connections alive: claim, ask the provider, save (DESIGN section 3).
//!
//! A claim is a lease in a short transaction that also writes the intent. The call to the provider
//! holds no transaction and no database connection. What follows is saved under the lease and the
//! generation, so that a late answer changes nothing. A refresh that has begun runs to its end even
//! if whoever asked for it goes away.

use std::time::Duration as StdDuration;

use futures::future::join_all;
use secrecy::SecretString;
use serde_json::json;
use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::{Actor, App, Error, Result, audit, audit::Subject, client::Caller, grant, keys};
use crate::{
    domain::{
        attempt::{Attempt, Trigger, Verdict},
        client,
        connection::{Connection, LastError, Reason, State, StateName},
        refresh::{self, Next, Refused, Situation},
        refusal::ErrorClass,
        schedule,
    },
    server::{
        provider::{self, Grant, Refusal},
        store::{
            self,
            attempt::{Ending, Intent},
            connection::lease::{self, Lease, Leased, Renewal, Setback},
            token_set::TokenSet,
        },
    },
};

/// How long a claim lasts. Longer than any call to a provider, and a crashed holder's claim is free
/// again within a minute.
pub const LEASE: Duration = Duration::seconds(60);
/// How long a caller waits for a refresh that someone else has begun.
const JOIN_DEADLINE: StdDuration = StdDuration::from_secs(40);
const JOIN_POLL: StdDuration = StdDuration::from_millis(150);
/// How long a save that the database does not take is tried again.
const SAVE_RETRY: StdDuration = StdDuration::from_millis(250);
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
    if app.stopping().is_cancelled() {
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
    if app.stopping().is_cancelled() {
        return Err(Error::unavailable("Regrant is shutting down. Try again."));
    }
    let mut tx = app.begin().await?;
    let generation = connection.generation;
    let Some(leased) = lease::claim_one(&mut tx, new_lease(app), id, generation).await? else {
        drop(tx);
        return join(app, id).await;
    };
    let claim = intend(app, &mut tx, leased, trigger, actor).await?;
    let attempt_id = claim.attempt_id;
    tx.commit().await?;
    let running = app.clone();
    app.tasks()
        .spawn(async move { run(&running, claim).await })
        .await
        .map_err(|error| Error::Internal(error.into()))??;
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

/// Waits for the refresh that someone else has begun; what it came to.
async fn join(app: &App, id: Uuid) -> Result<Attempt> {
    let waiting = async {
        loop {
            tokio::time::sleep(JOIN_POLL).await;
            let mut conn = app.pool().acquire().await?;
            if !lease::is_held(&mut conn, id, app.now()).await? {
                return Ok::<_, Error>(());
            }
        }
    };
    match tokio::time::timeout(JOIN_DEADLINE, waiting).await {
        Ok(done) => done?,
        Err(_) => {
            return Err(Error::unavailable(
                "A refresh is under way and takes long. Look again in a moment.",
            ));
        }
    }
    let mut conn = app.pool().acquire().await?;
    store::attempt::list(&mut conn, id, None, 1)
        .await?
        .into_iter()
        .next()
        .ok_or_else(|| Error::Conflict("This connection can't be refreshed.".into()))
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
            withdraw(app, &claim).await?;
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
            Ok(Some(keys::open_text(app, place, &sealed).await?))
        }
        None => Ok(None),
    }
}

/// Saves a grant. Nothing comes between reading the answer and this; it is tried again until the
/// database takes it or the lease is over.
async fn keep(
    app: &App,
    claim: &Claim,
    connection: &Connection,
    caller: &Caller,
    given: &Grant,
    held: Option<&SecretString>,
) -> Result<()> {
    let leased = &claim.leased;
    let before = grant::Before {
        grant_type: connection.grant_type,
        has_refresh_token: held.is_some(),
        obtained_at: connection.obtained_at,
        refresh_expires_at: leased.refresh_expires_at,
        consented_at: leased.consented_at,
    };
    let dates = grant::dates(app, &caller.profile, &before, given);
    let set = grant::seal(app, leased.id, leased.generation + 1, given, held)?;
    let renewal = Renewal {
        scopes_granted: given.scopes.as_deref(),
        has_refresh_token: set.sealed_refresh_token.is_some(),
        obtained_at: given.obtained_at,
        access_expires_at: dates.clock.access_expires_at,
        refresh_expires_at: dates.clock.refresh_expires_at,
        needs_human_by: dates.needs_human_by,
        due_at: dates.due_at,
    };
    let verdict = persist(leased, || save_renewal(app, claim, &renewal, &set)).await?;
    count(claim.trigger, verdict, None);
    Ok(())
}

async fn save_renewal(
    app: &App,
    claim: &Claim,
    renewal: &Renewal<'_>,
    set: &TokenSet,
) -> Result<Verdict> {
    let now = app.now();
    let mut tx = app.begin().await?;
    let saved = lease::renew(&mut tx, &claim.leased, renewal, now).await?;
    let verdict = if saved { Verdict::Refreshed } else { Verdict::Superseded };
    if saved {
        store::token_set::supersede(&mut tx, set).await?;
    }
    let ending = Ending {
        finished_at: now,
        verdict,
        error_class: None,
        status: Some(200),
        error_code: None,
        error_description: None,
        generation_after: saved.then_some(set.generation),
        fingerprint_after: set.fingerprint.as_deref(),
    };
    store::attempt::finish(&mut tx, claim.leased.id, claim.attempt_id, &ending).await?;
    tx.commit().await?;
    Ok(verdict)
}

/// Saves what follows from a refusal.
async fn set_back(
    app: &App,
    claim: &Claim,
    connection: &Connection,
    caller: &Caller,
    refusal: &Refusal,
) -> Result<()> {
    let leased = &claim.leased;
    let now = app.now();
    let situation = Situation {
        state: connection.state.clone(),
        failures: u32::try_from(leased.failures).unwrap_or_default(),
        doubtful: leased.doubtful_attempt_id.is_some(),
        refresh_expires_at: leased.refresh_expires_at,
    };
    let answer = Refused { class: refusal.class, retry_after: refusal.retry_after };
    let next = refresh::refused(&situation, answer, claim.attempt_id, now, app.rng().fraction());
    let last_error = LastError {
        class: refusal.class,
        status: refusal.status,
        code: refusal.code.clone(),
        description: refusal.description.clone(),
        at: now,
    };
    let needs_human_by = needs_human_by(connection, caller, &next, now);
    let setback = Setback {
        state: next.state.name(),
        reason: reason(&next.state).map(Reason::as_str),
        failures: i32::try_from(next.failures).unwrap_or(i32::MAX),
        doubtful_attempt_id: doubtful(&next, leased, claim.attempt_id),
        last_error: Some(serde_json::to_value(&last_error)?),
        needs_human_by,
        due_at: next.due_at,
    };
    let verdict =
        persist(leased, || save_setback(app, claim, connection, caller, refusal, &setback, &next))
            .await?;
    count(claim.trigger, verdict, Some(refusal.class));
    Ok(())
}

/// The attempt that remains in doubt: the earliest, since it is the one that may have rotated.
fn doubtful(next: &Next, leased: &Leased, attempt_id: Uuid) -> Option<Uuid> {
    next.doubtful.then(|| leased.doubtful_attempt_id.unwrap_or(attempt_id))
}

fn reason(state: &State) -> Option<Reason> {
    match state {
        State::NeedsReauth { reason, .. } => Some(*reason),
        _ => None,
    }
}

fn needs_human_by(
    connection: &Connection,
    caller: &Caller,
    next: &Next,
    now: OffsetDateTime,
) -> Option<OffsetDateTime> {
    if matches!(next.state, State::NeedsReauth { .. }) {
        return Some(now);
    }
    let clock = schedule::TokenClock {
        obtained_at: connection.obtained_at?,
        access_expires_at: connection.access_expires_at,
        refresh_expires_at: connection.refresh_expires_at,
        renewable: true,
    };
    let policy = grant::policy(&caller.profile, connection.grant_type);
    schedule::needs_human_by(&clock, &policy, true)
}

async fn save_setback(
    app: &App,
    claim: &Claim,
    connection: &Connection,
    caller: &Caller,
    refusal: &Refusal,
    setback: &Setback<'_>,
    next: &Next,
) -> Result<Verdict> {
    let now = app.now();
    let leased = &claim.leased;
    let mut tx = app.begin().await?;
    let saved = lease::set_back(&mut tx, leased, setback, now).await?;
    let verdict = if saved { next.verdict } else { Verdict::Superseded };
    let ending = Ending {
        finished_at: now,
        verdict,
        error_class: Some(refusal.class.as_str()),
        status: refusal.status,
        error_code: refusal.code.as_deref(),
        error_description: refusal.description.as_deref(),
        generation_after: None,
        fingerprint_after: None,
    };
    store::attempt::finish(&mut tx, leased.id, claim.attempt_id, &ending).await?;
    match verdict {
        Verdict::Condemned => {
            let subject = Subject::new(leased.id, connection.name());
            let detail = json!({ "reason": reason(&next.state), "provider_said": refusal.code });
            let who = &Actor::System;
            audit::record(app, &mut tx, who, "connection.condemned", subject, detail).await?;
        }
        Verdict::ClientRefused => {
            let said = refusal.code.as_deref().unwrap_or(refusal.class.as_str());
            super::client::reject_credentials(app, &mut tx, &caller.client, said).await?;
        }
        _ => {}
    }
    tx.commit().await?;
    Ok(verdict)
}

/// A connection that can't be renewed: when its access token has ended a person is needed; until
/// then it is left in peace. No request was made, so no attempt remains.
async fn lapse(app: &App, claim: &Claim, connection: &Connection) -> Result<()> {
    let leased = &claim.leased;
    let now = app.now();
    let mut tx = app.begin().await?;
    store::attempt::delete(&mut tx, leased.id, claim.attempt_id).await?;
    match connection.access_expires_at {
        Some(end) if end <= now => {
            let setback = Setback {
                state: StateName::NeedsReauth,
                reason: Some(Reason::NoRefreshToken.as_str()),
                failures: 0,
                doubtful_attempt_id: None,
                last_error: None,
                needs_human_by: Some(now),
                due_at: None,
            };
            if lease::set_back(&mut tx, leased, &setback, now).await? {
                let subject = Subject::new(leased.id, connection.name());
                let detail = json!({ "reason": Reason::NoRefreshToken });
                let who = &Actor::System;
                audit::record(app, &mut tx, who, "connection.condemned", subject, detail).await?;
            }
        }
        end => lease::release(&mut tx, leased, end).await?,
    }
    tx.commit().await?;
    Ok(())
}

/// Tries a save again for as long as the lease protects it: the database may be away for a moment.
async fn persist<F>(leased: &Leased, save: impl Fn() -> F) -> Result<Verdict>
where
    F: Future<Output = Result<Verdict>>,
{
    let deadline = tokio::time::Instant::now() + StdDuration::try_from(LEASE).unwrap_or_default();
    loop {
        match save().await {
            Err(Error::Internal(error)) if tokio::time::Instant::now() < deadline => {
                tracing::warn!(
                    connection = %leased.id,
                    error = format!("{error:#}"),
                    "the outcome of a refresh is not stored yet; trying again"
                );
                tokio::time::sleep(SAVE_RETRY).await;
            }
            other => return other,
        }
    }
}

fn count(trigger: Trigger, verdict: Verdict, class: Option<ErrorClass>) {
    metrics::counter!(
        "regrant_refreshes_total",
        "trigger" => trigger.as_str(),
        "verdict" => verdict.as_str(),
        "class" => class.map_or("none", ErrorClass::as_str)
    )
    .increment(1);
}
