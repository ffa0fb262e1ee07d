//! Saving what a refresh came to: a new generation, a setback, a verdict. Every save names its lease
//! and its generation, and is tried again for as long as the lease protects it.

use std::time::Duration as StdDuration;

use secrecy::SecretString;
use serde_json::json;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{Claim, LEASE};
use crate::{
    domain::{
        attempt::{Trigger, Verdict},
        connection::{Connection, LastError, Reason, State, StateName},
        refresh::{self, Next, Refused, Situation},
        refusal::ErrorClass,
        schedule,
    },
    server::{
        app::{
            Actor, App, Error, Result,
            audit::{self, Subject},
            client::{self, Caller},
            grant,
        },
        provider::{Grant, Refusal},
        store::{
            self,
            attempt::Ending,
            connection::lease::{self, Leased, Renewal, Setback},
            token_set::TokenSet,
        },
    },
};

/// When a token is already dead as it comes (two clocks disagree), the next is asked for only then.
const DEAD_ON_ARRIVAL_DELAY: Duration = Duration::minutes(5);
/// No connection is refreshed more often than this by the schedule.
const LEAST_DELAY: Duration = Duration::seconds(5);
/// How long a save that the database does not take is tried again.
const SAVE_RETRY: StdDuration = StdDuration::from_millis(250);

/// Saves a grant. Nothing comes between reading the answer and this; it is tried again until the
/// database takes it or the lease is over.
pub(super) async fn keep(
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
        due_at: dates.due_at.map(|due| due.max(not_before(&dates, given))),
    };
    let verdict = persist(leased, || save_renewal(app, claim, &renewal, &set)).await?;
    count(claim.trigger, verdict, None);
    Ok(())
}

/// A token that came dead, or nearly so, by our clock is no reason to ask again and again.
fn not_before(dates: &grant::Dates, given: &Grant) -> OffsetDateTime {
    let dead = dates.clock.access_expires_at.is_some_and(|end| end <= given.obtained_at);
    given.obtained_at + if dead { DEAD_ON_ARRIVAL_DELAY } else { LEAST_DELAY }
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
pub(super) async fn set_back(
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
            client::reject_credentials(app, &mut tx, &caller.client, said).await?;
        }
        _ => {}
    }
    tx.commit().await?;
    Ok(verdict)
}

/// A connection that can't be renewed: when its access token has ended a person is needed; until
/// then it is left in peace. No request was made, so no attempt remains.
pub(super) async fn lapse(app: &App, claim: &Claim, connection: &Connection) -> Result<()> {
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

/// A request that could not even be made (a secret that does not open, a provider that is gone): the
/// connection is shown as retrying, with the reason, and no attempt remains.
pub(super) async fn unprepared(app: &App, claim: &Claim, error: &Error) -> Result<()> {
    let leased = &claim.leased;
    let now = app.now();
    let class = ErrorClass::RequestRefused;
    let situation = Situation {
        state: State::Active,
        failures: u32::try_from(leased.failures).unwrap_or_default(),
        doubtful: leased.doubtful_attempt_id.is_some(),
        refresh_expires_at: leased.refresh_expires_at,
    };
    let answer = Refused { class, retry_after: None };
    let next = refresh::refused(&situation, answer, claim.attempt_id, now, app.rng().fraction());
    let last_error = LastError {
        class,
        status: None,
        code: None,
        description: Some(format!("Regrant could not make the request: {error}")),
        at: now,
    };
    let setback = Setback {
        state: next.state.name(),
        reason: None,
        failures: i32::try_from(next.failures).unwrap_or(i32::MAX),
        doubtful_attempt_id: leased.doubtful_attempt_id,
        last_error: Some(serde_json::to_value(&last_error)?),
        needs_human_by: leased.refresh_expires_at,
        due_at: next.due_at,
    };
    let mut tx = app.begin().await?;
    store::attempt::delete(&mut tx, leased.id, claim.attempt_id).await?;
    lease::set_back(&mut tx, leased, &setback, now).await?;
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
