//! A connection that was stored when nothing asked for its next refresh has none. Where its provider's profile has
//! come to ask for one, because of tokens that came without an expiry or of refresh tokens that idle out (DESIGN
//! section 3, points 9 and 10), it is planned: nobody would look at it again before it is dead. What came
//! without an expiry and was to be refreshed only so that its refresh token does not run out is brought forward. What
//! else has a next refresh keeps it, also where the profile would now have it sooner.

use sqlx::PgConnection;
use time::Duration;
use uuid::Uuid;

use crate::{
    domain::{
        provider::Profile,
        schedule::{self, Policy, TokenClock},
    },
    server::{
        app::{App, Error, Result, grant, provider},
        store::{
            self,
            connection::unplanned::{self, Unplanned},
        },
    },
};

/// So many are planned in one transaction.
const BATCH: i64 = 500;
/// What should have been refreshed before now falls due within this time, spread evenly: as fast as it will be
/// refreshed from then on.
const SPREAD: Duration = schedule::ASSUMED;
/// A next refresh after more than this is brought forward: what is taken to live for an hour falls due well before.
const FAR: Duration = Duration::hours(2);

/// Plans what has no next refresh and needs one by now.
pub async fn plan(app: &App) -> Result<()> {
    let mut conn = app.pool().acquire().await?;
    let clients = store::client::providers(&mut conn).await?;
    drop(conn);
    for (client, slug) in clients {
        // One client's trouble is not the others'.
        if let Err(error) = plan_for(app, client, &slug).await {
            let error = format!("{error:#}");
            tracing::error!(%client, error, "the next refreshes of a client could not be planned");
        }
    }
    Ok(())
}

async fn plan_for(app: &App, client: Uuid, slug: &str) -> Result<()> {
    let mut after = Some(Uuid::nil());
    while let Some(id) = after
        && !app.stopping().is_cancelled()
    {
        after = plan_some(app, client, slug, id).await?;
    }
    while !app.stopping().is_cancelled() && bring_some_forward(app, client, slug).await? {}
    Ok(())
}

/// Plans some of a client's connections behind `after`. Returns the last that was looked at, if there may be more.
async fn plan_some(app: &App, client: Uuid, slug: &str, after: Uuid) -> Result<Option<Uuid>> {
    let mut tx = app.begin().await?;
    let Some(profile) = load(app, &mut tx, slug).await? else { return Ok(None) };
    // Only then there may be a next refresh though no token came with an end.
    let policy = Policy::from(&profile);
    if !policy.assumes_end && policy.idle.is_none() && profile.lifetimes.access_seconds.is_none() {
        return Ok(None);
    }
    let found = unplanned::lock(&mut tx, client, profile.renewal, after, BATCH).await?;
    plan_found(app, &mut tx, client, &profile, &found).await?;
    tx.commit().await?;
    Ok(found.last().filter(|_| fills(found.len())).map(|one| one.id))
}

/// Brings some of a client's connections forward that were planned when nothing was assumed of their access tokens'
/// end. Returns whether there may be more.
async fn bring_some_forward(app: &App, client: Uuid, slug: &str) -> Result<bool> {
    let mut tx = app.begin().await?;
    let Some(profile) = load(app, &mut tx, slug).await? else { return Ok(false) };
    if !Policy::from(&profile).assumes_end || profile.lifetimes.access_seconds.is_some() {
        return Ok(false);
    }
    let now = app.now();
    let found =
        unplanned::lock_far(&mut tx, client, profile.renewal, now, now + FAR, BATCH).await?;
    plan_found(app, &mut tx, client, &profile, &found).await?;
    tx.commit().await?;
    // What was obtained before now and is taken to live for an hour is far off no longer.
    Ok(fills(found.len()))
}

/// The profile, held until the transaction ends. What is gone asks for nothing.
async fn load(app: &App, conn: &mut PgConnection, slug: &str) -> Result<Option<Profile>> {
    match provider::load_for_share(app, conn, slug).await {
        Ok(profile) => Ok(Some(profile)),
        Err(Error::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Sets when each is refreshed next, if it is.
async fn plan_found(
    app: &App,
    conn: &mut PgConnection,
    client: Uuid,
    profile: &Profile,
    found: &[Unplanned],
) -> Result<()> {
    let now = app.now();
    let lifetime = profile.lifetimes.access_seconds.map(schedule::seconds);
    let planned = found.iter().filter_map(|one| {
        let clock = TokenClock {
            obtained_at: one.obtained_at,
            access_expires_at: one
                .access_expires_at
                .or_else(|| lifetime.map(|lifetime| one.obtained_at + lifetime)),
            // It may have been seen to be fixed, which is not written down.
            refresh_expires_at: None,
            renewable: grant::renewable(profile, one.grant_type, one.has_refresh_token),
        };
        let jitter = app.rng().fraction();
        let policy = grant::policy(profile, one.grant_type);
        let due_at = schedule::due_at(&clock, &policy, jitter)?;
        Some((one.id, if due_at < now { now + SPREAD * jitter } else { due_at }))
    });
    let (ids, due): (Vec<_>, Vec<_>) = planned.unzip();
    if !ids.is_empty() {
        unplanned::plan(conn, &ids, &due).await?;
        tracing::info!(%client, count = ids.len(), "planned refreshes that nothing had asked for");
    }
    Ok(())
}

/// Whether so many are all that one transaction takes.
fn fills(count: usize) -> bool {
    i64::try_from(count).is_ok_and(|count| count == BATCH)
}
