//! Carrying jobs out, a batch at a time. After each, what came of it and how far the job is are written
//! in one transaction; whoever takes over goes on from there, and does again at most the batch that
//! was under way.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use tokio::time::sleep;
use uuid::Uuid;

use super::act::{act, summary};
use crate::{
    domain::{
        job::{Job, Outcome},
        voice,
    },
    server::{
        app::{Actor, App, Result, audit, audit::Subject},
        store::{
            self,
            job::{
                Leased, Tally,
                item::{self, Came},
            },
        },
    },
};

/// How many connections are worked at between two records.
const BATCH: i64 = 32;
/// How many of them at once: most of the pool is left to those who wait for an answer.
const AT_ONCE: usize = 6;
/// For how long a job is taken, in seconds.
const LEASE: f64 = 60.0;
/// Well within that.
const BEAT: Duration = Duration::from_secs(15);

/// Carries out all jobs that nobody works at, one after the other. How many it brought to their end.
pub async fn run_due(app: &App) -> Result<usize> {
    let mut ended = 0;
    while !app.stopping().is_cancelled() {
        let lease_id = app.rng().uuid(app.now());
        let mut conn = app.pool().acquire().await?;
        let taken = store::job::claim(&mut conn, lease_id, LEASE, app.database_now()).await?;
        drop(conn);
        let Some(mut leased) = taken else { break };
        match run(app, &mut leased).await {
            Ok(true) => ended += 1,
            Ok(false) => {}
            Err(error) => {
                let mut conn = app.pool().acquire().await?;
                store::job::release(&mut conn, &leased).await?;
                return Err(error);
            }
        }
    }
    Ok(ended)
}

/// Works at one job until it is over, another's, or we stop. Whether it is over.
async fn run(app: &App, leased: &mut Leased) -> Result<bool> {
    loop {
        let mut conn = app.pool().acquire().await?;
        if app.stopping().is_cancelled() {
            store::job::release(&mut conn, leased).await?;
            return Ok(false);
        }
        let Some(job) = store::job::find(&mut conn, leased.id).await? else { return Ok(false) };
        if !job.is_running() {
            return Ok(true);
        }
        let items = item::list(&mut conn, job.id, leased.position, BATCH).await?;
        let Some(last) = items.last().map(|item| item.number) else {
            drop(conn);
            end(app, &job, None).await?;
            return Ok(true);
        };
        let actor = actor(&mut conn, leased).await?;
        drop(conn);
        let Some(actor) = actor.filter(|actor| actor.allows(job.action.permission())) else {
            end(app, &job, Some(voice::job_not_allowed())).await?;
            return Ok(true);
        };
        let (actor, job) = (&actor, &job);
        let works = stream::iter(items)
            .map(|item| async move { act(app, actor, job, &item).await })
            .buffer_unordered(AT_ONCE)
            .try_collect::<Vec<Came>>();
        let came = tokio::select! {
            came = works => came?,
            () = beat(app, leased) => return Ok(false),
        };
        if !record(app, leased, &came, last).await? {
            return Ok(false);
        }
        leased.position = last;
    }
}

/// Shows again and again that somebody works at it; ends when it is another's, or over.
async fn beat(app: &App, leased: &Leased) {
    loop {
        sleep(BEAT).await;
        let lives = async {
            let mut conn = app.pool().acquire().await?;
            Result::Ok(store::job::prolong(&mut conn, leased, LEASE, app.database_now()).await?)
        };
        match lives.await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                let error = format!("{error:#}");
                tracing::warn!(job = %leased.id, error, "a job could not show that it lives");
            }
        }
    }
}

/// Writes what came of a batch. `false`: the job is another's, or over.
async fn record(app: &App, leased: &Leased, came: &[Came], position: i64) -> Result<bool> {
    let count = |outcome| {
        let count = came.iter().filter(|one| one.outcome == outcome).count();
        i64::try_from(count).unwrap_or(i64::MAX)
    };
    let tally = Tally {
        done: count(Outcome::Done),
        skipped: count(Outcome::Skipped),
        failed: count(Outcome::Failed),
    };
    let mut tx = app.begin().await?;
    item::record(&mut tx, leased.id, came, app.now()).await?;
    let ours = store::job::add(&mut tx, leased, tally, position).await?
        && store::job::prolong(&mut tx, leased, LEASE, app.database_now()).await?;
    if ours {
        tx.commit().await?;
    }
    Ok(ours)
}

async fn end(app: &App, job: &Job, why: Option<&str>) -> Result<()> {
    let mut tx = app.begin().await?;
    if store::job::end(&mut tx, job.id, why, app.now()).await? {
        let action = if why.is_none() { "job.done" } else { "job.stop" };
        let subject = Subject::new(job.id, job.action.as_str());
        audit::record(app, &mut tx, &Actor::System, action, subject, summary(job)).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Whoever asked for it, as they are now. `None`: they were shut out, or their key was revoked.
async fn actor(conn: &mut sqlx::PgConnection, leased: &Leased) -> Result<Option<Actor>> {
    let id: Uuid = leased.actor_id;
    Ok(match leased.actor_kind.as_str() {
        "user" => store::user::find(conn, id)
            .await?
            .filter(|user| user.disabled_at.is_none())
            .map(|user| Actor::User { id, email: user.email, role: user.role }),
        "api_key" => store::api_key::find(conn, id)
            .await?
            .filter(|key| key.revoked_at.is_none())
            .map(|key| Actor::ApiKey { id, name: key.name, scopes: key.scopes }),
        _ => None,
    })
}
