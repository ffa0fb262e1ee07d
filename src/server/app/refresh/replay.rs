//! The journal's records: sealed going in, and stored at the next start (DESIGN section 3, point 4).

use anyhow::Context;

use super::{
    decide::Outcome,
    engine::{Ports, Saved, Unconfirmed},
};
use crate::server::{
    app::App,
    failpoint,
    journal::{Entry, Leftover},
    secret::seal::{self, Place},
};

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
        for entry in &leftover.entries {
            match open(app, entry) {
                Ok(outcome) => {
                    if !bring(app, &outcome).await {
                        busy.push(outcome);
                    }
                }
                Err(error) => {
                    unreadable += 1;
                    tracing::error!(
                        error = format!("{error:#}"),
                        "a journal's record can't be read"
                    );
                }
            }
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
        app.tasks().spawn(async move {
            if bring_all(&running, busy).await {
                end(leftover, unreadable);
            }
        });
    }
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
        let mut still = Vec::new();
        for outcome in outcomes {
            if !bring(ports, &outcome).await {
                still.push(outcome);
            }
        }
        outcomes = still;
    }
    outcomes.is_empty()
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
