//! The end of a connection: told to the provider or not, forgotten here.

use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    Actor, App, Error, Result, audit, audit::Subject, consent, grant, load, load_for_update,
    refresh,
};
use crate::{
    domain::{
        access::Permission,
        audit::AuditFilter,
        connection::{Connection, State, Told},
        problem::Obstacle,
        relink::Ended,
    },
    server::{
        app::client::Caller,
        provider,
        store::{self, Of},
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
    // Its tokens would come after the end, and nobody could revoke them.
    consent::refuse_on_its_way(app, &mut conn, id).await?;
    drop(conn);
    let (told, revoked) = match revoke {
        _ if connection.generation == 0 => (Told::Nothing, Some(0)),
        true => {
            let (is_told, generation) = revoke_tokens(app, id).await?;
            (if is_told { Told::Told } else { Told::Unable }, Some(generation))
        }
        false => (Told::NotAsked, None),
    };
    let mut tx = app.begin().await?;
    let connection = load_for_update(&mut tx, id).await?;
    if revoked.is_some_and(|generation| generation != connection.generation) {
        return Err(Error::conflict(
            Obstacle::Changed,
            "Somebody has just given consent anew, and the provider does not know that this is over. \
             Disconnect again.",
        ));
    }
    consent::void_waiting(app, &mut tx, Of::Connection(id)).await?;
    let now = app.now();
    store::connection::disconnect(&mut tx, id, now).await?;
    store::token_set::forget(&mut tx, id, now).await?;
    store::relink::end_open(&mut tx, id, Ended::Revoked, now).await?;
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

/// Tells the provider: whether it could be told, and about which generation. The lease is held
/// meanwhile: a refresh under way would bring a token that nobody revokes.
async fn revoke_tokens(app: &App, id: Uuid) -> Result<(bool, i64)> {
    let (connection, held) = refresh::hold(app, id).await?;
    let told = tell(app, &connection).await;
    if let (Err(_), Some(held)) = (&told, held) {
        held.release(app).await?;
    }
    Ok((told?, connection.generation))
}

async fn tell(app: &App, connection: &Connection) -> Result<bool> {
    let (id, generation) = (connection.id, connection.generation);
    let mut conn = app.pool().acquire().await?;
    let caller = Caller::load(app, &mut conn, connection.client_id, Vec::new()).await?;
    let caller = caller.for_connection(connection);
    let grant::Open { access, refresh } = grant::open(app, &mut conn, id, generation).await?;
    drop(conn);
    if access.is_none() && refresh.is_none() {
        return Ok(false);
    }
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
