//! Who or what reads tokens, from which API key, and when.
//!
//! A read must not wait for a write, so each process counts in memory and adds what it counted to the
//! table every few seconds, many in a statement, with rests between: where thousands of tokens are read a
//! second, the database is to be busy with these and not with who reads them. A process that dies takes what it
//! had not added with it, seconds of it or, in such a flood, a minute: this is a help for people who look for a
//! reader, not evidence. What people do is in the audit log at once.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use sqlx::Connection;
use time::OffsetDateTime;
use tokio::time::Instant;
use uuid::Uuid;

use super::{Actor, App, Error, Result, connection};
use crate::{
    domain::{
        access::Permission,
        token_reader::{ReaderKind, TokenReader},
    },
    server::store,
};

/// How many pairs of a connection and a reader are counted until they are written. More are not. A pair takes some
/// ninety bytes.
const MOST: usize = 400_000;
/// With so many waiting, nobody rests.
const CROWD: usize = MOST / 2;
/// Who writes rests for so many times as long as it took.
const REST: u32 = 9;
/// How many go together in one statement.
const BATCH: usize = 500;
/// How many of them may fail before the rest is left for later.
const TRIES: usize = 3;
/// Whoever holds a connection is not waited for longer than this. It is shorter than the time after
/// which the database looks for those that wait for each other. What is only counted may be lost with the
/// machine.
const BEGIN: &str = "BEGIN; SET LOCAL lock_timeout = '200ms'; SET LOCAL synchronous_commit = off";
/// How many readers of one connection are told of.
const TOLD: i64 = 1_000;

/// What was read since the last visit to the database.
#[derive(Default)]
pub struct Tally(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    /// By connection and reader.
    pairs: HashMap<(Uuid, Uuid), Count>,
    /// The readers of all pairs, each as it is called now: a flood of reads has few readers.
    readers: HashMap<Uuid, Arc<Reader>>,
}

struct Reader {
    kind: ReaderKind,
    name: String,
}

/// What one reader read of one connection.
#[derive(Clone)]
struct Count {
    reader: Arc<Reader>,
    first_at: OffsetDateTime,
    last_at: OffsetDateTime,
    reads: i64,
}

impl Counts {
    fn reader(&mut self, kind: ReaderKind, id: Uuid, name: &str) -> Arc<Reader> {
        match self.readers.get(&id) {
            Some(known) if known.name == name => known.clone(),
            _ => {
                let reader = Arc::new(Reader { kind, name: name.to_owned() });
                self.readers.insert(id, reader.clone());
                reader
            }
        }
    }
}

impl Tally {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(
        &self,
        connection_id: Uuid,
        kind: ReaderKind,
        id: Uuid,
        name: &str,
        now: OffsetDateTime,
    ) {
        let mut counts = self.counts();
        if let Some(known) = counts.pairs.get_mut(&(connection_id, id)) {
            known.last_at = known.last_at.max(now);
            known.reads += 1;
        } else if counts.pairs.len() < MOST {
            let reader = counts.reader(kind, id, name);
            let count = Count { reader, first_at: now, last_at: now, reads: 1 };
            counts.pairs.insert((connection_id, id), count);
        }
    }

    /// All that was counted.
    fn take(&self) -> HashMap<(Uuid, Uuid), Count> {
        let mut counts = self.counts();
        // As many may come again, and making room for them little by little keeps readers waiting.
        let pairs = HashMap::with_capacity(counts.pairs.len());
        std::mem::replace(&mut *counts, Counts { pairs, readers: HashMap::new() }).pairs
    }

    fn is_crowded(&self) -> bool {
        self.counts().pairs.len() >= CROWD
    }

    /// Keeps for later what could not be written.
    fn put_back(&self, unwritten: &[((Uuid, Uuid), Count)]) {
        let mut counts = self.counts();
        for (pair, count) in unwritten {
            if let Some(later) = counts.pairs.get_mut(pair) {
                later.first_at = count.first_at;
                later.reads += count.reads;
            } else if counts.pairs.len() < MOST {
                counts.pairs.insert(*pair, count.clone());
            }
        }
    }
}

/// Counts a read. Nothing is asked of the database.
pub(super) fn note(app: &App, actor: &Actor, connection_id: Uuid) {
    let (kind, id) = match actor {
        Actor::ApiKey { id, .. } => (ReaderKind::ApiKey, *id),
        Actor::User { id, .. } => (ReaderKind::User, *id),
        Actor::Anonymous | Actor::Relink { .. } | Actor::System | Actor::Operator => return,
    };
    app.tally().note(connection_id, kind, id, actor.label(), app.now());
}

/// Adds what was counted to the table, with rests between as long as there is time. What can't be written
/// now is kept for the next time: a connection that somebody holds keeps only its own batch waiting.
pub async fn flush(app: &App) -> Result<()> {
    let counted = app.tally().take();
    // Many take a while to sort, and those who read are not to wait for that.
    let counted = tokio::task::spawn_blocking(|| sorted(counted))
        .await
        .map_err(|error| Error::Internal(error.into()))?;
    let mut failed = Vec::new();
    let mut batches = counted.chunks(BATCH).peekable();
    while let Some(batch) = batches.next() {
        let began = Instant::now();
        // A database that is away is not asked again and again.
        let outcome = if failed.len() < TRIES { write(app, batch).await } else { Ok(()) };
        if outcome.is_err() || failed.len() == TRIES {
            app.tally().put_back(batch);
        }
        // Who waited in vain has done nothing to rest from.
        let is_tiring = outcome.is_ok() && failed.len() < TRIES;
        failed.extend(outcome.err());
        if is_tiring && batches.peek().is_some() && !app.tally().is_crowded() {
            let rest = tokio::time::sleep(began.elapsed() * REST);
            // Whoever is to stop writes the rest at once.
            let _ = app.stopping().run_until_cancelled(rest).await;
        }
    }
    failed.into_iter().next().map_or(Ok(()), Err)
}

/// In the one order in which every process writes.
fn sorted(counted: HashMap<(Uuid, Uuid), Count>) -> Vec<((Uuid, Uuid), Count)> {
    let mut counted: Vec<_> = counted.into_iter().collect();
    counted.sort_unstable_by_key(|(pair, _)| *pair);
    counted
}

async fn write(app: &App, batch: &[((Uuid, Uuid), Count)]) -> Result<()> {
    let reads: Vec<(Uuid, TokenReader)> = batch
        .iter()
        .map(|((connection_id, id), count)| {
            let Count { reader, first_at, last_at, reads } = count.clone();
            let Reader { kind, name } = &*reader;
            let (kind, name) = (*kind, name.clone());
            (*connection_id, TokenReader { kind, id: *id, name, first_at, last_at, reads })
        })
        .collect();
    let mut conn = app.pool().acquire().await?;
    let mut tx = conn.begin_with(BEGIN).await?;
    store::token_reader::add(&mut tx, &reads).await?;
    tx.commit().await?;
    Ok(())
}

/// Who read a connection's token, the last one first.
pub async fn list(app: &App, actor: &Actor, connection_id: Uuid) -> Result<Vec<TokenReader>> {
    actor.require(Permission::ConnectionsRead)?;
    let mut conn = app.pool().acquire().await?;
    connection::load(&mut conn, connection_id).await?;
    Ok(store::token_reader::list(&mut conn, connection_id, TOLD).await?)
}
