//! The end of a connection: told to the provider or not, forgotten here.

use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    Actor, App, Error, Result, audit, audit::Subject, grant, load, load_for_update, refresh,
};
use crate::{
    domain::{
        access::Permission,
        audit::AuditFilter,
        connection::{Connection, State, Told},
        relink::Ended,
    },
    server::{
        app::{client::Caller, keys},
        provider, store,
    },
};

const DISCONNECT: &str = "connection.disconnect";

/// Forgets the tokens. With `revoke` the provider is told first (RFC 7009); when it does not listen,
/// nothing is forgotten and the error says so.
pub async fn disconnect(app: &App, actor: &Actor, id: Uuid, revoke: bool) -> Result<Told> {
    actor.require(Permission::ConnectionsWrite)?;
    let (running, actor) = (app.clone(), actor.clone());
    app.finish(async move { end(&running, &actor, id, revoke).await }).await
}

async fn end(app: &App, actor: &Actor, id: Uuid, revoke: bool) -> Result<Told> {
    let mut conn = app.pool().acquire().await?;
    let connection = load(&mut conn, id).await?;
    if let Some(told) = told(&mut conn, &connection).await? {
        return Ok(told);
    }
    drop(conn);
    let told = match revoke {
        _ if connection.generation == 0 => Told::Nothing,
        true if revoke_tokens(app, id).await? => Told::Told,
        true => Told::Unable,
        false => Told::NotAsked,
    };
    let mut tx = app.begin().await?;
    let connection = load_for_update(&mut tx, id).await?;
    let now = app.now();
    store::connection::disconnect(&mut tx, id, now).await?;
    store::token_set::forget(&mut tx, id, now).await?;
    store::relink::end_open(&mut tx, id, Ended::Revoked, now).await?;
    store::device::withdraw(&mut tx, id).await?;
    store::flow::withdraw(&mut tx, id).await?;
    let subject = Subject::new(id, connection.name());
    let detail = json!({ "revoked_at_provider": told == Told::Told, "provider": told });
    audit::record(app, &mut tx, actor, DISCONNECT, subject, detail).await?;
    tx.commit().await?;
    Ok(told)
}

/// Whether the provider was told, of a connection that was disconnected.
pub(super) async fn told(conn: &mut PgConnection, connection: &Connection) -> Result<Option<Told>> {
    if connection.state != State::Disconnected {
        return Ok(None);
    }
    let filter = AuditFilter {
        action: Some(DISCONNECT.into()),
        subject: Some(connection.id.to_string()),
        ..AuditFilter::default()
    };
    let newest = store::audit::list(conn, &filter, None, 1).await?.into_iter().next();
    let told =
        newest.and_then(|entry| serde_json::from_value(entry.detail["provider"].clone()).ok());
    Ok(Some(told.unwrap_or(Told::NotAsked)))
}

/// Disconnects, and forgets that there ever was such a connection. The audit log remembers.
pub async fn delete(app: &App, actor: &Actor, id: Uuid, revoke: bool) -> Result<()> {
    disconnect(app, actor, id, revoke).await?;
    let mut tx = app.begin().await?;
    let connection = load_for_update(&mut tx, id).await?;
    store::connection::delete(&mut tx, id).await?;
    let subject = Subject::new(id, connection.name());
    audit::record(app, &mut tx, actor, "connection.delete", subject, json!({})).await?;
    tx.commit().await?;
    Ok(())
}

/// Tells the provider. The lease is held meanwhile: a refresh under way would bring a token that
/// nobody revokes.
async fn revoke_tokens(app: &App, id: Uuid) -> Result<bool> {
    let (connection, held) = refresh::hold(app, id).await?;
    let told = tell(app, &connection).await;
    if let (Err(_), Some(held)) = (&told, held) {
        held.release(app).await?;
    }
    told
}

async fn tell(app: &App, connection: &Connection) -> Result<bool> {
    let (id, generation) = (connection.id, connection.generation);
    let mut conn = app.pool().acquire().await?;
    let caller = Caller::load(app, &mut conn, connection.client_id, Vec::new()).await?;
    let caller = caller.for_connection(connection);
    let Some(set) = store::token_set::find(&mut conn, id, generation).await? else {
        return Ok(false);
    };
    let mut open = async |place, sealed: Option<Vec<u8>>| match sealed {
        Some(sealed) => keys::open_text(app, &mut conn, place, &sealed).await.map(Some),
        None => Ok(None),
    };
    let access = open(grant::access_place(id, generation), set.sealed_access_token).await?;
    let refresh = open(grant::refresh_place(id, generation), set.sealed_refresh_token).await?;
    drop(conn);
    let registration = caller.registration();
    provider::revoke::revoke(app.http(), &registration, refresh.as_ref(), access.as_ref())
        .await
        .map_err(|refusal| {
            Error::unavailable(format!(
                "{} could not be told to revoke the tokens ({refusal}). Nothing was changed; try \
                 again, or disconnect without revoking.",
                caller.profile.name
            ))
        })
}
