use std::{
    future::pending,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    task::Poll,
};

use super::*;
use crate::server::store::{attempt, connection::outcome::Fence};

/// A store, a journal beside it and a process, as each test wants them. Time passes at once.
#[derive(Default)]
struct Trial {
    /// How often the store refuses before it takes something.
    refusals: AtomicUsize,
    /// It takes nothing before that is in the journal.
    awaits_journal: bool,
    /// The journal's disk does not answer.
    hangs: bool,
    /// The process is to end.
    stops: bool,
    elapsed: AtomicUsize,
    journaled: AtomicBool,
    settled: AtomicBool,
}

impl Ports for Trial {
    type Caller = ();
    type Record = ();

    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH
    }

    fn elapsed(&self) -> Duration {
        Duration::milliseconds(self.elapsed.load(Ordering::Relaxed).cast_signed() as i64)
    }

    fn jitter(&self) -> f64 {
        0.0
    }

    async fn sleep(&self, time: StdDuration) {
        let passed = usize::try_from(time.as_millis()).expect("a short time");
        self.elapsed.fetch_add(passed, Ordering::Relaxed);
    }

    async fn ask(&self, _task: &Task<()>) -> Result<Grant, Refusal> {
        pending().await
    }

    fn answered(&self, _attempt_id: Uuid) {}

    fn seal(&self, _task: &Task<()>, _grant: &Grant) -> anyhow::Result<TokenSet> {
        anyhow::bail!("nothing is sealed here")
    }

    async fn save(&self, outcome: &Outcome) -> Result<Saved, Unconfirmed> {
        // Not at once, so that the journal comes into it.
        tokio::task::yield_now().await;
        std::future::poll_fn(|_| {
            match self.awaits_journal && !self.journaled.load(Ordering::Relaxed) {
                true => Poll::Pending,
                false => Poll::Ready(()),
            }
        })
        .await;
        let left = self.refusals.load(Ordering::Relaxed);
        self.refusals.store(left.saturating_sub(1), Ordering::Relaxed);
        match left {
            0 => Ok(Saved::Done(outcome.verdict())),
            _ => Err(Unconfirmed(anyhow::anyhow!("not now"))),
        }
    }

    async fn journal(&self, _outcome: &Outcome) -> Option<()> {
        if self.hangs {
            pending::<()>().await;
        }
        self.journaled.store(true, Ordering::Relaxed);
        Some(())
    }

    fn settle(&self, _record: ()) {
        self.settled.store(true, Ordering::Relaxed);
    }

    fn is_stopping(&self) -> bool {
        self.stops
    }
}

/// A process that is to end offers what is in its journal a few times more: whoever takes over may not
/// see that journal.
#[tokio::test]
async fn what_is_journaled_is_offered_a_little_longer_at_the_end() {
    let ending =
        |refusals| Trial { refusals: AtomicUsize::new(refusals), stops: true, ..Trial::default() };
    let (outcome, ends) = (released(), Duration::seconds(45));
    assert_eq!(conclude(&ending(3), &outcome, ends).await, Verdict::Postponed);
    let ports = ending(usize::MAX);
    assert_eq!(conclude(&ports, &outcome, ends).await, Verdict::InDoubt);
    let took = ports.elapsed();
    assert!(took >= PARTING && took < PARTING + Duration::seconds(3), "{took}");
}

/// The store is there: a disk that hangs keeps nothing from it.
#[tokio::test]
async fn a_journal_that_hangs_keeps_nothing_from_the_store() {
    for refusals in [0, 3] {
        let refusals = AtomicUsize::new(refusals);
        let ports = Trial { refusals, hangs: true, ..Trial::default() };
        let saved = conclude(&ports, &released(), Duration::seconds(45)).await;
        assert_eq!(saved, Verdict::Postponed);
    }
}

/// An answer that the store is slow to take is written down meanwhile: the process may die.
#[tokio::test]
async fn what_takes_long_to_store_is_journaled_meanwhile() {
    let ports = Trial { awaits_journal: true, ..Trial::default() };
    assert_eq!(conclude(&ports, &released(), Duration::ZERO).await, Verdict::Postponed);
    assert!(ports.settled.load(Ordering::Relaxed));
}

/// An outcome that is worth keeping.
fn released() -> Outcome {
    Outcome {
        fence: Fence { id: Uuid::nil(), lease_id: Uuid::nil(), generation: 1 },
        client_id: Uuid::nil(),
        attempt_id: Uuid::nil(),
        trigger: Trigger::Schedule,
        name: String::new(),
        change: decide::Change::Release(None),
        ending: Some(attempt::Ending {
            verdict: Verdict::Postponed,
            error_class: None,
            status: None,
            error_code: None,
            error_description: None,
            generation_after: None,
            fingerprint_after: None,
        }),
        client: None,
    }
}
