//! Outcomes on their way to the store, in groups: whoever comes while a group is being written goes with
//! the next one, so that throughput is bound by providers and not by commits.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use tokio::sync::{Semaphore, oneshot};
use uuid::Uuid;

use super::{
    decide::Outcome,
    engine::{Saved, Unconfirmed},
};

/// How many outcomes go into one transaction.
const GROUP: usize = 256;
/// How many groups are written at once: while one commits, the next is prepared.
const WRITERS: usize = 2;
/// How many of a group are found to be blocked before the others are no longer tried one by one.
const BLOCKED: usize = 2;

type Reply = oneshot::Sender<Result<Saved, Unconfirmed>>;

/// Where groups are written.
pub trait Store: Sync {
    /// Stores outcomes of different connections in one transaction; what became of each.
    fn write(
        &self,
        outcomes: &[Outcome],
    ) -> impl Future<Output = anyhow::Result<Vec<Saved>>> + Send;
    /// Whether the error says that it was not there, rather than that it refused.
    fn is_absence(&self, error: &anyhow::Error) -> bool;
    /// Whether the error says that somebody else has a row and keeps it.
    fn is_blocked(&self, error: &anyhow::Error) -> bool;
}

/// Outcomes that wait to be written.
pub struct Saver {
    waiting: Mutex<Vec<(Outcome, Reply)>>,
    writers: Semaphore,
    /// Attempts whose rows somebody else kept: they wait for these by themselves, one at a time.
    apart: Mutex<HashSet<Uuid>>,
    apart_writer: Semaphore,
}

impl Default for Saver {
    fn default() -> Self {
        Self {
            waiting: Mutex::default(),
            writers: Semaphore::new(WRITERS),
            apart: Mutex::default(),
            apart_writer: Semaphore::new(1),
        }
    }
}

impl Saver {
    /// Stores an outcome, together with those of others.
    pub async fn save<S: Store>(&self, store: &S, outcome: &Outcome) -> Result<Saved, Unconfirmed> {
        if self.apart().contains(&outcome.attempt_id) {
            return self.save_apart(store, outcome).await;
        }
        let (reply, saved) = oneshot::channel();
        self.push(outcome.clone(), reply);
        // Whoever gets to write takes along all that wait, and finds nothing if another took theirs.
        while self.holds(outcome.attempt_id) {
            let Ok(_writing) = self.writers.acquire().await else { break };
            let (outcomes, replies): (Vec<_>, Vec<_>) = self.group().into_iter().unzip();
            if outcomes.is_empty() {
                continue;
            }
            let results = write(store, &outcomes).await;
            for ((outcome, reply), result) in outcomes.iter().zip(replies).zip(results) {
                if result.as_ref().is_err_and(|Unconfirmed(error)| store.is_blocked(error)) {
                    self.apart().insert(outcome.attempt_id);
                }
                let _ = reply.send(result);
            }
        }
        // The writer may have died with its group.
        saved.await.unwrap_or_else(|_| Err(Unconfirmed(anyhow::anyhow!("the writer went away"))))
    }

    async fn save_apart<S: Store>(
        &self,
        store: &S,
        outcome: &Outcome,
    ) -> Result<Saved, Unconfirmed> {
        let _writing = self.apart_writer.acquire().await.map_err(|error| Unconfirmed(error.into()));
        let result = store.write(std::slice::from_ref(outcome)).await;
        if !result.as_ref().is_err_and(|error| store.is_blocked(error)) {
            self.apart().remove(&outcome.attempt_id);
        }
        result.map(|saved| saved[0]).map_err(Unconfirmed)
    }

    fn apart(&self) -> std::sync::MutexGuard<'_, HashSet<Uuid>> {
        self.apart.lock().unwrap_or_else(PoisonError::into_inner)
    }

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

async fn write<S: Store>(store: &S, outcomes: &[Outcome]) -> Vec<Result<Saved, Unconfirmed>> {
    match store.write(outcomes).await {
        Ok(saved) => saved.into_iter().map(Ok).collect(),
        Err(error) if outcomes.len() == 1 => vec![Err(Unconfirmed(error))],
        // One that the database will never take keeps no other from being stored.
        Err(error) if !store.is_absence(&error) => {
            let mut results = Vec::with_capacity(outcomes.len());
            let mut blocked = 0;
            for (at, outcome) in outcomes.iter().enumerate() {
                let alone = store.write(std::slice::from_ref(outcome)).await;
                let away = alone.as_ref().is_err_and(|error| store.is_absence(error));
                blocked += usize::from(alone.as_ref().is_err_and(|error| store.is_blocked(error)));
                results.push(alone.map(|saved| saved[0]).map_err(Unconfirmed));
                if away || blocked == BLOCKED {
                    // The others are not to wait for it, each in turn: they have a journal.
                    results
                        .extend(unconfirmed(&outcomes[at + 1..], "the database did not take it"));
                    break;
                }
            }
            results
        }
        Err(error) => unconfirmed(outcomes, &format!("{error:#}")).collect(),
    }
}

fn unconfirmed(
    outcomes: &[Outcome],
    why: &str,
) -> impl Iterator<Item = Result<Saved, Unconfirmed>> {
    outcomes.iter().map(move |_| Err(Unconfirmed(anyhow::anyhow!(why.to_owned()))))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::{
        domain::attempt::{Trigger, Verdict},
        server::{app::refresh::decide::Change, store::connection::outcome::Fence},
    };

    /// Takes no group; goes away at the write of this number; has rows of these numbers kept from it.
    struct Failing {
        writes: AtomicUsize,
        away_at: usize,
        kept: &'static [u128],
    }

    impl Store for Failing {
        async fn write(&self, outcomes: &[Outcome]) -> anyhow::Result<Vec<Saved>> {
            let write = self.writes.fetch_add(1, Ordering::Relaxed);
            match outcomes {
                _ if write >= self.away_at => Err(anyhow::anyhow!("away")),
                [one] if self.kept.contains(&one.attempt_id.as_u128()) => {
                    Err(anyhow::anyhow!("blocked"))
                }
                [_] => Ok(vec![Saved::Done(Verdict::Postponed)]),
                _ => Err(anyhow::anyhow!("one of them is refused")),
            }
        }

        fn is_absence(&self, error: &anyhow::Error) -> bool {
            error.to_string() == "away"
        }

        fn is_blocked(&self, error: &anyhow::Error) -> bool {
            error.to_string() == "blocked"
        }
    }

    fn outcomes() -> Vec<Outcome> {
        (1..=5)
            .map(|n| Outcome {
                fence: Fence { id: Uuid::from_u128(n), lease_id: Uuid::nil(), generation: 1 },
                client_id: Uuid::nil(),
                attempt_id: Uuid::from_u128(n),
                trigger: Trigger::Schedule,
                name: String::new(),
                change: Change::Release(None),
                ending: None,
                client: None,
            })
            .collect()
    }

    #[tokio::test]
    async fn one_that_is_refused_keeps_no_other_from_being_stored() {
        let store = Failing { writes: AtomicUsize::new(0), away_at: usize::MAX, kept: &[] };
        let results = write(&store, &outcomes()).await;
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 5);
    }

    /// Whoever keeps one row keeps it from that one outcome, also when it is offered again; and many of
    /// them are not found out at the others' cost.
    #[tokio::test]
    async fn what_is_blocked_is_offered_apart() {
        let store = Failing { writes: AtomicUsize::new(0), away_at: usize::MAX, kept: &[2] };
        let (saver, outcomes) = (Saver::default(), outcomes());
        let save = async || {
            let busy = saver.writers.acquire_many(2).await;
            let offers = outcomes.iter().map(|outcome| saver.save(&store, outcome));
            let offers = futures::future::join_all(offers);
            let (results, ()) = tokio::join!(offers, async { drop(busy) });
            results.iter().map(Result::is_ok).collect::<Vec<_>>()
        };
        assert_eq!(save().await, [true, false, true, true, true]);
        assert_eq!(store.writes.swap(0, Ordering::Relaxed), 6);
        assert!(saver.save(&store, &outcomes[1]).await.is_err());
        assert_eq!(store.writes.swap(0, Ordering::Relaxed), 1);
        let free = Failing { writes: AtomicUsize::new(0), away_at: usize::MAX, kept: &[] };
        assert!(saver.save(&free, &outcomes[1]).await.is_ok());
        assert!(saver.apart().is_empty());

        let store = Failing { writes: AtomicUsize::new(0), kept: &[1, 2, 3, 4], ..free };
        let results = write(&store, &outcomes).await;
        assert_eq!(results.iter().filter(|result| result.is_err()).count(), 5);
        assert_eq!(store.writes.load(Ordering::Relaxed), 1 + 2);
    }

    /// Each of them would wait in turn for a database that is not there, and none be in the journal.
    #[tokio::test]
    async fn a_store_that_goes_away_is_not_asked_for_each() {
        for (away_at, stored) in [(0, 0), (3, 2)] {
            let store = Failing { writes: AtomicUsize::new(0), away_at, kept: &[] };
            let results = write(&store, &outcomes()).await;
            assert_eq!(results.len(), 5);
            assert_eq!(results.iter().filter(|result| result.is_ok()).count(), stored);
            assert_eq!(store.writes.load(Ordering::Relaxed), away_at + 1);
        }
    }
}
