//! Asking the database for tokens in groups: whoever comes while others are being answered goes with
//! the next group, so that a busy server asks one question for many readers. Nobody waits for a group
//! to fill.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sqlx::{PgConnection, Postgres, pool::PoolConnection};
use tokio::{
    sync::{Semaphore, oneshot},
    time::Instant,
};
use uuid::Uuid;

use crate::server::{
    app::{App, Error, Result},
    store::{
        api_key::LiveKey,
        token_set::{self, Held},
    },
};

/// How many go together at most.
const GROUP: usize = 64;
/// How many groups are under way at once.
const LANES: usize = 2;
/// A lane keeps its connection for so long: the pool asks each that comes back whether it is still there,
/// which takes longer than a question.
const KEPT: Duration = Duration::from_millis(50);

/// The key, and what its bearer asks for. `None`: there is no such key.
type Answer = Option<(LiveKey, Option<Held>)>;

struct Question {
    key_hash: Vec<u8>,
    id: Uuid,
    reply: oneshot::Sender<Answer>,
}

/// Questions that wait for a lane.
pub struct Readers {
    waiting: Mutex<Vec<Question>>,
    lanes: Semaphore,
    /// Connections between two groups, and since when.
    kept: Mutex<Vec<(PoolConnection<Postgres>, Instant)>>,
    /// Whether somebody gives back those that nobody needs any more.
    clearing: AtomicBool,
}

impl Default for Readers {
    fn default() -> Self {
        Self {
            waiting: Mutex::default(),
            lanes: Semaphore::new(LANES),
            kept: Mutex::default(),
            clearing: AtomicBool::new(false),
        }
    }
}

impl Readers {
    fn kept(&self) -> MutexGuard<'_, Vec<(PoolConnection<Postgres>, Instant)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Question>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next group, oldest first.
    fn group(&self) -> Vec<Question> {
        let mut waiting = self.waiting();
        let count = waiting.len().min(GROUP);
        waiting.drain(..count).collect()
    }
}

/// The API key of this hash, and what decides whether its bearer gets the token of connection `id`.
pub async fn find(app: &App, key_hash: Vec<u8>, id: Uuid) -> Result<Answer> {
    let readers = app.readers();
    let (reply, mut answer) = oneshot::channel();
    readers.waiting().push(Question { key_hash: key_hash.clone(), id, reply });
    let answered = loop {
        let lane = tokio::select! {
            biased;
            answered = &mut answer => break answered,
            lane = readers.lanes.acquire() => lane,
        };
        let lane = lane.map_err(|error| Error::Internal(error.into()))?;
        let group = readers.group();
        if group.is_empty() {
            // Ours is under way in another lane.
            drop(lane);
            break answer.await;
        }
        // In a box: most readers only wait, and need no room for it.
        Box::pin(answer_all(app, group)).await;
    };
    match answered {
        Ok(answer) => Ok(answer),
        // Whoever asked for us went away, or the database did not answer the group.
        Err(_) => {
            Box::pin(async {
                let mut conn = app.pool().acquire().await?;
                Ok(ask(&mut conn, &[(&key_hash, id)]).await?.pop().flatten())
            })
            .await
        }
    }
}

/// Answers a group. When that fails each of its readers asks again by itself.
async fn answer_all(app: &App, group: Vec<Question>) {
    let asked: Vec<(&[u8], Uuid)> =
        group.iter().map(|question| (question.key_hash.as_slice(), question.id)).collect();
    match ask_in_lane(app, &asked).await {
        Ok(answers) => {
            for (question, answer) in group.into_iter().zip(answers) {
                let _ = question.reply.send(answer);
            }
        }
        Err(error) => tracing::debug!(error = format!("{error:#}"), "no answer for a group"),
    }
}

async fn ask_in_lane(app: &App, asked: &[(&[u8], Uuid)]) -> Result<Vec<Answer>> {
    let kept = app.readers().kept().pop();
    let mut conn = match kept {
        Some((conn, since)) if since.elapsed() < KEPT => conn,
        _ => app.pool().acquire().await?,
    };
    let answers = ask(&mut conn, asked).await?;
    keep(app, conn);
    Ok(answers)
}

/// Keeps a connection for the next group, if that comes soon.
fn keep(app: &App, conn: PoolConnection<Postgres>) {
    app.readers().kept().push((conn, Instant::now()));
    if !app.readers().clearing.swap(true, Ordering::Relaxed) {
        let app = app.clone();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(KEPT).await;
                let mut kept = app.readers().kept();
                kept.retain(|(_, since)| since.elapsed() < KEPT);
                if kept.is_empty() {
                    app.readers().clearing.store(false, Ordering::Relaxed);
                    break;
                }
            }
        });
    }
}

async fn ask(conn: &mut PgConnection, asked: &[(&[u8], Uuid)]) -> Result<Vec<Answer>> {
    Ok(token_set::find_held_for_keys(conn, asked).await?)
}
