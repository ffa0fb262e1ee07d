//! Who or what reads tokens, from which API key, and when.
//!
//! A read must not wait for a write, so each process counts in memory and adds what it counted to the
//! table every few seconds, many in a statement. A process that dies takes the last seconds with it: this
//! is a help for people who look for a reader, not evidence. What people do is in the audit log at once.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use time::OffsetDateTime;
use uuid::Uuid;

use super::{Actor, App, Result, connection};
use crate::{
    domain::{
        access::Permission,
        token_reader::{ReaderKind, TokenReader},
    },
    server::store,
};

/// How many pairs of a connection and a reader are counted between two visits to the database; more
/// than can be read in that time.
const MOST: usize = 65_536;
/// How many go together in one statement.
const BATCH: usize = 500;
/// How many of them may fail before the rest is left for later.
const TRIES: usize = 3;
/// How many readers of one connection are told of.
const TOLD: i64 = 1_000;

/// What was read since the last visit to the database.
#[derive(Default)]
pub struct Tally(Mutex<HashMap<(Uuid, Uuid), TokenReader>>);

impl Tally {
    fn counts(&self) -> MutexGuard<'_, HashMap<(Uuid, Uuid), TokenReader>> {
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
        if let Some(known) = counts.get_mut(&(connection_id, id)) {
            known.last_at = known.last_at.max(now);
            known.reads += 1;
        } else if counts.len() < MOST {
            let name = name.to_owned();
            let reader = TokenReader { kind, id, name, first_at: now, last_at: now, reads: 1 };
            counts.insert((connection_id, id), reader);
        }
    }

    /// All that was counted, in the one order in which every process writes it.
    fn take(&self) -> Vec<(Uuid, TokenReader)> {
        let counts = std::mem::take(&mut *self.counts());
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_unstable_by_key(|(pair, _)| *pair);
        counts.into_iter().map(|((connection_id, _), reader)| (connection_id, reader)).collect()
    }

    /// Keeps for later what could not be written.
    fn put_back(&self, unwritten: &[(Uuid, TokenReader)]) {
        let mut counts = self.counts();
        for (connection_id, reader) in unwritten {
            if let Some(later) = counts.get_mut(&(*connection_id, reader.id)) {
                later.first_at = reader.first_at;
                later.reads += reader.reads;
            } else if counts.len() < MOST {
                counts.insert((*connection_id, reader.id), reader.clone());
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

/// Adds what was counted to the table. What can't be written now is kept for the next time: a connection
/// that somebody holds keeps only its own batch waiting.
pub async fn flush(app: &App) -> Result<()> {
    let counted = app.tally().take();
    let mut failed = Vec::new();
    for batch in counted.chunks(BATCH) {
        // A database that is away is not asked again and again.
        let outcome = if failed.len() < TRIES { write(app, batch).await } else { Ok(()) };
        if outcome.is_err() || failed.len() == TRIES {
            app.tally().put_back(batch);
        }
        failed.extend(outcome.err());
    }
    failed.into_iter().next().map_or(Ok(()), Err)
}

async fn write(app: &App, batch: &[(Uuid, TokenReader)]) -> Result<()> {
    let mut tx = app.begin().await?;
    store::token_reader::be_brief(&mut tx).await?;
    store::token_reader::add(&mut tx, batch).await?;
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
