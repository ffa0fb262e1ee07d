//! Consent on another device (RFC 8628): a person types a short code there, and the worker asks the
//! provider now and then whether that has happened.
//!
//! No browser has to stay: what is waited for is a row, leased by whoever asks, so that two processes
//! never ask at once and one that dies holds nobody up. A code works once. So an answer that was lost
//! may have spent it, and that is remembered and said.

use futures::future::join_all;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::{
    Actor, App, Error, Result, audit,
    audit::{Subject, Who},
    consent::{self, Consent, Outcome},
    load,
    make::{self, NewConnection},
};
use crate::{
    domain::{
        access::Permission,
        client,
        connection::{Connection, GrantType, State},
        device::{DeviceAuthorization, DeviceState},
        provider::GrantType as Offered,
        refusal::ErrorClass,
        voice,
    },
    server::{
        app::{client::Caller, keys},
        provider::{self, Refusal, token},
        secret::seal::Place,
        store::{
            self,
            device::{Held, NewDevice},
        },
    },
};

/// What `slow_down` adds to the interval (RFC 8628 section 3.5).
const SLOWER: i32 = 5;
/// A provider that does not answer is asked less and less often, but not less than this.
const SLOWEST: i32 = 60;
/// For how long whoever asks may be about to store what came of it. Longer than it takes, so that
/// nobody asks again meanwhile or throws it away; a holder that died keeps a code waiting for so long.
const LEASE: Duration = consent::ON_ITS_WAY;
/// How long a call to a provider takes at most.
const CALL: Duration = Duration::seconds(provider::DEADLINE.as_secs().cast_signed());

/// Makes a connection that waits for consent on another device.
pub async fn create(
    app: &App,
    actor: &Actor,
    new: NewConnection,
) -> Result<(Connection, DeviceAuthorization)> {
    actor.require(Permission::ConnectionsWrite)?;
    let (running, actor) = (app.clone(), actor.clone());
    app.finish(async move { begin_new(&running, &actor, new).await }).await
}

async fn begin_new(
    app: &App,
    actor: &Actor,
    new: NewConnection,
) -> Result<(Connection, DeviceAuthorization)> {
    make::check(&new)?;
    let caller = make::caller(app, &new).await?;
    let begun = ask(app, &caller).await?;
    let mut tx = app.begin().await?;
    make::refuse_changed(&caller, &mut tx).await?;
    let id = make::insert(app, &mut tx, &new, GrantType::DeviceCode).await?;
    let connection = load(&mut tx, id).await?;
    let subject = Subject::new(id, connection.name());
    audit::record(app, &mut tx, actor, "connection.create", subject, by_device()).await?;
    let device = keep(app, &mut tx, actor, id, None, &begun).await?;
    tx.commit().await?;
    Ok((connection, device))
}

/// Begins to authorize an existing connection again, in place. What it waited for before is void.
pub async fn authorize(app: &App, actor: &Actor, id: Uuid) -> Result<DeviceAuthorization> {
    actor.require(Permission::ConnectionsWrite)?;
    open(app, actor, id, None).await
}

/// [`authorize`], for whoever may: with `link` that is the right to it.
pub(in crate::server::app) async fn open(
    app: &App,
    actor: &Actor,
    id: Uuid,
    link: Option<Link>,
) -> Result<DeviceAuthorization> {
    let (running, actor) = (app.clone(), actor.clone());
    app.finish(async move { begin_again(&running, &actor, id, link).await }).await
}

async fn begin_again(
    app: &App,
    actor: &Actor,
    id: Uuid,
    link: Option<Link>,
) -> Result<DeviceAuthorization> {
    let mut conn = app.pool().acquire().await?;
    let connection = load(&mut conn, id).await?;
    let relink_id = link.map(|link| link.id);
    let scopes = consent::scopes(&mut conn, &connection, relink_id).await?;
    let caller = Caller::load(app, &mut conn, connection.client_id, scopes).await?;
    let caller = caller.for_connection(&connection);
    check(&connection)?;
    consent::refuse_on_its_way(app, &mut conn, id).await?;
    drop(conn);
    let begun = ask(app, &caller).await?;
    let mut tx = app.begin().await?;
    make::refuse_changed(&caller, &mut tx).await?;
    let connection = super::load_for_update(&mut tx, id).await?;
    check(&connection)?;
    if !caller.is_for(&connection) {
        return Err(make::changed());
    }
    if let Some(link) = &link {
        follow(app, &mut tx, id, link).await?;
    }
    let subject = Subject::new(id, connection.name());
    audit::record(app, &mut tx, actor, "connection.authorize", subject, by_device()).await?;
    let device = keep(app, &mut tx, actor, id, relink_id, &begun).await?;
    tx.commit().await?;
    Ok(device)
}

fn check(connection: &Connection) -> Result<()> {
    if !connection.can_reauthorize() {
        return Err(Error::Conflict("This connection needs no person's consent.".into()));
    }
    if connection.state == State::Disconnected {
        return Err(Error::Conflict("This connection was disconnected on purpose.".into()));
    }
    Ok(())
}

/// The relink by which somebody asks for a code.
#[derive(Clone, Copy)]
pub(in crate::server::app) struct Link {
    pub id: Uuid,
    pub created_at: OffsetDateTime,
}

/// Whether the code that was asked for by a link waits to be typed. Refused while another does that
/// was asked for after the link was made: whoever holds a link is a stranger, and takes nothing from
/// the staff or from a newer link.
pub(in crate::server::app) async fn follow(
    app: &App,
    conn: &mut PgConnection,
    connection_id: Uuid,
    link: &Link,
) -> Result<bool> {
    let newest = find_with_relink(app, conn, connection_id).await?;
    match newest.filter(|(device, _)| device.state == DeviceState::Waiting) {
        Some((_, by)) if by == Some(link.id) => Ok(true),
        Some((device, _)) if device.created_at > link.created_at => Err(Error::Conflict(format!(
            "Somebody else was given a code for this account, which works until {}.",
            voice::exact(device.expires_at)
        ))),
        _ => Ok(false),
    }
}

fn by_device() -> serde_json::Value {
    json!({ "by": "device_code" })
}

/// Asks the provider for a code.
async fn ask(app: &App, caller: &Caller) -> Result<provider::device::Begun> {
    let name = &caller.profile.name;
    if !caller.profile.allows(Offered::DeviceCode) {
        return Err(Error::Conflict(format!("{name} offers no codes for other devices.")));
    }
    if caller.client.state == client::StateName::Disabled {
        let client = &caller.client.name;
        return Err(Error::Conflict(format!("The client {client} is switched off.")));
    }
    let begun = provider::device::begin(app.http(), &caller.registration()).await;
    begun.map_err(|refusal| {
        make::unavailable(format!("{name} did not give a code: {refusal}"), &refusal)
    })
}

/// Keeps what is waited for, in place of what was before.
async fn keep(
    app: &App,
    conn: &mut PgConnection,
    actor: &Actor,
    connection_id: Uuid,
    relink_id: Option<Uuid>,
    begun: &provider::device::Begun,
) -> Result<DeviceAuthorization> {
    let (id, now) = (app.new_id(), app.now());
    let plain = begun.device_code.expose_secret().as_bytes();
    let interval = i32::try_from(begun.interval.whole_seconds()).unwrap_or(SLOWEST);
    let new = NewDevice {
        id,
        connection_id,
        relink_id,
        sealed_device_code: &app.keyring().seal(app.rng(), place(id), plain)?,
        user_code: &begun.user_code,
        verification_uri: &begun.verification_uri,
        verification_uri_complete: begun.verification_uri_complete.as_deref(),
        interval_seconds: interval,
        actor_kind: actor.kind(),
        actor_id: actor.id(),
        actor_label: actor.label(),
        created_at: now,
        expires_at: begun.expires_at,
        due_at: (now + Duration::seconds(interval.into())).min(begun.expires_at),
    };
    if !store::device::withdraw_idle(conn, connection_id, now).await? {
        return Err(consent::being_stored());
    }
    store::device::insert(conn, &new).await?;
    find(app, conn, connection_id).await?.ok_or(Error::NotFound("device authorization"))
}

fn place(row: Uuid) -> Place {
    Place { table: "device_codes", column: "sealed_device_code", row, generation: 0 }
}

/// The connection's newest device authorization. The code in it lets whoever types it put an account
/// in the connection's place, so only who may do that sees it.
pub async fn get(app: &App, actor: &Actor, connection_id: Uuid) -> Result<DeviceAuthorization> {
    actor.require(Permission::ConnectionsWrite)?;
    let mut conn = app.pool().acquire().await?;
    load(&mut conn, connection_id).await?;
    find(app, &mut conn, connection_id).await?.ok_or(Error::NotFound("device authorization"))
}

pub(super) async fn find(
    app: &App,
    conn: &mut PgConnection,
    connection_id: Uuid,
) -> Result<Option<DeviceAuthorization>> {
    Ok(find_with_relink(app, conn, connection_id).await?.map(|(device, _)| device))
}

/// [`find`], with the relink that it follows.
pub(in crate::server::app) async fn find_with_relink(
    app: &App,
    conn: &mut PgConnection,
    connection_id: Uuid,
) -> Result<Option<(DeviceAuthorization, Option<Uuid>)>> {
    let mut found = store::device::find(conn, connection_id).await?;
    // The worker says so too, when it comes to it.
    if let Some((device, _)) = &mut found
        && device.state == DeviceState::Waiting
        && device.expires_at <= app.now()
    {
        device.state = DeviceState::Expired;
    }
    Ok(found)
}

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
    let Ready { caller, device_code, is_known, asked_at } = match prepare(app, held).await {
        Ok(Some(ready)) => ready,
        Ok(None) => return Ok(()),
        Err(error) => {
            // Nothing was sent, so nothing can be lost.
            again(app, held, held.interval_seconds, false, None).await?;
            return Err(error);
        }
    };
    match token::device(app.http(), &caller.registration(), &device_code).await {
        Ok(given) => receive(app, held, &caller, given, is_known, asked_at).await,
        Err(refusal) => refused(app, held, &refusal).await,
    }
}

/// What the request is made of.
struct Ready {
    caller: Caller,
    device_code: SecretString,
    /// Whether the connection has an account already.
    is_known: bool,
    /// When its relink was seen to be open.
    asked_at: OffsetDateTime,
}

/// `None`: the request is not to be made.
async fn prepare(app: &App, held: &Held) -> Result<Option<Ready>> {
    if held.expires_at <= app.now() {
        end(app, held, DeviceState::Expired, "nobody decided in time").await?;
        return Ok(None);
    }
    let mut conn = app.pool().acquire().await?;
    let asked_at = app.now();
    // Asked before the code is spent: tokens that the link no longer allows would be lost.
    if let Some(relink_id) = held.relink_id
        && !store::relink::is_open(&mut conn, relink_id, asked_at).await?
    {
        drop(conn);
        end(app, held, DeviceState::Expired, "the relink was used or had expired").await?;
        return Ok(None);
    }
    let connection = load(&mut conn, held.connection_id).await?;
    let is_known = connection.account_id.is_some();
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
    Ok(Some(Ready { caller, device_code, is_known, asked_at }))
}

/// Gives the connection its tokens, if they are its account's.
async fn receive(
    app: &App,
    held: &Held,
    caller: &Caller,
    given: provider::Grant,
    is_known: bool,
    asked_at: OffsetDateTime,
) -> Result<()> {
    let consent = Consent {
        connection_id: held.connection_id,
        flow_id: None,
        relink: held.relink_id.map(|id| (id, asked_at)),
        device_id: Some(held.id),
        who: who(held),
    };
    let (outcome, why) = consent::receive(app, &consent, caller, given, is_known).await?;
    let state = match outcome {
        Outcome::Done => return Ok(()),
        Outcome::WrongAccount => DeviceState::WrongAccount,
        Outcome::Denied => DeviceState::Denied,
        Outcome::Expired => DeviceState::Expired,
        Outcome::Failed | Outcome::MissingScope => DeviceState::Failed,
    };
    end_as(app, held, state, outcome, &why).await
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
            end(app, held, DeviceState::Denied, &refusal.to_string()).await
        }
        (Some("expired_token"), _) => {
            end(app, held, DeviceState::Expired, &refusal.to_string()).await
        }
        (_, ErrorClass::Transient | ErrorClass::RateLimited | ErrorClass::AnswerLost) => {
            let slower = interval.saturating_mul(2).min(interval.max(SLOWEST));
            again(app, held, slower, refusal.class == ErrorClass::AnswerLost, wait).await
        }
        (_, ErrorClass::GrantRefused) if held.answer_lost => {
            let why = "an answer was lost on the way, and the code was spent with it; begin again";
            end(app, held, DeviceState::Failed, why).await
        }
        _ => end(app, held, DeviceState::Failed, &refusal.to_string()).await,
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
async fn end(app: &App, held: &Held, state: DeviceState, why: &str) -> Result<()> {
    let outcome = match state {
        DeviceState::Denied => Outcome::Denied,
        DeviceState::Expired => Outcome::Expired,
        DeviceState::WrongAccount => Outcome::WrongAccount,
        DeviceState::Waiting | DeviceState::Done | DeviceState::Failed => Outcome::Failed,
    };
    end_as(app, held, state, outcome, why).await
}

/// [`end`], where more is known than the device authorization says.
async fn end_as(
    app: &App,
    held: &Held,
    state: DeviceState,
    outcome: Outcome,
    why: &str,
) -> Result<()> {
    let mut tx = app.begin().await?;
    let connection = load(&mut tx, held.connection_id).await?;
    if !store::device::fail(&mut tx, held, state, Some(why)).await? {
        return Ok(());
    }
    if let Some(id) = held.relink_id {
        store::relink::note_failure(&mut tx, id, outcome, why, app.now()).await?;
    }
    let subject = Subject::new(connection.id, connection.name());
    let detail = json!({ "outcome": state.as_str(), "why": why });
    audit::record(app, &mut tx, who(held), "connection.consent_failed", subject, detail).await?;
    tx.commit().await?;
    Ok(())
}

/// Who began it.
fn who(held: &Held) -> Who<'_> {
    Who { kind: &held.actor_kind, id: held.actor_id, label: &held.actor_label }
}
