//! The journal's records: sealed going in, and stored at the next start (DESIGN section 3, point 4).

use anyhow::Context;
use futures::future::join_all;

use super::{
    decide::Outcome,
    engine::{Ports, Saved, Unconfirmed},
    flights::Hand,
};
use crate::server::{
    app::App,
    failpoint,
    journal::{Entry, Leftover},
    secret::seal::{self, Place},
};

/// How many records are offered to the store at once: enough to fill its groups.
const AT_ONCE: usize = 512;
/// How long the start waits for what the store does not take at once.
const BUSY_RETRY: std::time::Duration = std::time::Duration::from_millis(500);

fn place(attempt_id: uuid::Uuid, generation: i64) -> Place {
    Place { table: "journal", column: "record", row: attempt_id, generation }
}

/// An outcome as it is written down.
pub fn record(app: &App, outcome: &Outcome) -> anyhow::Result<Entry> {
    let (attempt_id, generation) = (outcome.attempt_id, outcome.fence.generation);
    let plain = zeroize::Zeroizing::new(serde_json::to_vec(outcome)?);
    let sealed = app.keyring().seal(app.rng(), place(attempt_id, generation), &plain)?;
    Ok(Entry { attempt_id, generation, sealed })
}

fn open(app: &App, entry: &Entry) -> anyhow::Result<Outcome> {
    let place = place(entry.attempt_id, entry.generation);
    let plain = app.keyring().open(place, &entry.sealed).map_err(|error: seal::Error| error)?;
    serde_json::from_slice(&plain).context("a record has another form")
}

/// Stores what earlier processes left in their journals, before anything is claimed. What others hold
/// at the moment is stored when they have ended.
pub async fn leftovers(app: &App, found: Vec<Leftover>) {
    for leftover in found {
        if leftover.torn > 0 {
            tracing::error!(
                path = %leftover.path().display(),
                bytes = leftover.torn,
                "a journal ends in the middle of a record; what was not written whole was never \
                 relied upon"
            );
            metrics::counter!("regrant_journal_torn_total").increment(1);
        }
        let mut busy = Vec::new();
        let mut unreadable = 0;
        for entries in leftover.entries.chunks(AT_ONCE) {
            let mut outcomes = Vec::with_capacity(entries.len());
            for entry in entries {
                match open(app, entry) {
                    Ok(outcome) => outcomes.push(outcome),
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
        if busy.is_empty() {
            end(leftover, unreadable);
            continue;
        }
        let running = app.clone();
        // Their tokens are newer than what is stored, so nobody here is to take these connections over.
        let in_hand: Vec<Hand> = busy.iter().map(|outcome| hand(app, outcome)).collect();
        app.tasks().spawn(async move {
            let _in_hand = in_hand;
            if bring_all(&running, busy).await {
                end(leftover, unreadable);
            }
        });
    }
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
