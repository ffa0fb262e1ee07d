//! Keys for programs.

use secrecy::ExposeSecret;
use serde_json::json;
use time::Duration;
use uuid::Uuid;

use super::{Actor, App, Error, Result, audit, audit::Subject};
use crate::{
    domain::{
        access::{Permission, Scope},
        api_key::{ApiKey, CreatedApiKey, PREFIX},
    },
    server::{
        secret::token,
        store::{self, api_key::LiveKey},
    },
};

/// That a key is in use is noted at most so often.
const USE_NOTED: Duration = Duration::minutes(1);

pub async fn list(app: &App, actor: &Actor) -> Result<Vec<ApiKey>> {
    actor.require(Permission::ApiKeysRead)?;
    let mut conn = app.pool().acquire().await?;
    Ok(store::api_key::list(&mut conn).await?)
}

pub async fn get(app: &App, actor: &Actor, id: Uuid) -> Result<ApiKey> {
    actor.require(Permission::ApiKeysRead)?;
    let mut conn = app.pool().acquire().await?;
    store::api_key::find(&mut conn, id).await?.ok_or(Error::NotFound("API key"))
}

/// Makes a key. Its text is in the answer and nowhere else.
pub async fn create(
    app: &App,
    actor: &Actor,
    name: &str,
    scopes: &[Scope],
) -> Result<CreatedApiKey> {
    actor.require(Permission::ApiKeysWrite)?;
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 200 {
        return Err(Error::invalid("name", "must have 1 to 200 characters"));
    }
    if scopes.is_empty() {
        return Err(Error::invalid(
            "scopes",
            "choose at least one: a key without any can do nothing",
        ));
    }
    let secret = token::make(app.rng(), PREFIX);
    let api_key = ApiKey {
        id: app.new_id(),
        name: name.into(),
        hint: token::hint(&secret, PREFIX),
        scopes: scopes.to_vec(),
        created_at: app.now(),
        last_used_at: None,
        revoked_at: None,
    };
    let mut tx = app.begin().await?;
    store::api_key::insert(&mut tx, &api_key, &token::hash(secret.expose_secret())).await?;
    let subject = Subject::new(api_key.id, name);
    audit::record(app, &mut tx, actor, "api_key.create", subject, json!({ "scopes": scopes }))
        .await?;
    tx.commit().await?;
    Ok(CreatedApiKey { api_key, key: secret.expose_secret().into() })
}

pub async fn revoke(app: &App, actor: &Actor, id: Uuid) -> Result<()> {
    actor.require(Permission::ApiKeysWrite)?;
    let mut tx = app.begin().await?;
    let key = store::api_key::find(&mut tx, id).await?.ok_or(Error::NotFound("API key"))?;
    if store::api_key::revoke(&mut tx, id, app.now()).await? {
        let subject = Subject::new(id, &key.name);
        audit::record(app, &mut tx, actor, "api_key.revoke", subject, json!({})).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// The actor behind a key. `Unauthenticated`: unknown or revoked.
pub async fn authenticate(app: &App, key: &str) -> Result<Actor> {
    let mut conn = app.pool().acquire().await?;
    let key = store::api_key::find_live(&mut conn, &token::hash(key)).await?;
    drop(conn);
    admit(app, key.ok_or(Error::Unauthenticated)?).await
}

/// The actor behind a key that was found. That it was used is noted now and then: no read of a token
/// waits for a write each time.
pub(super) async fn admit(app: &App, key: LiveKey) -> Result<Actor> {
    let now = app.now();
    let before = now - USE_NOTED;
    if key.last_used_at.is_none_or(|used| used <= before) {
        // In a box: it is rare, and is not to make every request larger.
        Box::pin(async {
            let mut conn = app.pool().acquire().await?;
            store::api_key::touch(&mut conn, key.id, before, now).await?;
            Ok::<_, Error>(())
        })
        .await?;
    }
    Ok(Actor::ApiKey { id: key.id, name: key.name, scopes: key.scopes })
}
