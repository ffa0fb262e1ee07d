//! Campaigns: jobs of relinks that are watched until the customers are done. Who begins one makes a job
//! (`app::job`); what is here looks at the customers.

mod stragglers;

pub use stragglers::{export, list as stragglers};

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{Actor, App, Error, Result, connection, job, provider};
use crate::{
    domain::{
        access::Permission,
        campaign::{Campaign, Occasions, Progress},
        connection::ConnectionFilter,
        job::Action,
    },
    server::store::{
        self,
        connection::list::{choose, plan_by_values},
        job::straggler,
    },
};

/// The desk shows so many, and none that was begun longer ago.
const SHOWN: i64 = 5;
const AGE: Duration = Duration::days(14);
/// What is done stays there for so long.
const DONE: Duration = Duration::days(1);

/// How far the customers of a job of relinks are.
pub async fn progress(app: &App, actor: &Actor, id: Uuid) -> Result<Progress> {
    actor.require(Permission::ConnectionsRead)?;
    let mut conn = app.pool().acquire().await?;
    if job::load(&mut conn, id).await?.action != Action::Relink {
        return Err(Error::NotFound("job of relinks"));
    }
    let mut found = straggler::progress(&mut conn, &[id], app.now()).await?;
    Ok(found.remove(&id).unwrap_or_default())
}

/// Those under way, and those that were done lately; the newest first. One on another's stragglers counts
/// with that.
pub async fn list(app: &App, actor: &Actor) -> Result<Vec<Campaign>> {
    actor.require(Permission::ConnectionsRead)?;
    let now = app.now();
    let mut conn = app.pool().acquire().await?;
    let jobs = store::job::list_campaigns(&mut conn, now - AGE, SHOWN).await?;
    let ids: Vec<Uuid> = jobs.iter().map(|job| job.id).collect();
    let mut found = straggler::progress(&mut conn, &ids, now).await?;
    let campaigns = jobs.into_iter().map(|job| {
        let progress = found.remove(&job.id).unwrap_or_default();
        Campaign { job, progress }
    });
    Ok(campaigns
        .filter(|one| {
            one.job.is_running() || one.progress.stragglers() > 0 || one.job.created_at > now - DONE
        })
        .collect())
}

/// Whom there is reason to send a link to.
pub async fn occasions(app: &App, actor: &Actor, since: OffsetDateTime) -> Result<Occasions> {
    actor.require(Permission::ConnectionsRead)?;
    let mut tx = app.begin().await?;
    plan_by_values(&mut tx).await?;
    let drift = ConnectionFilter { drift: true, ..ConnectionFilter::default() };
    let drift = connection::find(app, &mut tx, &drift).await?;
    let drift = choose::shares(&mut tx, &drift).await?;
    let dead = ConnectionFilter { dead_since: Some(since), ..ConnectionFilter::default() };
    let dead = connection::find(app, &mut tx, &dead).await?;
    let dead = choose::shares(&mut tx, &dead).await?;
    let mut secrets = Vec::new();
    for client in store::client::names(&mut tx).await? {
        let profile = provider::load(app, &mut tx, &client.provider).await?;
        if profile.policy.replacing_secret_revokes_grants {
            let all = ConnectionFilter { client: Some(client.id), ..ConnectionFilter::default() };
            let all = connection::find(app, &mut tx, &all).await?;
            secrets.extend(choose::shares(&mut tx, &all).await?);
        }
    }
    tx.commit().await?;
    Ok(Occasions { drift, dead, since, secrets })
}
