//! Whether a code was typed: the worker asks the provider now and then.
//!
//! No browser has to stay: what is waited for is a row, leased by whoever asks, so that two processes
//! never ask at once and one that dies holds nobody up. A code works once. So an answer that was lost
//! may have spent it, and that is remembered and said.

use futures::future::join_all;
use secrecy::SecretString;
use time::{Duration, OffsetDateTime};
use tokio::task::JoinHandle;

use super::{SLOWEST, place};
use crate::{
    domain::refusal::ErrorClass,
    server::{
        app::{
            App, Result,
            audit::Party,
            client::Caller,
            connection::{
                arrival::{self, Arrival, Purpose},
                consent::{self, Consent, Outcome},
                load,
                settle::{self, Brought, Settled},
            },
            keys,
        },
        provider::{self, Refusal, token},
        store::{self, device::Held},
    },
};

/// What `slow_down` adds to the interval (RFC 8628 section 3.5).
const SLOWER: i32 = 5;
/// For how long whoever asks may be about to store what came of it. Longer than it takes, so that
/// nobody asks again meanwhile or throws it away; a holder that died keeps a code waiting for so long.
const LEASE: Duration = consent::ON_ITS_WAY;
/// How long a call to a provider takes at most.
const CALL: Duration = Duration::seconds(provider::DEADLINE.as_secs().cast_signed());

/// Begins to ask about the device authorizations that are due, at most `limit`. Each runs by itself,
/// to its end; await the handles to see that.
pub async fn begin_due(app: &App, limit: i64) -> Result<Vec<JoinHandle<()>>> {
    // Either we see the stop, or the drain sees us and waits.
    let _seen = app.tasks().token();
    if app.stopping().is_cancelled() {
        return Ok(Vec::new());
    }
    let mut conn = app.pool().acquire().await?;
    let (now, lease_id) = (app.now(), app.new_id());
    let held = store::device::claim_due(&mut conn, lease_id, now, now + LEASE, limit).await?;
    let begun = held.into_iter().map(|held| {
        let running = app.clone();
        app.tasks().spawn(async move {
            if let Err(error) = poll(&running, &held).await {
                let error = format!("{error:#}");
                tracing::error!(connection = %held.connection_id, error, "asking about a device code failed");
            }
        })
    });
    Ok(begun.collect())
}

/// Asks about what is due and waits for the answers; how many there were.
pub async fn run_due(app: &App, limit: i64) -> Result<usize> {
    let begun = begin_due(app, limit).await?;
    let count = begun.len();
    join_all(begun).await;
    Ok(count)
}

async fn poll(app: &App, held: &Held) -> Result<()> {
    let Ready { caller, device_code, is_known, consent } = match prepare(app, held).await {
        Ok(Some(ready)) => ready,
        Ok(None) => return Ok(()),
        Err(error) => {
            // Nothing was sent, so nothing can be lost.
            again(app, held, held.interval_seconds, false, None).await?;
            return Err(error);
        }
    };
    match token::device(app.http(), &caller.registration(), &device_code).await {
        Ok(given) => receive(app, caller, given, is_known, consent).await,
        Err(refusal) => refused(app, held, &refusal).await,
    }
}

/// What the request is made of.
struct Ready {
    caller: Caller,
    device_code: SecretString,
    /// Whether the connection has an account already.
    is_known: bool,
    consent: Consent,
}

/// `None`: the request is not to be made.
async fn prepare(app: &App, held: &Held) -> Result<Option<Ready>> {
    if held.expires_at <= app.now() {
        end(app, held, Outcome::Expired, "nobody decided in time").await?;
        return Ok(None);
    }
    let mut conn = app.pool().acquire().await?;
    let asked_at = app.now();
    // Asked before the code is spent: tokens that the link no longer allows would be lost.
    if let Some(relink_id) = held.relink_id
        && !store::relink::is_open(&mut conn, relink_id, asked_at).await?
    {
        drop(conn);
        end(app, held, Outcome::Expired, "the relink was used or had expired").await?;
        return Ok(None);
    }
    let connection = load(&mut conn, held.connection_id).await?;
    let is_known = connection.account_id.is_some();
    let newest = store::connection::consented_at(&mut conn, connection.id).await?;
    let consent = Consent { newest, ..consented(held, asked_at) };
    let scopes = consent::scopes(&mut conn, &connection, held.relink_id).await?;
    let caller = Caller::load(app, &mut conn, connection.client_id, scopes).await?;
    let caller = caller.for_connection(&connection);
    let sealed = held.sealed_device_code.as_deref().unwrap_or_default();
    let device_code = keys::open_text(app, &mut conn, place(held.id), sealed).await?;
    drop(conn);
    // A process that was stopped for a while may wake up when its lease is nearly over, and another
    // holder would ask at the same time: then it does not.
    if app.now() + CALL > held.leased_until {
        again(app, held, held.interval_seconds, false, None).await?;
        return Ok(None);
    }
    Ok(Some(Ready { caller, device_code, is_known, consent }))
}

/// Gives the connection its tokens, if they are its account's.
async fn receive(
    app: &App,
    caller: Caller,
    given: provider::Grant,
    is_known: bool,
    consent: Consent,
) -> Result<()> {
    let arrival = Arrival::new(app, given, &caller, Purpose::Consent(consent)).of_known(is_known);
    arrival::receive(app, arrival, caller).await?;
    Ok(())
}

/// What is consented to, by a relink that was seen to be open then.
fn consented(held: &Held, asked_at: OffsetDateTime) -> Consent {
    Consent {
        connection_id: held.connection_id,
        flow_id: None,
        relink: held.relink_id.map(|id| (id, asked_at)),
        device: Some(held.lease()),
        newest: None,
        who: who(held),
    }
}

/// What an answer without tokens means (RFC 8628 section 3.5). The codes say it, whatever their
/// status.
async fn refused(app: &App, held: &Held, refusal: &Refusal) -> Result<()> {
    let interval = held.interval_seconds;
    let wait = refusal.retry_after;
    match (refusal.code.as_deref(), refusal.class) {
        (Some("authorization_pending"), _) => again(app, held, interval, false, wait).await,
        (Some("slow_down"), _) => again(app, held, interval + SLOWER, false, wait).await,
        // The second is Microsoft's word for it.
        (Some("access_denied" | "authorization_declined"), _) => {
            end(app, held, Outcome::Denied, &refusal.to_string()).await
        }
        (Some("expired_token"), _) => end(app, held, Outcome::Expired, &refusal.to_string()).await,
        (_, ErrorClass::Transient | ErrorClass::RateLimited | ErrorClass::AnswerLost) => {
            let slower = interval.saturating_mul(2).min(interval.max(SLOWEST));
            again(app, held, slower, refusal.class == ErrorClass::AnswerLost, wait).await
        }
        (_, ErrorClass::GrantRefused) if held.answer_lost => {
            let why = "an answer was lost on the way, and the code was spent with it; begin again";
            end(app, held, Outcome::Failed, why).await
        }
        (_, class) => end(app, held, Outcome::of_refusal(class), &refusal.to_string()).await,
    }
}

/// Asks again after `interval` seconds, or later if the provider wants that.
async fn again(
    app: &App,
    held: &Held,
    interval: i32,
    answer_lost: bool,
    retry_after: Option<Duration>,
) -> Result<()> {
    let wait = Duration::seconds(interval.into()).max(retry_after.unwrap_or_default());
    let due_at = (app.now() + wait).min(held.expires_at);
    let mut conn = app.pool().acquire().await?;
    store::device::postpone(&mut conn, held, interval, answer_lost, due_at).await?;
    Ok(())
}

/// Ends it without tokens. Its connection stands as it stood.
async fn end(app: &App, held: &Held, outcome: Outcome, why: &str) -> Result<()> {
    let mut conn = app.pool().acquire().await?;
    let refused = Settled::refused(outcome, why);
    settle::fail(app, &mut conn, &consented(held, app.now()), &refused, Brought::Nothing).await
}

/// Who began it.
fn who(held: &Held) -> Party {
    Party { kind: held.actor_kind.clone(), id: held.actor_id, label: held.actor_label.clone() }
}
