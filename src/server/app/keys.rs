//! Data keys: opening them at the start, replacing them as they age, rewrapping them under another
//! master key.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretBox, SecretString};
use serde_json::json;
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::{
    Actor, App, Error, Result,
    audit::{self, Subject, Who},
};
use crate::server::{
    clock::Rng,
    secret::{
        master::MasterKey,
        seal::{self, KEY_BYTES, Keyring, MAX_AGE, MAX_USES, Place},
    },
    store::{self, data_key::WrappedKey},
};

const SEAL: &str = "seal";
const FINGERPRINT: &str = "fingerprint";
/// How many rows are sealed anew in one transaction.
const BATCH: i64 = 500;

/// Opens the stored data keys, making the first ones when there are none. Fails with a clear
/// sentence when they were wrapped by another master key.
pub async fn open(
    pool: &PgPool,
    master: &MasterKey,
    rng: &dyn Rng,
    now: OffsetDateTime,
) -> anyhow::Result<Keyring> {
    let mut tx = pool.begin().await?;
    store::data_key::lock(&mut tx).await?;
    for purpose in [FINGERPRINT, SEAL] {
        let stored = store::data_key::list(&mut tx).await?;
        if !stored.iter().any(|key| key.purpose == purpose) {
            insert(&mut tx, master, rng, purpose, now).await?;
        }
    }
    let stored = store::data_key::list(&mut tx).await?;
    tx.commit().await?;
    let mut keys = BTreeMap::new();
    let mut fingerprint = None;
    for key in &stored {
        let opened = master.unwrap_key(&key.purpose, &key.sealed_key)?;
        if key.purpose == SEAL {
            keys.insert(key.id, opened);
        } else {
            fingerprint.get_or_insert(opened);
        }
    }
    let fingerprint = fingerprint.ok_or_else(|| anyhow::anyhow!("the fingerprint key is gone"))?;
    Ok(Keyring::new(keys, fingerprint))
}

async fn insert(
    conn: &mut PgConnection,
    master: &MasterKey,
    rng: &dyn Rng,
    purpose: &str,
    now: OffsetDateTime,
) -> anyhow::Result<(i32, SecretBox<[u8; KEY_BYTES]>)> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    rng.fill(key.as_mut());
    let id = store::data_key::insert(conn, purpose, &master.wrap(rng, purpose, &key), now).await?;
    Ok((id, SecretBox::new(Box::new(*key))))
}

/// Wraps every data key with `new` in place of `old`; no sealed value changes. Running processes
/// keep the keys they opened.
pub async fn rewrap(
    pool: &PgPool,
    old: &MasterKey,
    new: &MasterKey,
    rng: &dyn Rng,
    now: OffsetDateTime,
) -> anyhow::Result<usize> {
    let mut tx = pool.begin().await?;
    store::data_key::lock(&mut tx).await?;
    let stored = store::data_key::list(&mut tx).await?;
    for WrappedKey { id, sealed_key, purpose, .. } in &stored {
        let key = old.unwrap_key(purpose, sealed_key)?;
        store::data_key::rewrap(&mut tx, *id, &new.wrap(rng, purpose, key.expose_secret())).await?;
    }
    let subject = Subject { id: None, label: "master key" };
    let detail = json!({ "data_keys": stored.len() });
    let who = Who::from(&Actor::Operator);
    audit::write(&mut tx, rng, now, who, "key.rewrap", subject, detail).await?;
    tx.commit().await?;
    Ok(stored.len())
}

/// Makes a new data key for all that is sealed from now on. The old ones go on opening.
pub async fn rotate(app: &App, actor: &Actor) -> Result<i32> {
    let mut tx = app.begin().await?;
    store::data_key::lock(&mut tx).await.map_err(Error::from)?;
    // If another master key wraps the newest by now, ours is not to wrap another.
    if let Some(newest) = store::data_key::list(&mut tx).await?.last() {
        app.master()
            .unwrap_key(&newest.purpose, &newest.sealed_key)
            .map_err(|error| Error::Internal(error.into()))?;
    }
    let (id, key) = insert(&mut tx, app.master(), app.rng(), SEAL, app.now()).await?;
    let subject = Subject::new(id, "data key");
    audit::record(app, &mut tx, actor, "key.rotate", subject, json!({})).await?;
    tx.commit().await?;
    app.keyring().add(id, key);
    Ok(id)
}

/// Writes down how much this process sealed, takes over keys that others made, and makes a new one
/// when the newest has sealed too much or is too old.
pub async fn maintain(app: &App) -> Result<()> {
    let mut conn = app.pool().acquire().await?;
    if let Some(current) = app.keyring().current() {
        let uses = app.keyring().take_uses();
        if uses > 0 {
            store::data_key::count_uses(&mut conn, current, uses).await?;
        }
    }
    let stored = store::data_key::list(&mut conn).await?;
    drop(conn);
    adopt(app, &stored)?;
    let newest = stored.iter().rfind(|key| key.purpose == SEAL);
    if newest.is_none_or(|key| key.uses >= MAX_USES || key.created_at + MAX_AGE <= app.now()) {
        let id = rotate(app, &Actor::System).await?;
        tracing::info!(key = id, "made a new data key");
    }
    Ok(())
}

fn adopt(app: &App, stored: &[WrappedKey]) -> Result<()> {
    let known = app.keyring().current().unwrap_or_default();
    for key in stored.iter().filter(|key| key.purpose == SEAL && key.id > known) {
        let opened = app
            .master()
            .unwrap_key(SEAL, &key.sealed_key)
            .map_err(|error| Error::Internal(error.into()))?;
        app.keyring().add(key.id, opened);
    }
    Ok(())
}

/// Seals some rows anew that hold what older keys sealed. `0`: nothing is left that can be done now. What does not open stays
/// as it is, and keeps nothing else from being sealed anew; [`count_left`] says how much that is.
pub async fn reseal_some(app: &App) -> Result<usize> {
    loop {
        let Some(newest) = app.keyring().current() else { return Ok(0) };
        if app.keyring().is_sealed_anew(newest) {
            return Ok(0);
        }
        match reseal_batch(app, newest).await? {
            // All of them were damaged. They are passed over from now on.
            Some(0) if app.stopping().is_cancelled() => return Ok(0),
            Some(0) => {}
            Some(done) => return Ok(done),
            None => {
                let mut conn = app.pool().acquire().await?;
                let (current, damaged) = (newest.to_be_bytes(), app.keyring().damaged());
                // What somebody else has locked was passed over: it is looked at again.
                if store::sealed::count_stale(&mut conn, &current, &damaged).await? == 0 {
                    app.keyring().set_sealed_anew(newest);
                    if !damaged.is_empty() {
                        let left = store::sealed::count_stale(&mut conn, &current, &[]).await?;
                        tracing::error!(
                            left,
                            "rows can't be sealed anew: they hold what does not open"
                        );
                    }
                }
                return Ok(0);
            }
        }
    }
}

/// How many rows hold what another key than the newest sealed.
pub async fn count_left(app: &App) -> Result<i64> {
    let Some(newest) = app.keyring().current() else { return Ok(0) };
    let mut conn = app.pool().acquire().await?;
    Ok(store::sealed::count_stale(&mut conn, &newest.to_be_bytes(), &[]).await?)
}

/// How many rows were sealed anew. `None`: there were none to be.
async fn reseal_batch(app: &App, newest: i32) -> Result<Option<usize>> {
    let (current, damaged) = (newest.to_be_bytes(), app.keyring().damaged());
    let mut done = 0;
    let mut tx = app.begin().await?;
    let mut sets = store::sealed::stale_token_sets(&mut tx, &current, &damaged, BATCH).await?;
    for set in &mut sets {
        let (row, generation) = (set.connection_id, set.generation);
        let mut is_whole = true;
        for (column, value) in [
            ("sealed_access_token", &mut set.sealed_access_token),
            ("sealed_refresh_token", &mut set.sealed_refresh_token),
            ("sealed_extras", &mut set.sealed_extras),
        ] {
            let place = Place { table: "token_sets", column, row, generation };
            is_whole &= reseal(app, &mut tx, place, value).await?;
        }
        store::sealed::reseal_token_set(&mut tx, set).await?;
        done += usize::from(is_whole);
    }
    let mut secrets =
        store::sealed::stale_client_secrets(&mut tx, &current, &damaged, BATCH).await?;
    for row in &mut secrets {
        let place = super::client::secret_place(row.id, row.secret_generation);
        let mut is_whole = reseal(app, &mut tx, place, &mut row.sealed_client_secret).await?;
        let place = super::client::next_secret_place(row.id, row.next_secret_generation);
        is_whole &= reseal(app, &mut tx, place, &mut row.sealed_next_secret).await?;
        store::sealed::reseal_client_secrets(&mut tx, row).await?;
        done += usize::from(is_whole);
    }
    tx.commit().await?;
    Ok((!sets.is_empty() || !secrets.is_empty()).then_some(done))
}

/// Seals a value anew, if there is one. `false`: it does not open, and stays as it is.
async fn reseal(
    app: &App,
    conn: &mut PgConnection,
    place: Place,
    value: &mut Option<Vec<u8>>,
) -> Result<bool> {
    let Some(sealed) = value else { return Ok(true) };
    let mut opened = app.keyring().open(place, sealed);
    if let Err(seal::Error::UnknownKey(_)) = opened {
        adopt(app, &store::data_key::list(conn).await?)?;
        opened = app.keyring().open(place, sealed);
    }
    match opened {
        Ok(plain) => {
            *value = Some(app.keyring().seal(app.rng(), place, &plain)?);
            Ok(true)
        }
        Err(error) => {
            let (table, column, row) = (place.table, place.column, place.row);
            tracing::error!(table, column, %row, %error, "a value can't be sealed anew");
            app.keyring().note_damaged(row);
            Ok(false)
        }
    }
}

/// Opens a sealed text. A key that another replica made a moment ago is fetched first.
pub(super) async fn open_text(
    app: &App,
    conn: &mut PgConnection,
    place: Place,
    sealed: &[u8],
) -> Result<SecretString> {
    match app.keyring().open_text(place, sealed) {
        Err(seal::Error::UnknownKey(_)) => {
            adopt(app, &store::data_key::list(conn).await?)?;
            Ok(app.keyring().open_text(place, sealed)?)
        }
        other => Ok(other?),
    }
}

/// [`open_text`] for who holds no connection: the database is asked only for a key that is not known.
pub(super) async fn open_token(app: &App, place: Place, sealed: &[u8]) -> Result<SecretString> {
    match app.keyring().open_text(place, sealed) {
        // In a box: it is rare, and is not to make every read of a token larger.
        Err(seal::Error::UnknownKey(_)) => {
            Box::pin(async {
                let mut conn = app.pool().acquire().await?;
                open_text(app, &mut conn, place, sealed).await
            })
            .await
        }
        other => Ok(other?),
    }
}
