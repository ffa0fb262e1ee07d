//! Asking the provider how the tokens are. Its word changes nothing here: a refresh decides.

use serde_json::json;
use uuid::Uuid;

use super::{Actor, App, Error, Result, audit, audit::Subject, grant, load, load_for_update, make};
use crate::{
    domain::{access::Permission, introspection::Introspection, problem::Obstacle},
    server::{app::client::Caller, provider},
};

/// What the provider says of the connection's tokens (RFC 7662).
pub async fn introspect(app: &App, actor: &Actor, id: Uuid) -> Result<Introspection> {
    actor.require(Permission::ConnectionsRefresh)?;
    let mut conn = app.pool().acquire().await?;
    let connection = load(&mut conn, id).await?;
    let caller = Caller::load(app, &mut conn, connection.client_id, Vec::new()).await?;
    let caller = caller.for_connection(&connection);
    let name = &caller.profile.name;
    if caller.profile.endpoints.introspection.is_none() {
        return Err(Error::conflict(
            Obstacle::NotOffered,
            format!("{name} can't be asked about tokens."),
        ));
    }
    let tokens = grant::open(app, &mut conn, id, connection.generation).await?;
    drop(conn);
    let Some(access) = tokens.access else {
        return Err(Error::conflict(Obstacle::NoTokens, "This connection holds no token."));
    };
    let registration = caller.registration();
    let ask = async |hint, token| {
        let asked = provider::introspect::introspect(app.http(), &registration, hint, token);
        asked.await.map_err(|refusal| make::unavailable(refusal.told(name, "an answer"), &refusal))
    };
    let access_token = ask("access_token", &access).await?;
    let refresh_token = match &tokens.refresh {
        Some(token) => Some(ask("refresh_token", token).await?),
        None => None,
    };
    let said = Introspection { access_token, refresh_token, asked_at: app.now() };
    let mut tx = app.begin().await?;
    if load_for_update(&mut tx, id).await?.generation != connection.generation {
        return Err(Error::conflict(
            Obstacle::Changed,
            "Its tokens were replaced meanwhile. Ask again.",
        ));
    }
    let subject = Subject::new(id, connection.name());
    let detail = json!({ "said": said.liveness().as_str() });
    audit::record(app, &mut tx, actor, "connection.introspect", subject, detail).await?;
    tx.commit().await?;
    Ok(said)
}
