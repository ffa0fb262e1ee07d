//! Storing outcomes in groups: whoever comes while a group is being written goes with the next one,
//! so that throughput is bound by providers and not by commits.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, PoisonError},
    time::Duration as StdDuration,
};

use serde_json::json;
use sqlx::PgConnection;
use tokio::sync::{Semaphore, oneshot};
use uuid::Uuid;

use super::{
    decide::{Change, ClientNote, Outcome},
    engine::{Saved, Unconfirmed},
    weigh,
};
use crate::{
    domain::attempt::{Trigger, Verdict},
    server::{
        app::{
            Actor, App, Error, Result,
            audit::{self, Subject},
            client::{self, rehearsal},
        },
        store::{
            self,
            attempt::Ending,
            connection::outcome::{self, Fence},
        },
    },
};

/// How many outcomes go into one transaction.
const GROUP: usize = 256;
/// How many groups are written at once: while one commits, the next is prepared.
const WRITERS: usize = 2;
/// A group that PostgreSQL does not confirm within this time is not waited for.
const PATIENCE: StdDuration = StdDuration::from_secs(2);

/// What is due within this time is not left to the worker's next look.
const SOON: time::Duration = time::Duration::seconds(3);

type Reply = oneshot::Sender<std::result::Result<Saved, Unconfirmed>>;

/// Outcomes that wait to be written.
pub struct Saver {
    waiting: Mutex<Vec<(Outcome, Reply)>>,
    writers: Semaphore,
}

impl Default for Saver {
    fn default() -> Self {
        Self { waiting: Mutex::default(), writers: Semaphore::new(WRITERS) }
    }
}

impl Saver {
    fn push(&self, outcome: Outcome, reply: Reply) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push((outcome, reply));
    }

    /// The next group: of each connection one outcome at most, since a second one goes by the first.
    fn group(&self) -> Vec<(Outcome, Reply)> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let mut seen = HashSet::new();
        waiting
            .extract_if(.., |(outcome, _)| seen.len() < GROUP && seen.insert(outcome.fence.id))
            .collect()
    }

    fn holds(&self, attempt_id: Uuid) -> bool {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.iter().any(|(outcome, _)| outcome.attempt_id == attempt_id)
    }
}

/// Stores an outcome, together with those of others.
pub async fn save(app: &App, outcome: &Outcome) -> std::result::Result<Saved, Unconfirmed> {
    let (reply, saved) = oneshot::channel();
    let saver = app.saver();
    saver.push(outcome.clone(), reply);
    // Whoever gets to write takes along all that wait, and finds nothing if another took theirs.
    while saver.holds(outcome.attempt_id) {
        let Ok(_writing) = saver.writers.acquire().await else { break };
        let (outcomes, replies): (Vec<_>, Vec<_>) = saver.group().into_iter().unzip();
        if outcomes.is_empty() {
            continue;
        }
        for (reply, result) in replies.into_iter().zip(write(app, &outcomes).await) {
            let _ = reply.send(result);
        }
    }
    // The writer may have died with its group.
    saved.await.unwrap_or_else(|_| Err(Unconfirmed(anyhow::anyhow!("the writer went away"))))
}

async fn write(app: &App, outcomes: &[Outcome]) -> Vec<std::result::Result<Saved, Unconfirmed>> {
    match write_group(app, outcomes).await {
        Ok(saved) => saved.into_iter().map(Ok).collect(),
        Err(error) if outcomes.len() == 1 => vec![Err(Unconfirmed(error))],
        // One that the database will never take keeps no other from being stored.
        Err(error) if !is_absence(&error) => {
            let mut results = Vec::with_capacity(outcomes.len());
            for outcome in outcomes {
                let alone = write_group(app, std::slice::from_ref(outcome)).await;
                results.push(alone.map(|saved| saved[0]).map_err(Unconfirmed));
            }
            results
        }
        Err(error) => {
            let why = format!("{error:#}");
            outcomes.iter().map(|_| Err(Unconfirmed(anyhow::anyhow!(why.clone())))).collect()
        }
    }
}

async fn write_group(app: &App, outcomes: &[Outcome]) -> anyhow::Result<Vec<Saved>> {
    match tokio::time::timeout(PATIENCE, transact(app, outcomes)).await {
        Ok(Err(Error::Internal(error))) => Err(error),
        Ok(result) => result.map_err(|error| anyhow::anyhow!("{error}")),
        Err(_) => Err(sqlx::Error::PoolTimedOut.into()),
    }
}

/// Whether the error says that the database was not there, rather than that it refused.
fn is_absence(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| match cause.downcast_ref::<sqlx::Error>() {
        Some(sqlx::Error::Database(refused)) => {
            // Class 57: shutting down, starting up. Class 08: connection exceptions.
            refused.code().is_some_and(|code| code.starts_with("57P") || code.starts_with("08"))
        }
        Some(
            sqlx::Error::Io(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::Protocol(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::WorkerCrashed,
        ) => true,
        _ => false,
    })
}

async fn transact(app: &App, outcomes: &[Outcome]) -> Result<Vec<Saved>> {
    let mut tx = app.begin().await?;
    let watched = weigh::watch(app, &mut tx, outcomes).await?;
    let taken = change(app, &mut tx, outcomes).await?;
    let mut saved = refused(app, &mut tx, outcomes, &taken).await?;
    for attempt_id in weigh::weigh(app, &mut tx, &watched, outcomes, &taken).await? {
        saved.insert(attempt_id, Saved::Done(Verdict::Suspended));
    }
    end_attempts(app, &mut tx, outcomes, &taken, &saved).await?;
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
    Ok(outcomes.iter().map(|outcome| saved[&outcome.attempt_id]).collect())
}

/// What is due within moments is not left to the worker's next look.
fn wake_in_time(app: &App, outcomes: &[Outcome]) {
    let (now, stopping) = (app.now(), app.stopping().clone());
    let soon = outcomes.iter().filter_map(Outcome::due_at).map(|due_at| due_at - now).min();
    if let Some(wait) = soon.filter(|wait| *wait < SOON)
        && let Ok(wait) = StdDuration::try_from(wait)
    {
        let app = app.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = stopping.cancelled() => {}
                () = tokio::time::sleep(wait) => app.wake_worker(),
            }
        });
    }
}

/// Changes the connections; the attempts whose changes were taken.
async fn change(app: &App, conn: &mut PgConnection, outcomes: &[Outcome]) -> Result<HashSet<Uuid>> {
    let now = app.now();
    let (mut renewals, mut attempts, mut sets) = (vec![], vec![], vec![]);
    let (mut setbacks, mut releases) = (vec![], vec![]);
    for outcome in outcomes {
        match &outcome.change {
            Change::Renew(renewal, set) => {
                renewals.push((outcome.fence, renewal));
                attempts.push(outcome.attempt_id);
                sets.push(set);
            }
            Change::SetBack(setback) => setbacks.push((outcome.fence, setback)),
            Change::Release(due_at) => releases.push((outcome.fence, due_at)),
        }
    }
    let mut ids = HashSet::new();
    if !renewals.is_empty() {
        let renewed = outcome::renew(conn, &renewals, &attempts, now, app.database_now()).await?;
        sets.retain(|set| renewed.contains(&set.connection_id));
        if !sets.is_empty() {
            store::token_set::replace(conn, &sets).await?;
        }
        ids.extend(renewed);
    }
    if !setbacks.is_empty() {
        ids.extend(outcome::set_back(conn, &setbacks, now).await?);
    }
    if !releases.is_empty() {
        ids.extend(outcome::release(conn, &releases).await?);
    }
    Ok(outcomes
        .iter()
        .filter(|outcome| ids.contains(&outcome.fence.id))
        .map(|outcome| outcome.attempt_id)
        .collect())
}

/// What became of each outcome, by its attempt: for those that were not taken, why.
async fn refused(
    app: &App,
    conn: &mut PgConnection,
    outcomes: &[Outcome],
    taken: &HashSet<Uuid>,
) -> Result<HashMap<Uuid, Saved>> {
    let mut saved: HashMap<Uuid, Saved> = outcomes
        .iter()
        .filter(|outcome| taken.contains(&outcome.attempt_id))
        .map(|outcome| (outcome.attempt_id, Saved::Done(outcome.verdict())))
        .collect();
    let others: Vec<&Outcome> =
        outcomes.iter().filter(|outcome| !taken.contains(&outcome.attempt_id)).collect();
    if others.is_empty() {
        return Ok(saved);
    }
    let ids: Vec<Uuid> = others.iter().map(|outcome| outcome.fence.id).collect();
    let attempts: Vec<Uuid> = others.iter().map(|outcome| outcome.attempt_id).collect();
    let verdicts: HashMap<Uuid, Verdict> =
        store::attempt::verdicts(conn, &ids, &attempts).await?.into_iter().collect();
    let standing = outcome::standing(conn, &ids, app.database_now()).await?;
    for outcome in others {
        let Fence { id, generation, .. } = outcome.fence;
        let result = match verdicts.get(&outcome.attempt_id) {
            // It came through before, unheard.
            Some(verdict) if *verdict != Verdict::InDoubt => Saved::Done(*verdict),
            _ => {
                let waits = matches!(outcome.change, Change::Renew(..))
                    && standing.iter().any(|standing| {
                        standing.id == id
                            && standing.generation == generation
                            && standing.is_held
                            && !standing.is_over
                    });
                if waits { Saved::Busy } else { Saved::Done(Verdict::Superseded) }
            }
        };
        saved.insert(outcome.attempt_id, result);
    }
    Ok(saved)
}

async fn end_attempts(
    app: &App,
    conn: &mut PgConnection,
    outcomes: &[Outcome],
    taken: &HashSet<Uuid>,
    saved: &HashMap<Uuid, Saved>,
) -> Result<()> {
    let (mut endings, mut withdrawn) = (vec![], (vec![], vec![]));
    for outcome in outcomes {
        match &outcome.ending {
            None => {
                withdrawn.0.push(outcome.fence.id);
                withdrawn.1.push(outcome.attempt_id);
            }
            Some(_) if saved[&outcome.attempt_id] == Saved::Busy => {}
            Some(ending) => {
                let ending = match saved[&outcome.attempt_id] {
                    _ if !taken.contains(&outcome.attempt_id) => Ending {
                        verdict: Verdict::Superseded,
                        generation_after: None,
                        ..ending.clone()
                    },
                    Saved::Done(verdict) => Ending { verdict, ..ending.clone() },
                    Saved::Busy => ending.clone(),
                };
                endings.push((outcome.fence.id, outcome.attempt_id, ending));
            }
        }
    }
    if !endings.is_empty() {
        store::attempt::finish(conn, &endings, app.now()).await?;
    }
    if !withdrawn.0.is_empty() {
        store::attempt::delete(conn, &withdrawn.0, &withdrawn.1).await?;
    }
    Ok(())
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
