//! Storing outcomes: a group of them in one transaction.

use std::{
    collections::{HashMap, HashSet},
    time::Duration as StdDuration,
};

use serde_json::json;
use sqlx::{Connection, PgConnection};
use time::OffsetDateTime;
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

use super::{
    decide::{ClientNote, Outcome},
    engine::Saved,
    group::{self, Changes, Endings},
    saver, weigh,
};
use crate::{
    domain::attempt::{Trigger, Verdict},
    server::{
        app::{
            Actor, App, Error, Result,
            audit::{self, Subject},
            client::{self, rehearsal},
        },
        store::{self, attempt::Ended, connection::outcome},
    },
};

/// A group that PostgreSQL does not confirm within this time is not waited for.
pub const PATIENCE: StdDuration = StdDuration::from_secs(2);
/// How long its transaction may go on by itself: a slow database gets its work done, and one that fell
/// silent keeps no connection from the others.
pub const LIMIT: StdDuration = StdDuration::from_secs(20);
/// Rows that somebody else has are waited for a little shorter than the group is, so that the others in it
/// are stored without theirs.
const BEGIN: &str = "BEGIN; SET LOCAL lock_timeout = '1500ms'";
/// What is only counted may be lost with the machine, and is waited for even less.
const BEGIN_COUNT: &str =
    "BEGIN; SET LOCAL lock_timeout = '500ms'; SET LOCAL synchronous_commit = off";
/// How many groups are being written at once, those included that nobody waits for any more.
pub const WRITING: usize = 4;
/// What is due within this time is not left to the worker's next look.
pub const SOON: time::Duration = time::Duration::seconds(3);

impl saver::Store for App {
    async fn write(&self, outcomes: &[Outcome]) -> anyhow::Result<Vec<Saved>> {
        let (app, outcomes) = (self.clone(), outcomes.to_vec());
        // In a task of its own: a transaction that is given up half way leaves its connection in a state
        // that takes another answer of the database to mend.
        let writing = async move {
            let Ok(turn) = app.writing().acquire_owned().await else {
                return Err(sqlx::Error::PoolClosed.into());
            };
            tokio::spawn(async move { transact(&app, &outcomes, turn).await })
                .await
                .map_err(|error| Error::Internal(error.into()))?
        };
        match tokio::time::timeout(PATIENCE, writing).await {
            Ok(Err(Error::Internal(error))) => Err(error),
            Ok(result) => result.map_err(|error| anyhow::anyhow!("{error}")),
            Err(_) => Err(sqlx::Error::PoolTimedOut.into()),
        }
    }

    fn is_absence(&self, error: &anyhow::Error) -> bool {
        is_absence(error)
    }

    fn is_blocked(&self, error: &anyhow::Error) -> bool {
        // Lock not available.
        matches!(cause(error), Some(sqlx::Error::Database(refused)) if refused.code().is_some_and(|code| code == "55P03"))
    }
}

/// What the database, or the way to it, said.
fn cause(error: &anyhow::Error) -> Option<&sqlx::Error> {
    // `store::Error` passes its source on as its own, so that the one inside is never a cause itself.
    match error.downcast_ref::<store::Error>() {
        Some(store::Error::Database(cause)) => Some(cause),
        _ => error.downcast_ref::<sqlx::Error>(),
    }
}

/// Whether the error says that the database was not there, rather than that it refused.
pub fn is_absence(error: &anyhow::Error) -> bool {
    match cause(error) {
        // Connection exceptions, no resources left, a standby, given up while idle, canceled and
        // shutting down.
        Some(sqlx::Error::Database(refused)) => refused.code().is_some_and(|code| {
            ["08", "53", "57"].iter().any(|class| code.starts_with(class))
                || code == "25006"
                || code == "25P03"
        }),
        Some(
            sqlx::Error::Io(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::Protocol(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::WorkerCrashed,
        ) => true,
        _ => false,
    }
}

async fn transact(
    app: &App,
    outcomes: &[Outcome],
    _turn: OwnedSemaphorePermit,
) -> Result<Vec<Saved>> {
    let mut conn = app.pool().acquire().await?;
    tokio::time::timeout(LIMIT, apply(app, &mut conn, outcomes)).await.unwrap_or_else(|_| {
        conn.close_on_drop();
        Err(sqlx::Error::PoolTimedOut.into())
    })
}

async fn apply(app: &App, conn: &mut PgConnection, outcomes: &[Outcome]) -> Result<Vec<Saved>> {
    let mut tx = conn.begin_with(BEGIN).await?;
    let watched = weigh::watch(app, &mut tx, outcomes).await?;
    let taken = change(app, &mut tx, outcomes).await?;
    let mut saved = judge(&mut tx, outcomes, &taken).await?;
    for attempt_id in weigh::weigh(app, &mut tx, &watched, outcomes, &taken).await? {
        saved.insert(attempt_id, Saved::Done(Verdict::Suspended));
    }
    let ended = end_attempts(app, &mut tx, outcomes, &taken, &saved).await?;
    for outcome in outcomes.iter().filter(|outcome| taken.contains(&outcome.attempt_id)) {
        let suspended = saved[&outcome.attempt_id] == Saved::Done(Verdict::Suspended);
        tell(app, &mut tx, outcome, suspended).await?;
    }
    let ids: Vec<Uuid> = outcomes.iter().map(|outcome| outcome.fence.id).collect();
    store::connection::announce(&mut tx, &ids).await?;
    tx.commit().await?;
    for id in ids {
        app.flights().wake(id);
    }
    wake_in_time(app, outcomes);
    if let Err(error) = count(app, conn, &weigh::refreshed(outcomes, &taken), &ended).await {
        tracing::warn!(error = format!("{error:#}"), "some refreshes are not counted");
    }
    Ok(outcomes.iter().map(|outcome| saved[&outcome.attempt_id]).collect())
}

/// Counts refreshes by their clients and attempts by how they ended, in a transaction that holds nothing
/// else: all groups of a process meet in these rows.
async fn count(
    app: &App,
    conn: &mut PgConnection,
    refreshed: &[(Uuid, i64)],
    ended: &[Ended],
) -> Result<()> {
    if ended.is_empty() {
        return Ok(());
    }
    let mut tx = conn.begin_with(BEGIN_COUNT).await?;
    if !refreshed.is_empty() {
        store::client_window::add(&mut tx, refreshed, app.replica(), app.now()).await?;
    }
    let counts = group::by_verdict(ended);
    store::attempt_window::add(&mut tx, &counts, app.replica(), app.now()).await?;
    // What was in doubt was counted as that, and is counted once.
    let doubted: Vec<OffsetDateTime> = ended.iter().filter_map(|ended| ended.doubted_at).collect();
    store::attempt_window::recount(&mut tx, &doubted, Verdict::InDoubt, None, app.replica())
        .await?;
    tx.commit().await?;
    Ok(())
}

/// What is due within moments is not left to the worker's next look.
fn wake_in_time(app: &App, outcomes: &[Outcome]) {
    let now = app.now();
    let soon = outcomes.iter().filter_map(Outcome::due_at).map(|due_at| due_at - now).min();
    if let Some(wait) = soon.filter(|wait| *wait < SOON)
        && let Ok(wait) = StdDuration::try_from(wait)
    {
        app.wake_worker_in(wait);
    }
}

/// Changes the connections; the attempts whose changes were taken.
async fn change(app: &App, conn: &mut PgConnection, outcomes: &[Outcome]) -> Result<HashSet<Uuid>> {
    let (changes, now) = (Changes::of(outcomes), app.now());
    let mut changed = HashSet::new();
    if !changes.renewals.is_empty() {
        let lease_now = app.database_now();
        let renewed =
            outcome::renew(conn, &changes.renewals, &changes.attempts, now, lease_now).await?;
        let mut sets = changes.sets;
        sets.retain(|set| renewed.contains(&set.connection_id));
        if !sets.is_empty() {
            store::token_set::replace(conn, &sets).await?;
        }
        changed.extend(renewed);
    }
    if !changes.setbacks.is_empty() {
        changed.extend(outcome::set_back(conn, &changes.setbacks, now).await?);
    }
    if !changes.releases.is_empty() {
        changed.extend(outcome::release(conn, &changes.releases).await?);
    }
    Ok(group::taken(outcomes, &changed))
}

/// What became of each outcome, by its attempt.
async fn judge(
    conn: &mut PgConnection,
    outcomes: &[Outcome],
    taken: &HashSet<Uuid>,
) -> Result<HashMap<Uuid, Saved>> {
    let (taken, others): (Vec<&Outcome>, Vec<&Outcome>) =
        outcomes.iter().partition(|outcome| taken.contains(&outcome.attempt_id));
    let mut saved: HashMap<Uuid, Saved> = taken
        .into_iter()
        .map(|outcome| (outcome.attempt_id, Saved::Done(outcome.verdict())))
        .collect();
    if others.is_empty() {
        return Ok(saved);
    }
    let ids: Vec<Uuid> = others.iter().map(|outcome| outcome.fence.id).collect();
    let attempts: Vec<Uuid> = others.iter().map(|outcome| outcome.attempt_id).collect();
    let verdicts: HashMap<Uuid, Verdict> =
        store::attempt::verdicts(conn, &ids, &attempts).await?.into_iter().collect();
    let standing = outcome::standing(conn, &ids).await?;
    saved.extend(others.into_iter().map(|outcome| {
        let verdict = verdicts.get(&outcome.attempt_id).copied();
        (outcome.attempt_id, group::refused(outcome, verdict, &standing))
    }));
    Ok(saved)
}

/// The attempts that were ended.
async fn end_attempts(
    app: &App,
    conn: &mut PgConnection,
    outcomes: &[Outcome],
    taken: &HashSet<Uuid>,
    saved: &HashMap<Uuid, Saved>,
) -> Result<Vec<Ended>> {
    let Endings { ended, withdrawn: (connections, attempts) } = Endings::of(outcomes, taken, saved);
    let ended = match ended.is_empty() {
        true => Vec::new(),
        false => store::attempt::finish(conn, &ended, app.now()).await?,
    };
    if !attempts.is_empty() {
        store::attempt::delete(conn, &connections, &attempts).await?;
    }
    Ok(ended)
}

/// Writes down what a person is to know of an outcome, and what it says of the client.
async fn tell(
    app: &App,
    conn: &mut PgConnection,
    outcome: &Outcome,
    suspended: bool,
) -> Result<()> {
    if let Some(reason) = outcome.condemned().filter(|_| !suspended) {
        let subject = Subject::new(outcome.fence.id, &outcome.name);
        let said = outcome.ending.as_ref().and_then(|ending| ending.error_code.as_deref());
        let detail = json!({ "reason": reason, "provider_said": said });
        audit::record(app, conn, &Actor::System, "connection.condemned", subject, detail).await?;
    }
    match &outcome.client {
        Some(ClientNote::Rejected { said, secret_generation })
            if outcome.trigger == Trigger::Rehearsal =>
        {
            rehearsal::refuse(app, conn, outcome.client_id, *secret_generation, said).await?;
        }
        Some(ClientNote::Proved { secret_generation }) => {
            let (client, connection) = (outcome.client_id, outcome.fence.id);
            rehearsal::promote(app, conn, client, *secret_generation, connection).await?;
        }
        Some(ClientNote::Rejected { said, secret_generation }) => {
            client::reject_credentials(app, conn, outcome.client_id, *secret_generation, said)
                .await?;
        }
        Some(ClientNote::Pause { until }) => {
            store::client::limit::pause(conn, outcome.client_id, *until).await?;
        }
        None => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the use cases meet it: wrapped once by the store, once more by them.
    #[test]
    fn an_absent_database_is_known_through_all_wrappings() {
        let met = |error: sqlx::Error| match Error::from(error) {
            Error::Internal(error) => is_absence(&error),
            other => panic!("{other:?}"),
        };
        assert!(met(std::io::Error::from(std::io::ErrorKind::ConnectionReset).into()));
        assert!(met(sqlx::Error::PoolTimedOut));
        assert!(!met(sqlx::Error::RowNotFound));
        assert!(is_absence(&sqlx::Error::PoolTimedOut.into()));
        assert!(!is_absence(&anyhow::anyhow!("something else")));
    }
}
