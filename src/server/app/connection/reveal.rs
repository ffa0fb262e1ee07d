//! Showing a live access token to a person: an admin, who has just entered the password again.
//!
//! In two steps, so that the token stands in the answer to no form, which a browser would send again
//! when it goes back: the password earns a permit, which is good for one look within seconds.

use serde::{Deserialize, Serialize};
use serde_json::json;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{get, token};
use crate::{
    domain::{
        access::Permission,
        revealed::{RevealedToken, SHOWN},
    },
    server::app::{
        Actor, App, Error, Result, audit,
        audit::Subject,
        session::{self, Origin},
    },
};

/// Lets one person look at the token of one connection, once and soon.
#[derive(Serialize, Deserialize)]
pub struct Permit {
    user_id: Uuid,
    connection_id: Uuid,
    #[serde(with = "time::serde::rfc3339")]
    until: OffsetDateTime,
}

/// Gives a permit for the right password. `Invalid`: it was wrong; `RateLimited`: it was too often.
pub async fn permit(
    app: &App,
    actor: &Actor,
    origin: &Origin,
    id: Uuid,
    password: String,
) -> Result<Permit> {
    actor.require(Permission::TokensRead)?;
    let user_id = actor.user_id()?;
    let connection = get(app, actor, id).await?;
    if let Err(error) = session::prove(app, actor, origin, "password", password).await {
        if let Error::Invalid(_) = error {
            let subject = Subject::new(id, connection.name());
            let detail = json!({ "address": origin.address });
            let mut conn = app.pool().acquire().await?;
            audit::record(app, &mut conn, actor, "token.refused", subject, detail).await?;
        }
        return Err(error);
    }
    Ok(Permit { user_id, connection_id: id, until: app.now() + SHOWN })
}

/// The token, for whoever has a permit; `None`: not with this one.
pub async fn reveal(
    app: &App,
    actor: &Actor,
    id: Uuid,
    permit: Option<Permit>,
) -> Result<Option<RevealedToken>> {
    actor.require(Permission::TokensRead)?;
    let user_id = actor.user_id()?;
    let connection = get(app, actor, id).await?;
    let holds = |permit: &Permit| {
        (permit.user_id, permit.connection_id) == (user_id, id) && app.now() < permit.until
    };
    if !permit.as_ref().is_some_and(holds) {
        return Ok(None);
    }
    let live = token(app, actor, id, Duration::ZERO).await?;
    let mut conn = app.pool().acquire().await?;
    let subject = Subject::new(id, connection.name());
    let detail = json!({ "token": "access_token", "generation": live.generation });
    audit::record(app, &mut conn, actor, "token.revealed", subject, detail).await?;
    Ok(Some(RevealedToken {
        as_of: app.now(),
        connection_id: id,
        connection: connection.name().to_owned(),
        access_token: secrecy::ExposeSecret::expose_secret(&live.access_token).to_owned(),
        token_type: live.token_type,
        expires_at: live.expires_at,
        generation: live.generation,
    }))
}
