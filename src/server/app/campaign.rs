//! Campaigns: jobs of relinks that are watched until the customers are done. Who begins one makes a job
//! (`app::job`); what is here looks at the customers.

mod mails;
mod stragglers;

pub use mails::export as mails;
pub use stragglers::{export, list as stragglers};

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{
    Actor, App, Error, Result, connection,
    glance::{Age, Glances},
    job, provider,
};
use crate::{
    domain::{
        access::Permission,
        campaign::{Campaign, Concern, NEW_SECRET, Occasions, Progress},
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

/// So many campaigns are looked at, at once.
const LOOKED_AT: usize = 100;

/// How far customers were when they were last counted, by their jobs: a job of many is counted once for all
/// who look at it, however often something becomes of a link.
#[derive(Default)]
pub struct Counted(Mutex<HashMap<Uuid, Arc<Glances<Progress>>>>);

impl Counted {
    fn of(&self, id: Uuid) -> Arc<Glances<Progress>> {
        let mut jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if jobs.len() >= LOOKED_AT && !jobs.contains_key(&id) {
            jobs.clear();
        }
        jobs.entry(id).or_insert_with(|| Arc::new(Glances::new(Age::WATCHED))).clone()
    }
}

async fn count(app: &App, id: Uuid) -> Result<Progress> {
    let counted = app.campaigns().of(id);
    let counted = counted.get(app, move |app| async move {
        let mut conn = app.pool().acquire().await?;
        Ok(straggler::progress(&mut conn, id, app.now()).await?)
    });
    Ok(counted.await?.as_ref().clone())
}

/// How far the customers of a job of relinks are.
pub async fn progress(app: &App, actor: &Actor, id: Uuid) -> Result<Progress> {
    actor.require(Permission::ConnectionsRead)?;
    let mut conn = app.pool().acquire().await?;
    if job::load(&mut conn, id).await?.action != Action::Relink {
        return Err(Error::NotFound("job of relinks"));
    }
    drop(conn);
    count(app, id).await
}

/// Those under way, and those that were done lately; the newest first. One on another's stragglers counts
/// with that.
pub async fn list(app: &App, actor: &Actor) -> Result<Vec<Campaign>> {
    actor.require(Permission::ConnectionsRead)?;
    let now = app.now();
    let mut conn = app.pool().acquire().await?;
    let jobs = store::job::list_campaigns(&mut conn, now - AGE, SHOWN).await?;
    drop(conn);
    let mut campaigns = Vec::with_capacity(jobs.len());
    for job in jobs {
        let progress = count(app, job.id).await?;
        if job.is_running() || progress.stragglers() > 0 || job.created_at > now - DONE {
            campaigns.push(Campaign { job, progress });
        }
    }
    Ok(campaigns)
}

/// Whom there is reason to send a link to.
pub async fn occasions(app: &App, actor: &Actor, since: OffsetDateTime) -> Result<Occasions> {
    actor.require(Permission::ConnectionsRead)?;
    let mut tx = app.begin().await?;
    plan_by_values(&mut tx).await?;
    let drift = ConnectionFilter { drift: true, ..ConnectionFilter::default() };
    let drift = concerned(app, &mut tx, &drift).await?;
    let dead = ConnectionFilter { dead_since: Some(since), ..ConnectionFilter::default() };
    let dead = concerned(app, &mut tx, &dead).await?;
    let clients = store::client::names(&mut tx).await?;
    let providers: BTreeSet<&str> = clients.iter().map(|one| one.provider.as_str()).collect();
    let mut strict = BTreeSet::new();
    for provider in providers {
        let profile = provider::load(app, &mut tx, provider).await?;
        if profile.policy.replacing_secret_revokes_grants {
            strict.insert(provider);
        }
    }
    let strict = clients.iter().filter(|one| strict.contains(one.provider.as_str()));
    let strict: Vec<Uuid> = strict.map(|one| one.id).collect();
    let secrets = choose::shares_by_secret(&mut tx, &strict, app.now() - NEW_SECRET).await?;
    tx.commit().await?;
    Ok(Occasions { drift, dead, since, secrets })
}

/// Whom an occasion concerns, and to how many of them a link can be sent.
async fn concerned(
    app: &App,
    conn: &mut PgConnection,
    filter: &ConnectionFilter,
) -> Result<Vec<Concern>> {
    let found = connection::find(app, conn, filter).await?;
    let alike = choose::alike(conn, &found).await?;
    let weights = job::weigh(app, conn, Action::Relink, &alike).await?;
    let concerns = weights.into_iter().map(|one| Concern {
        client_id: one.client_id,
        client: one.client,
        count: one.count,
        possible: one.possible,
        unknown_accounts: one.unknown_accounts,
        needs_person: one.needs_person,
        never_renewed: one.never_renewed,
    });
    Ok(concerns.collect())
}
