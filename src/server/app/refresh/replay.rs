//! The journal's records: sealed going in, and stored at the next start (DESIGN section 3, point 4). Most
//! are what a refresh came to; the others are grants that came for the first time.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use anyhow::Context;
use futures::{
    FutureExt,
    future::{join, join_all},
};
use serde::Serialize;
use tokio::{
    task::JoinHandle,
    time::{Instant, timeout_at},
};
use uuid::Uuid;

use super::{
    decide::Outcome,
    engine::{Ports, Saved, Unconfirmed},
    flights::Hand,
};
use crate::server::{
    app::{
        App,
        connection::arrival::{self, Arrival},
    },
    failpoint,
    journal::{Entry, Leftover, Record},
    secret::seal::{self, Place},
};

/// How many records are offered to the store at once: enough to fill its groups.
const AT_ONCE: usize = 512;
/// How long the start waits for what the store does not take at once.
const BUSY_RETRY: std::time::Duration = std::time::Duration::from_millis(500);
/// How long the start waits for first grants: nothing that is refreshed depends on them.
const ARRIVAL_PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);

fn place(row: Uuid, generation: i64) -> Place {
    Place { table: "journal", column: "record", row, generation }
}

/// An outcome as it is written down.
pub fn record(app: &App, outcome: &Outcome) -> anyhow::Result<Entry> {
    seal(app, outcome.attempt_id, outcome.fence.generation, outcome)
}

/// Anything as it is written down.
pub fn seal(
    app: &App,
    id: Uuid,
    generation: i64,
    record: &impl Serialize,
) -> anyhow::Result<Entry> {
    let plain = zeroize::Zeroizing::new(serde_json::to_vec(record)?);
    let sealed = app.keyring().seal(app.rng(), place(id, generation), &plain)?;
    Ok(Entry { id, generation, sealed })
}

/// Writes a record down. `None`: there is no place to, or it does not take it.
pub async fn keep(app: &App, entry: anyhow::Result<Entry>) -> Option<Record> {
    let journal = app.journal()?;
    let entry = entry.inspect_err(|error| {
        tracing::error!(error = format!("{error:#}"), "a record can't be sealed");
    });
    let kept = journal.append(entry.ok()?).await;
    kept.inspect_err(|error| tracing::error!(%error, "the journal can't be written")).ok()
}

/// What a record holds.
enum Written {
    Outcome(Outcome),
    Arrival(Arrival),
}

fn open(app: &App, entry: &Entry) -> anyhow::Result<Written> {
    let place = place(entry.id, entry.generation);
    let plain = app.keyring().open(place, &entry.sealed).map_err(|error: seal::Error| error)?;
    if let Some(arrival) = arrival::record::read(app, entry.id, &plain)? {
        return Ok(Written::Arrival(arrival));
    }
    let outcome = serde_json::from_slice(&plain).context("a record has another form")?;
    Ok(Written::Outcome(outcome))
}

/// Stores what earlier processes left in their journals, before anything is claimed. What others hold
/// at the moment is stored when they have ended.
pub async fn leftovers(app: &App, found: Vec<Leftover>) {
    let mut left = Vec::with_capacity(found.len());
    for leftover in found {
        left.push(read(app, leftover).await);
    }
    arrival::replay::leave_newest(left.iter_mut().map(|one| &mut one.arrivals));
    // A grant without a refresh token goes on with the stored one, which an outcome may have replaced: so
    // it comes after all that is known of its connection, whichever journal holds that.
    let busy: HashSet<Uuid> = left.iter().flat_map(Left::waits_for).collect();
    let (mut whole, mut partial) = (Vec::new(), Vec::new());
    for mut one in left {
        let (waiting, free) = std::mem::take(&mut one.arrivals)
            .into_iter()
            .partition(|arrival| arrival.connection_id().is_some_and(|id| busy.contains(&id)));
        one.arrivals = waiting;
        one.begin(app, free);
        let is_whole = one.busy.is_empty() && one.arrivals.is_empty();
        if is_whole { &mut whole } else { &mut partial }.push(one);
    }
    if !partial.is_empty() {
        bring_later(app, partial);
    }
    let patience = Instant::now() + ARRIVAL_PATIENCE;
    for one in whole {
        let mut ending = Box::pin(one.end());
        if timeout_at(patience, &mut ending).await.is_err() {
            app.tasks().spawn(ending);
        }
    }
}

/// What there is of a journal that is not stored yet.
struct Left {
    leftover: Leftover,
    unreadable: usize,
    /// What the store did not take at once.
    busy: Vec<Outcome>,
    arrivals: Vec<Arrival>,
    arriving: Vec<JoinHandle<bool>>,
}

impl Left {
    fn waits_for(&self) -> impl Iterator<Item = Uuid> {
        self.busy.iter().map(|outcome| outcome.fence.id)
    }

    fn begin(&mut self, app: &App, arrivals: Vec<Arrival>) {
        let begun = arrivals.into_iter().map(|arrival| arrival::replay::begin(app, arrival));
        self.arriving.extend(begun);
    }

    /// Waits for the first grants, and ends the journal if all of them are done.
    async fn end(self) {
        if all(self.arriving).await {
            end(self.leftover, self.unreadable);
        }
    }
}

/// Reads a journal, and stores what refreshes came to.
async fn read(app: &App, leftover: Leftover) -> Left {
    if leftover.torn > 0 {
        tracing::error!(
            path = %leftover.path().display(),
            bytes = leftover.torn,
            "a journal ends in the middle of a record; what was not written whole was never \
             relied upon"
        );
        metrics::counter!("regrant_journal_torn_total").increment(1);
    }
    let (mut busy, mut arrivals) = (Vec::new(), Vec::new());
    let mut unreadable = 0;
    for entries in leftover.entries.chunks(AT_ONCE) {
        let mut outcomes = Vec::with_capacity(entries.len());
        for entry in entries {
            match open(app, entry) {
                Ok(Written::Outcome(outcome)) => outcomes.push(outcome),
                Ok(Written::Arrival(arrival)) => arrivals.push(arrival),
                Err(error) => {
                    unreadable += 1;
                    tracing::error!(
                        error = format!("{error:#}"),
                        "a journal's record can't be read"
                    );
                }
            }
        }
        busy.extend(offer(app, outcomes).await);
    }
    tracing::info!(
        path = %leftover.path().display(),
        records = leftover.entries.len(),
        unreadable,
        "replayed a journal"
    );
    Left { leftover, unreadable, busy, arrivals, arriving: Vec::new() }
}

/// Stores what the store did not take at once, each connection's by itself, and after that the first grants
/// that wait for it.
fn bring_later(app: &App, left: Vec<Left>) {
    let mut outcomes: HashMap<Uuid, Vec<Outcome>> = HashMap::new();
    let mut parts = Vec::with_capacity(left.len());
    for mut one in left {
        let ids: HashSet<Uuid> = one.waits_for().collect();
        for outcome in one.busy.drain(..) {
            outcomes.entry(outcome.fence.id).or_default().push(outcome);
        }
        parts.push((one, ids));
    }
    let bring = |(id, outcomes): (Uuid, Vec<Outcome>)| {
        // Their tokens are newer than what is stored, so nobody here is to take the connection over.
        let in_hand: Vec<Hand> = outcomes.iter().map(|outcome| hand(app, outcome)).collect();
        let running = app.clone();
        let brought = async move {
            let _in_hand = in_hand;
            bring_all(&running, outcomes).await
        };
        (id, brought.boxed().shared())
    };
    let brought: Arc<HashMap<_, _>> = Arc::new(outcomes.into_iter().map(bring).collect());
    for (mut one, ids) in parts {
        let (running, brought) = (app.clone(), brought.clone());
        app.tasks().spawn(async move {
            let stored = ids.iter().filter_map(|id| brought.get(id).cloned());
            let arrivals = std::mem::take(&mut one.arrivals).into_iter();
            let arrived = arrivals.map(|arrival| async {
                let after = arrival.connection_id().and_then(|id| brought.get(&id).cloned());
                let may_begin = match after {
                    Some(after) => after.await,
                    None => true,
                };
                may_begin && all(vec![arrival::replay::begin(&running, arrival)]).await
            });
            let (stored, arrived) = join(join_all(stored), join_all(arrived)).await;
            if stored.into_iter().chain(arrived).all(|is_done| is_done) {
                one.end().await;
            }
        });
    }
}

/// Whether all of them say that they are done.
async fn all(tasks: Vec<JoinHandle<bool>>) -> bool {
    join_all(tasks).await.into_iter().all(|is_done| is_done.unwrap_or_default())
}

fn hand(app: &App, outcome: &Outcome) -> Hand {
    Hand::take(app.flights(), outcome.fence.id, outcome.fence.lease_id)
}

/// All that can be read of it is stored.
fn end(leftover: Leftover, unreadable: usize) {
    if unreadable > 0 {
        // Perhaps another master key opens the rest: the next start tries again.
        return;
    }
    if leftover.torn > 0 {
        // Behind what is not whole there may be more that is.
        leftover.set_aside();
    } else {
        leftover.done();
    }
}

/// Offers outcomes to the store until it has them all, or the process is to end; whether it has.
pub async fn bring_all<P: Ports>(ports: &P, mut outcomes: Vec<Outcome>) -> bool {
    while !outcomes.is_empty() && !ports.is_stopping() {
        ports.sleep(BUSY_RETRY).await;
        outcomes = offer(ports, outcomes).await;
    }
    outcomes.is_empty()
}

/// Offers outcomes to the store, all at once; those that it does not have yet.
async fn offer<P: Ports>(ports: &P, outcomes: Vec<Outcome>) -> Vec<Outcome> {
    let stored = join_all(outcomes.iter().map(|outcome| bring(ports, outcome))).await;
    outcomes.into_iter().zip(stored).filter_map(|(one, stored)| (!stored).then_some(one)).collect()
}

/// Offers an outcome to the store; whether it has it.
pub async fn bring<P: Ports>(ports: &P, outcome: &Outcome) -> bool {
    failpoint::hit(failpoint::REPLAYING);
    match ports.save(outcome).await {
        Ok(Saved::Done(verdict)) => {
            failpoint::hit(failpoint::REPLAYED);
            tracing::info!(connection = %outcome.fence.id, verdict = verdict.as_str(), "replayed");
            true
        }
        Ok(Saved::Busy) => false,
        Err(Unconfirmed(error)) => {
            tracing::warn!(error = format!("{error:#}"), "a record is not stored yet");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sqlx::PgPool;

    use super::*;
    use crate::tests::support::World;

    /// As they were written when there were no others.
    #[sqlx::test]
    async fn a_record_without_a_kind_is_what_a_refresh_came_to(pool: PgPool) {
        let world = World::new(pool).await;
        let id = Uuid::from_u128(7);
        let old = json!({
            "fence": { "id": id, "lease_id": id, "generation": 3 },
            "client_id": id,
            "attempt_id": id,
            "trigger": "schedule",
            "name": "Books",
            "change": { "Release": null },
            "ending": null,
            "client": null,
        });
        let entry = seal(&world.app, id, 3, &old).unwrap();
        let Written::Outcome(outcome) = open(&world.app, &entry).unwrap() else {
            panic!("it is taken for something else");
        };
        assert_eq!((outcome.attempt_id, outcome.fence.generation), (id, 3));
        assert_eq!(serde_json::to_value(&outcome).unwrap(), old, "and is still written so");

        // What a newer one wrote is left alone, and so is what was moved.
        let newer = json!({ "kind": "arrival", "form": 2 });
        assert!(open(&world.app, &seal(&world.app, id, 0, &newer).unwrap()).is_err());
        assert!(open(&world.app, &Entry { id: Uuid::nil(), ..entry }).is_err());
    }
}
