//! Carrying jobs out, a batch at a time. After each, what came of it and how far the job is are written
//! in one transaction; whoever takes over goes on from there, and does again at most the batch that
//! was under way.
//!
//! Jobs take turns, so that a short one does not wait for a long one to end: a provider that allows a request
//! a second keeps a job of many busy for days.

use std::{future::ready, panic::AssertUnwindSafe, time::Duration};

use futures::{FutureExt, StreamExt, TryStreamExt, stream};
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
                item::{self, Came, Item},
            },
        },
    },
};

/// How many connections are worked at between two records.
const BATCH: i64 = 32;
/// A turn lasts for so many batches,
const TURN: usize = 4;
/// or for so long: what is begun by then comes to its end, and the rest of the batch waits.
const SLICE: time::Duration = time::Duration::seconds(5);
/// How many of them at once: most of the pool is left to those who wait for an answer.
const AT_ONCE: usize = 6;
/// For how long a job is taken, in seconds.
const LEASE: f64 = 60.0;
/// Well within that.
const BEAT: Duration = Duration::from_secs(15);

/// Carries out all jobs that nobody works at, in turns. How many it brought to their end.
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

/// Works at one job until it is over, another's, its turn ends, or we stop. Whether it is over.
async fn run(app: &App, leased: &mut Leased) -> Result<bool> {
    let begun = app.elapsed();
    let is_up = || app.elapsed() - begun >= SLICE;
    for batch in 0.. {
        let mut conn = app.pool().acquire().await?;
        if batch == TURN || is_up() || app.stopping().is_cancelled() {
            store::job::release(&mut conn, leased).await?;
            return Ok(false);
        }
        let Some(job) = store::job::find(&mut conn, leased.id).await? else { return Ok(false) };
        if !job.is_running() {
            return Ok(true);
        }
        let items = item::list(&mut conn, job.id, leased.position, BATCH).await?;
        if items.is_empty() {
            drop(conn);
            end(app, &job, None).await?;
            return Ok(true);
        }
        let actor = actor(&mut conn, leased).await?;
        drop(conn);
        let Some(actor) = actor.filter(|actor| actor.allows(job.action.permission())) else {
            end(app, &job, Some(voice::job_not_allowed())).await?;
            return Ok(true);
        };
        let (actor, job) = (&actor, &job);
        // They are begun in order, so that those which came to their end are the first of the batch.
        let works = stream::iter(items)
            .take_while(|_| ready(!is_up()))
            .map(|item| async move { guarded(job, &item, act(app, actor, job, &item)).await })
            .buffer_unordered(AT_ONCE)
            .try_collect::<Vec<Came>>();
        let came = tokio::select! {
            came = works => came?,
            () = beat(app, leased) => return Ok(false),
        };
        let Some(last) = came.iter().map(|one| one.number).max() else { continue };
        if !record(app, leased, &came, last).await? {
            return Ok(false);
        }
        leased.position = last;
    }
    Ok(false)
}

/// What came of one, also where our own code breaks off at it: the others go on.
async fn guarded(job: &Job, item: &Item, work: impl Future<Output = Result<Came>>) -> Result<Came> {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_| {
        tracing::error!(job = %job.id, connection = %item.connection_id, "a job broke off at one");
        let detail = voice::job_broke_off().into();
        Ok(Came { number: item.number, outcome: Outcome::Failed, detail, link: None })
    })
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

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;
    use crate::domain::job::{Action, JobState};

    #[tokio::test]
    async fn a_job_goes_on_where_our_code_breaks_off_at_one() {
        let job = Job {
            id: Uuid::nil(),
            action: Action::Pause,
            name: None,
            tag: None,
            revoke: false,
            client_scopes: false,
            stragglers_of: None,
            state: JobState::Running,
            total: 1,
            done: 0,
            skipped: 0,
            failed: 0,
            detail: None,
            created_by: String::new(),
            created_at: OffsetDateTime::UNIX_EPOCH,
            ended_at: None,
        };
        let item = Item {
            number: 7,
            connection_id: Uuid::nil(),
            label: String::new(),
            client: String::new(),
            account: None,
            external_id: None,
            outcome: None,
            detail: None,
            sealed_link: None,
            at: None,
        };
        let came = guarded(&job, &item, async { panic!("on purpose") }).await.unwrap();
        assert_eq!((came.number, came.outcome), (7, Outcome::Failed));
        assert_eq!(came.detail, voice::job_broke_off());
    }
}
