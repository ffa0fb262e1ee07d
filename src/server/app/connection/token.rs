//! Reading live access tokens: what programs ask for more often than for anything else.

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{load, reader};
use crate::{
    domain::{
        access::Permission, attempt::Trigger, connection::StateName, problem::Obstacle,
        provider::Profile,
    },
    server::{
        app::{
            Actor, App, Error, Result, api_key, grant, keys,
            refresh::{self, Ask, turn},
            token_reader,
        },
        secret::token,
        store::{self, token_set::Held},
    },
};

/// A reader who wants more of a token's life than this part of it gets what there is.
const MOST_OF_LIFE: f64 = 0.8;

/// A live access token.
pub struct LiveToken {
    pub access_token: SecretString,
    pub token_type: String,
    pub expires_at: Option<OffsetDateTime>,
    pub scopes: Vec<String>,
    pub generation: i64,
    /// What the provider said beside it.
    pub extras: grant::Extras,
}

/// A live access token, refreshed first if it has less than `min_ttl` left. When refreshing fails
/// and the token still lives, the token is given all the same (DESIGN section 3, point 5).
pub async fn token(app: &App, actor: &Actor, id: Uuid, min_ttl: Duration) -> Result<LiveToken> {
    actor.require(Permission::TokensRead)?;
    let held = find(app, id).await?;
    give(app, actor, held, min_ttl).await
}

/// [`token`] for whoever holds an API key. A token that will do costs one question to the database,
/// the key's included.
pub async fn token_for_key(app: &App, key: &str, id: Uuid, min_ttl: Duration) -> Result<LiveToken> {
    let found = reader::find(app, token::hash(key), id).await?;
    let (key, held) = found.ok_or(Error::Unauthenticated)?;
    let actor = api_key::admit(app, key).await?;
    actor.require(Permission::TokensRead)?;
    give(app, &actor, held.ok_or(MISSING)?, min_ttl).await
}

const MISSING: Error = Error::NotFound("connection");

async fn find(app: &App, id: Uuid) -> Result<Held> {
    let mut conn = app.pool().acquire().await?;
    store::token_set::find_held(&mut conn, id).await?.ok_or(MISSING)
}

async fn give(app: &App, actor: &Actor, mut held: Held, min_ttl: Duration) -> Result<LiveToken> {
    match held.state {
        StateName::Pending => {
            return Err(Error::conflict(
                Obstacle::AwaitingConsent,
                "Nobody has given consent to this connection yet.",
            ));
        }
        StateName::Disconnected => {
            return Err(Error::disconnected());
        }
        _ => {}
    }
    let id = held.connection_id;
    if wants_refresh(&held, app.now(), min_ttl) {
        // It is rare, and what it needs room for is not to be carried through every read.
        if let Err(error) = Box::pin(refresh_now(app, actor, &held)).await {
            tracing::debug!(connection = %id, error = format!("{error:#}"), "no refresh on demand");
        }
        held = Box::pin(find(app, id)).await?;
    }
    if !lives(&held, app.now()) {
        return Err(Box::pin(nothing_to_give(app, &held)).await?);
    }
    let live = open(app, held).await?;
    token_reader::note(app, actor, id);
    Ok(live)
}

/// Why there is no token, and when it makes sense to ask again.
async fn nothing_to_give(app: &App, held: &Held) -> Result<Error> {
    if let Some(reason) = held.reason {
        return Ok(Error::ReauthRequired(reason));
    }
    let mut conn = app.pool().acquire().await?;
    let connection = load(&mut conn, held.connection_id).await?;
    let now = app.now();
    let paused = connection.pause_ends(now);
    let why = match paused {
        Some(until) => {
            format!("The access token has expired. {}", turn::paused(&turn::REFRESH, until))
        }
        None => {
            "The access token has expired and could not be refreshed just now. Regrant goes on \
                 trying."
                .into()
        }
    };
    let due = held.due_at.filter(|_| held.state == StateName::Retrying);
    Ok(Error::ProviderUnavailable { why, retry_after: paused.max(due).map(|at| at - now) })
}

async fn refresh_now(app: &App, actor: &Actor, held: &Held) -> Result<()> {
    let mut conn = app.pool().acquire().await?;
    let connection = load(&mut conn, held.connection_id).await?;
    drop(conn);
    // Somebody has refreshed it since we looked: that is what is wanted.
    if connection.generation != held.generation {
        return Ok(());
    }
    refresh::now(app, &connection, Ask::new(Trigger::Demand, actor), false).await.map(drop)
}

/// Whether a reader's wish is worth a request: not for more life than a fresh token has, and not
/// while the provider is being given time.
fn wants_refresh(held: &Held, now: OffsetDateTime, min_ttl: Duration) -> bool {
    let full = held.access_expires_at.zip(held.obtained_at);
    let most = full.map_or(min_ttl, |(end, from)| min_ttl.min((end - from) * MOST_OF_LIFE));
    let waits = matches!(held.state, StateName::Retrying | StateName::InDoubt)
        && held.due_at.is_some_and(|due| due > now);
    !waits && !lives(held, now + most.max(Duration::ZERO))
}

fn lives(held: &Held, until: OffsetDateTime) -> bool {
    held.access_expires_at.is_none_or(|end| end > until)
}

async fn open(app: &App, held: Held) -> Result<LiveToken> {
    let extras = extras(app, &held).await?;
    let Some(sealed) = held.sealed_access_token else {
        return Err(Error::conflict(Obstacle::NoTokens, "This connection holds no access token."));
    };
    let place = grant::access_place(held.connection_id, held.generation);
    Ok(LiveToken {
        access_token: keys::open_token(app, place, &sealed).await?,
        token_type: held.token_type.unwrap_or_default(),
        expires_at: held.access_expires_at,
        scopes: held.scopes_granted,
        generation: held.generation,
        extras,
    })
}

async fn extras(app: &App, held: &Held) -> Result<grant::Extras> {
    let Some(sealed) = &held.sealed_extras else { return Ok(grant::Extras::new()) };
    let place = grant::extras_place(held.connection_id, held.generation);
    Ok(serde_json::from_str(keys::open_token(app, place, sealed).await?.expose_secret())?)
}

/// What people may see of what the provider said beside the tokens.
pub(super) async fn open_extras(
    app: &App,
    conn: &mut PgConnection,
    profile: &Profile,
    id: Uuid,
) -> Result<Vec<(String, String)>> {
    if profile.response.extras.iter().all(|extra| extra.encrypted) {
        return Ok(Vec::new());
    }
    let held = store::token_set::find_held(conn, id).await?;
    let Some((generation, sealed)) =
        held.and_then(|held| Some((held.generation, held.sealed_extras?)))
    else {
        return Ok(Vec::new());
    };
    let text = keys::open_text(app, conn, grant::extras_place(id, generation), &sealed).await?;
    let mut known: grant::Extras = serde_json::from_str(text.expose_secret())?;
    let open = profile.response.extras.iter().filter(|extra| !extra.encrypted);
    let shown = |value: Value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    Ok(open
        .filter_map(|extra| Some((extra.name.clone(), shown(known.remove(&extra.name)?))))
        .collect())
}
