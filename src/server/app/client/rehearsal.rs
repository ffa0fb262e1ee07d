//! Replacing a secret with a rehearsal: one connection is refreshed with the next secret, and only
//! when that works does it take the place of the one in use. Until then nothing has changed.

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Actor, App, Error, Result, audit, audit::Subject};
use crate::{
    domain::{
        access::Permission,
        audit::AuditFilter,
        client::{Client, StateName},
        problem::Obstacle,
        rehearsal::{Prospects, UNREADABLE},
    },
    server::{
        app::{keys, provider},
        store::{
            self,
            client::{Stored, next_secret},
        },
    },
};

/// How the log calls it that a rehearsed secret took its place.
const PROMOTED: &str = "client.secret_promoted";

async fn load(conn: &mut PgConnection, id: Uuid) -> Result<Stored> {
    store::client::find_for_update(conn, id).await?.ok_or(Error::NotFound("client"))
}

/// Keeps a secret that is to take the place of the client's, and has it tried.
pub async fn set(app: &App, actor: &Actor, id: Uuid, secret: SecretString) -> Result<Client> {
    actor.require(Permission::ClientsWrite)?;
    let mut tx = app.begin().await?;
    let client = load(&mut tx, id).await?;
    let profile = provider::load(app, &mut tx, &client.provider).await?;
    if !profile.needs_client_secret() {
        return Err(Error::invalid("client_secret", "this provider asks for none"));
    }
    super::check_secret(&profile, &secret)?;
    if !next_secret::has_understudy(&mut tx, id).await? {
        return Err(Error::conflict(
            Obstacle::NoConnection,
            "This client has no connection that the secret could be tried with. Replace the secret \
             at once instead.",
        ));
    }
    let generation = client.next_secret_generation + 1;
    let place = super::next_secret_place(id, generation);
    let sealed = app.keyring().seal(app.rng(), place, secret.expose_secret().as_bytes())?;
    next_secret::set(&mut tx, id, &sealed, generation, app.now()).await?;
    let subject = Subject::new(id, &client.name);
    audit::record(app, &mut tx, actor, "client.set_next_secret", subject, json!({})).await?;
    tx.commit().await?;
    app.wake_worker();
    super::get(app, &Actor::System, id).await
}

/// Whether a secret can be rehearsed, and whether the one in use was.
pub async fn prospects(app: &App, actor: &Actor, id: Uuid) -> Result<Prospects> {
    actor.require(Permission::ClientsRead)?;
    let mut conn = app.pool().acquire().await?;
    let client = super::load_bare(&mut conn, id).await?;
    let filter = AuditFilter {
        action: Some(PROMOTED.into()),
        subject: Some(id.to_string()),
        from: client.secret_set_at,
        ..AuditFilter::default()
    };
    let last = store::audit::list(&mut conn, &filter, None, 1).await?;
    Ok(Prospects {
        proved_at: last.first().map(|entry| entry.at).filter(|_| client.secret_set_at.is_some()),
        has_understudy: next_secret::has_understudy(&mut conn, id).await?,
    })
}

/// Forgets the next secret.
pub async fn drop(app: &App, actor: &Actor, id: Uuid) -> Result<()> {
    actor.require(Permission::ClientsWrite)?;
    let mut tx = app.begin().await?;
    let client = load(&mut tx, id).await?;
    if client.next_secret.is_some() {
        next_secret::clear(&mut tx, id, app.now()).await?;
        let subject = Subject::new(id, &client.name);
        audit::record(app, &mut tx, actor, "client.drop_next_secret", subject, json!({})).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Has the next secret tried at once, also if it was refused before.
pub async fn begin(app: &App, actor: &Actor, id: Uuid) -> Result<Client> {
    actor.require(Permission::ClientsWrite)?;
    let mut tx = app.begin().await?;
    let client = load(&mut tx, id).await?;
    if client.next_secret.is_none() {
        return Err(Error::conflict(
            Obstacle::NothingToDo,
            "This client has no next secret to try.",
        ));
    }
    next_secret::try_again(&mut tx, id, app.now()).await?;
    let subject = Subject::new(id, &client.name);
    audit::record(app, &mut tx, actor, "client.rehearse", subject, json!({})).await?;
    tx.commit().await?;
    app.wake_worker();
    super::get(app, &Actor::System, id).await
}

/// Notes that the provider refused the next secret of this generation. Nothing else changes.
pub(in crate::server::app) async fn refuse(
    app: &App,
    conn: &mut PgConnection,
    id: Uuid,
    generation: i64,
    said: &str,
) -> Result<()> {
    if let Some(name) = next_secret::refuse(conn, id, generation, said).await? {
        let subject = Subject::new(id, &name);
        let detail = json!({ "provider_said": said });
        audit::record(app, conn, &Actor::System, "client.next_secret_refused", subject, detail)
            .await?;
    }
    Ok(())
}

/// Puts the next secret of this generation in the place of the one in use, now that a refresh with
/// it has worked; what waited for it resumes. The caller holds the client's row.
pub(in crate::server::app) async fn promote(
    app: &App,
    conn: &mut PgConnection,
    id: Uuid,
    generation: i64,
    connection_id: Uuid,
) -> Result<()> {
    let Some(mut client) = store::client::find_bare(conn, id).await? else { return Ok(()) };
    let Some(sealed) = client.sealed_next_secret.take() else { return Ok(()) };
    if client.next_secret_generation != generation {
        return Ok(());
    }
    let place = super::next_secret_place(id, generation);
    let secret = match keys::open_text(app, conn, place, &sealed).await {
        Ok(secret) => secret,
        // The grant that proved it must be stored all the same.
        Err(Error::Internal(error)) if error.downcast_ref::<store::Error>().is_none() => {
            tracing::error!(client = %id, error = format!("{error:#}"), "a secret does not open");
            return refuse(app, conn, id, generation, UNREADABLE).await;
        }
        Err(error) => return Err(error),
    };
    let was = client.state;
    super::set_secret(app, &mut client, &secret)?;
    if was == StateName::CredentialsRejected {
        client.state = StateName::Ready;
        client.state_since = app.now();
        client.state_detail = None;
    }
    client.updated_at = app.now();
    store::client::update(conn, &client).await?;
    next_secret::clear(conn, id, app.now()).await?;
    if client.state != was {
        super::resume(app, conn, id).await?;
    }
    let subject = Subject::new(id, &client.name);
    let detail = json!({ "proved_by": connection_id, "state": client.state });
    audit::record(app, conn, &Actor::System, PROMOTED, subject, detail).await?;
    app.wake_worker();
    Ok(())
}
