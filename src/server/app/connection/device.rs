//! Consent on another device (RFC 8628): a person types a short code there. Here a code is asked for and
//! kept; whether it was typed is asked in [`poll`].

mod poll;

use secrecy::ExposeSecret;
use serde_json::json;
use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

pub use self::poll::{begin_due, run_due};
use super::{
    Actor, App, Error, Result, audit,
    audit::Subject,
    consent, load,
    make::{self, NewConnection},
};
use crate::{
    domain::{
        access::Permission,
        client,
        connection::{Connection, GrantType, State},
        device::{DeviceAuthorization, DeviceState},
        problem::Obstacle,
        provider::GrantType as Offered,
        voice,
    },
    server::{
        app::client::Caller,
        provider,
        secret::seal::Place,
        store::{self, Of, device::NewDevice},
    },
};

/// A provider that does not answer is asked less and less often, but not less than this.
const SLOWEST: i32 = 60;

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
        return Err(Error::conflict(
            Obstacle::NotOffered,
            "This connection needs no person's consent.",
        ));
    }
    if connection.state == State::Disconnected {
        return Err(Error::disconnected());
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
        Some((device, _)) if device.created_at > link.created_at => Err(Error::conflict(
            Obstacle::CodeWaiting,
            format!(
                "Somebody else was given a code for this account, which works until {}.",
                voice::exact(device.expires_at)
            ),
        )),
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
        return Err(Error::conflict(
            Obstacle::NotOffered,
            format!("{name} offers no codes for other devices."),
        ));
    }
    if caller.client.state == client::StateName::Disabled {
        let client = &caller.client.name;
        return Err(Error::conflict(
            Obstacle::ClientDisabled,
            format!("The client {client} is switched off."),
        ));
    }
    let begun = provider::device::begin(app.http(), &caller.registration()).await;
    begun.map_err(|refusal| make::unavailable(refusal.told(name, "a code"), &refusal))
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
    if !store::device::withdraw_idle(conn, Of::Connection(connection_id), now).await? {
        return Err(consent::being_asked());
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
