//! The path of one refresh, from a leased connection to a saved outcome.
//!
//! All that it touches is behind [`Ports`], so that a simulation can put it on a clock, a network, a
//! provider and a store of its own and break each of them at each step; the server's ports are in
//! [`live`](super::live). What follows from an answer is decided in [`decide`](super::decide), without
//! any I/O.

use std::{pin::pin, sync::Arc, time::Duration as StdDuration};

use secrecy::SecretString;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::decide::{self, Outcome};
use crate::{
    domain::{
        attempt::{Trigger, Verdict},
        provider::Profile,
    },
    server::{
        app::grant::Extras,
        failpoint,
        provider::{self, Grant, Refusal},
        store::{connection::lease::Leased, token_set::TokenSet},
    },
};

/// How long a claim lasts unless it is prolonged: longer than any call to a provider, and short enough
/// that what a crashed holder had is free again within a minute.
pub const LEASE: Duration = Duration::seconds(45);
/// How long a call to a provider takes at most.
pub const CALL: Duration = Duration::seconds(provider::DEADLINE.as_secs().cast_signed());

const _: () = assert!(CALL.whole_seconds() < LEASE.whole_seconds());

/// How soon an outcome that was not confirmed is offered to the store again: at first, and at most.
const SAVE_RETRY: StdDuration = StdDuration::from_millis(100);
const SAVE_RETRY_CAP: StdDuration = StdDuration::from_secs(1);
/// What the store did not take within this time is written down beside it while it goes on.
pub const JOURNAL_AFTER: StdDuration = StdDuration::from_millis(500);
/// How long the journal's disk may take before the store alone is counted on.
pub const JOURNAL_PATIENCE: StdDuration = StdDuration::from_secs(10);
/// How long a process that is to end goes on offering what is in the journal. Whoever takes over may not see this
/// journal, and would send a token that was replaced.
pub const PARTING: Duration = Duration::seconds(5);

/// A refresh that is ours to make: leased, its intent written.
pub struct Task<C> {
    pub leased: Leased,
    pub attempt_id: Uuid,
    pub trigger: Trigger,
    pub profile: Arc<Profile>,
    /// The refresh token, where there is one.
    pub held: Option<SecretString>,
    /// What the provider said beside the tokens before.
    pub extras: Extras,
    /// When the lease ends at the latest, by [`Ports::elapsed`].
    pub ends: Duration,
    /// Which of the client's secrets goes with the request.
    pub secret_generation: i64,
    /// What the request is made with.
    pub caller: C,
}

impl<C> Task<C> {
    /// The same task, made with something else.
    pub fn with<D>(self, caller: D) -> (Task<D>, C) {
        let Self {
            leased,
            attempt_id,
            trigger,
            profile,
            held,
            extras,
            ends,
            secret_generation,
            caller: was,
        } = self;
        let task = Task {
            leased,
            attempt_id,
            trigger,
            profile,
            held,
            extras,
            ends,
            secret_generation,
            caller,
        };
        (task, was)
    }
}

/// What became of an outcome that was offered to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saved {
    /// It is stored, or changes nothing any more.
    Done(Verdict),
    /// A grant that came late, while someone else holds the connection: it is to be offered again.
    Busy,
}

/// The store did not confirm: whether it took the outcome is not known.
#[derive(Debug)]
pub struct Unconfirmed(pub anyhow::Error);

/// All that a refresh touches.
pub trait Ports: Sync {
    /// What a request is made with: the client and its secret.
    type Caller: Send + Sync;
    /// A record in the journal.
    type Record: Send + Sync;

    fn now(&self) -> OffsetDateTime;
    /// Time that passes whatever happens to the time of day.
    fn elapsed(&self) -> Duration;
    /// A fraction in 0..1.
    fn jitter(&self) -> f64;
    fn sleep(&self, time: StdDuration) -> impl Future<Output = ()> + Send;
    /// Asks the provider. A refresh token is in at most one such call at a time.
    fn ask(&self, task: &Task<Self::Caller>)
    -> impl Future<Output = Result<Grant, Refusal>> + Send;
    /// Notes that an attempt asks its provider nothing (more), though its outcome is not stored yet.
    fn answered(&self, attempt_id: Uuid);
    /// Makes a grant fit to be stored as the next generation.
    fn seal(&self, task: &Task<Self::Caller>, grant: &Grant) -> anyhow::Result<TokenSet>;
    /// Stores an outcome under its lease and generation. The same outcome may be offered again.
    fn save(&self, outcome: &Outcome) -> impl Future<Output = Result<Saved, Unconfirmed>> + Send;
    /// Writes an outcome down durably beside the store. `None`: there is no place to.
    fn journal(&self, outcome: &Outcome) -> impl Future<Output = Option<Self::Record>> + Send;
    /// Takes a record back, once the store has its outcome.
    fn settle(&self, record: Self::Record);
    /// Whether the process is to end: what is in the journal is left to the next start.
    fn is_stopping(&self) -> bool;
}

/// Makes a claimed refresh, or says on the connection why it can't even be asked for.
pub async fn make<P: Ports>(
    ports: &P,
    claimed: Task<Result<P::Caller, String>>,
) -> anyhow::Result<Verdict> {
    let (task, caller) = claimed.with(());
    match caller {
        Ok(caller) => run(ports, &task.with(caller).0).await,
        Err(why) => {
            ports.answered(task.attempt_id);
            // Nothing was sent, so nothing is in doubt.
            let outcome = decide::unprepared(&task, &why, ports.now(), ports.jitter());
            Ok(conclude(ports, &outcome, task.ends).await)
        }
    }
}

/// Makes a refresh and saves what it came to.
pub async fn run<P: Ports>(ports: &P, task: &Task<P::Caller>) -> anyhow::Result<Verdict> {
    if !decide::is_renewable(task) {
        ports.answered(task.attempt_id);
        return Ok(conclude(ports, &decide::lapse(task, ports.now()), task.ends).await);
    }
    // A process that was stopped for a while may wake up when its lease is nearly over, and another
    // holder would send the same token: then it sends nothing.
    if ports.elapsed() + CALL > task.ends {
        ports.answered(task.attempt_id);
        return Ok(conclude(ports, &decide::withdraw(task, ports.now()), task.ends).await);
    }
    failpoint::hit(failpoint::SENDING);
    let answer = ports.ask(task).await;
    ports.answered(task.attempt_id);
    let unrecorded =
        (!matches!(&answer, Err(Refusal { status: None, .. }))).then_some(task.leased.id);
    failpoint::hit_with_answer(failpoint::ANSWERED, unrecorded);
    let outcome = match answer {
        Ok(grant) => {
            let set = ports.seal(task, &grant)?;
            decide::renew(task, &grant, set, ports.now(), ports.jitter())
        }
        Err(refusal) => decide::set_back(task, &refusal, ports.now(), ports.jitter()),
    };
    failpoint::hit_with_answer(failpoint::SEALED, unrecorded);
    Ok(conclude(ports, &outcome, task.ends).await)
}

/// Brings an outcome to where it is durable, and then into the store, however long that takes: an
/// answer from a provider exists nowhere else. When the process is to end, what is in the journal is
/// left to the next start after a few more tries; what is not, only once its lease is over at `ends`.
pub async fn conclude<P: Ports>(ports: &P, outcome: &Outcome, ends: Duration) -> Verdict {
    let (mut record, mut stopping_since) = (None, None);
    let mut wait = SAVE_RETRY;
    loop {
        failpoint::hit(failpoint::SAVING);
        let offered = ports.elapsed();
        let mut saving = pin!(ports.save(outcome));
        let saved = tokio::select! {
            biased;
            saved = &mut saving => saved,
            () = ports.sleep(JOURNAL_AFTER), if record.is_none() && outcome.is_precious() => {
                // Both go on: a disk that hangs keeps no group from being stored.
                let mut writing = pin!(write_down(ports, outcome));
                tokio::select! {
                    biased;
                    written = &mut writing => {
                        record = written;
                        saving.await
                    }
                    saved = &mut saving => {
                        record = writing.await;
                        saved
                    }
                }
            }
        };
        match saved {
            Ok(Saved::Done(verdict)) => {
                failpoint::hit(failpoint::SAVED);
                if let Some(record) = record {
                    ports.settle(record);
                }
                return verdict;
            }
            Ok(Saved::Busy) => {}
            Err(Unconfirmed(error)) => tracing::warn!(
                connection = %outcome.fence.id,
                error = format!("{error:#}"),
                "the outcome of a refresh is not stored yet; trying again"
            ),
        }
        if record.is_none() && outcome.is_precious() {
            record = write_down(ports, outcome).await;
        }
        if ports.is_stopping() {
            let parting = *stopping_since.get_or_insert_with(|| ports.elapsed()) + PARTING;
            let is_kept = record.is_some() && ports.elapsed() >= parting;
            if is_kept || !outcome.is_precious() || ports.elapsed() > ends {
                return Verdict::InDoubt;
            }
        }
        // What took its time waited for a row that somebody has: back into that queue, so that nobody
        // else takes the row when it is free.
        if ports.elapsed() - offered < SAVE_RETRY_CAP {
            ports.sleep(wait).await;
            wait = (wait * 2).min(SAVE_RETRY_CAP);
        }
    }
}

async fn write_down<P: Ports>(ports: &P, outcome: &Outcome) -> Option<P::Record> {
    let record = tokio::select! {
        biased;
        record = ports.journal(outcome) => record,
        () = ports.sleep(JOURNAL_PATIENCE) => {
            tracing::error!(connection = %outcome.fence.id, "the journal's disk does not answer");
            None
        }
    };
    if record.is_some() {
        failpoint::hit(failpoint::JOURNALED);
    }
    record
}

#[cfg(test)]
mod tests;
