//! A connection that was stored when nothing asked for its next refresh has none. Where its provider's profile has
//! come to ask for one, because of tokens that came without an expiry or of refresh tokens that idle out (DESIGN
//! section 3, points 9 and 10), it is planned: nobody would look at it again before it is dead. What has a next
//! refresh keeps it, also where the profile would now have it sooner.

use time::Duration;
use uuid::Uuid;

use crate::{
    domain::{
        provider::{Profile, Renewal},
        schedule::{self, Policy, TokenClock},
    },
    server::{
        app::{App, Error, Result, grant, provider},
        store::{self, connection::unplanned},
    },
};

/// So many are planned in one transaction.
const BATCH: i64 = 500;
/// What should have been refreshed before now falls due within this time, spread evenly: as fast as it will be
/// refreshed from then on.
const SPREAD: Duration = schedule::ASSUMED;

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
    Ok(())
}

/// Plans some of a client's connections behind `after`. Returns the last that was looked at, if there may be more.
async fn plan_some(app: &App, client: Uuid, slug: &str, after: Uuid) -> Result<Option<Uuid>> {
    let mut tx = app.begin().await?;
    let profile = match provider::load_for_share(app, &mut tx, slug).await {
        Ok(profile) if asks_for_refreshes(&profile) => profile,
        // What is gone asks for nothing.
        Ok(_) | Err(Error::NotFound(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    let by_client = profile.renewal == Renewal::ClientCredentials;
    let found = unplanned::lock(&mut tx, client, by_client, after, BATCH).await?;
    let now = app.now();
    let planned = found.iter().filter_map(|one| {
        let clock = TokenClock {
            obtained_at: one.obtained_at,
            access_expires_at: one.access_expires_at,
            // It may have been seen to be fixed, which is not written down.
            refresh_expires_at: None,
            renewable: grant::renewable(&profile, one.grant_type, one.has_refresh_token),
        };
        let jitter = app.rng().fraction();
        let policy = grant::policy(&profile, one.grant_type);
        let due_at = schedule::due_at(&clock, &policy, jitter)?;
        Some((one.id, if due_at < now { now + SPREAD * jitter } else { due_at }))
    });
    let (ids, due): (Vec<_>, Vec<_>) = planned.unzip();
    if !ids.is_empty() {
        unplanned::plan(&mut tx, &ids, &due).await?;
        tracing::info!(%client, count = ids.len(), "planned the next refresh of what had none");
    }
    tx.commit().await?;
    let is_full = i64::try_from(found.len()).is_ok_and(|count| count == BATCH);
    Ok(found.last().filter(|_| is_full).map(|one| one.id))
}

/// Whether there may be a next refresh though no token came with an end.
fn asks_for_refreshes(profile: &Profile) -> bool {
    let policy = Policy::from(profile);
    policy.assumes_end || policy.idle.is_some()
}
