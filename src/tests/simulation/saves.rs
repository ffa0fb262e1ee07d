//! Saves as `refresh::save` puts them together, statement by statement: what is decided between the
//! statements is the real thing.

use std::collections::{HashMap, HashSet};

use time::{Duration, OffsetDateTime};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::{
    executor::Micros,
    incidents::{self, Weighing},
    replica::Process,
    store::{
        View,
        suspect::Refreshed,
        transaction::{ABSENT, Gone, Statements},
    },
};
use crate::{
    domain::attempt::Verdict,
    server::app::refresh::{
        decide::{ClientNote, Outcome},
        engine::{Ports, Saved},
        group::{self, Changes, Endings},
        save::{LIMIT, PATIENCE, SOON},
        saver, weigh,
    },
};

/// Stores a group of outcomes; what became of each, and how many of each client were refreshed by it.
pub async fn save(
    tx: &mut impl Statements,
    outcomes: &[Outcome],
    now: OffsetDateTime,
    weighing: &mut Weighing,
) -> Result<(Vec<Saved>, Vec<(Uuid, i64)>), Gone> {
    let watched = incidents::watch(tx, outcomes).await?;
    let changes = Changes::of(outcomes);
    let mut changed = HashSet::new();
    if !changes.renewals.is_empty() {
        let renew = |view: &mut View<'_>| view.renew(&changes.renewals, &changes.attempts, now);
        let renewed = tx.run("renew", renew).await?;
        tx.run("replace token sets", |view| {
            let sets = changes.sets.iter().filter(|set| renewed.contains(&set.connection_id));
            sets.for_each(|set| view.replace((*set).clone()));
            Ok(())
        })
        .await?;
        changed.extend(renewed);
    }
    if !changes.setbacks.is_empty() {
        changed.extend(tx.run("set back", |view| view.set_back(&changes.setbacks)).await?);
    }
    if !changes.releases.is_empty() {
        changed.extend(tx.run("release", |view| view.release(&changes.releases)).await?);
    }
    let taken = group::taken(outcomes, &changed);
    let mut saved = HashMap::new();
    let (ours, others): (Vec<&Outcome>, Vec<&Outcome>) =
        outcomes.iter().partition(|outcome| taken.contains(&outcome.attempt_id));
    saved.extend(ours.iter().map(|o| (o.attempt_id, Saved::Done(o.verdict()))));
    if !others.is_empty() {
        let ids: Vec<Uuid> = others.iter().map(|outcome| outcome.fence.id).collect();
        let verdicts = tx
            .run("read verdicts", |view| {
                Ok(others.iter().map(|o| view.verdict(o.attempt_id)).collect::<Vec<_>>())
            })
            .await?;
        let standing = tx.run("read how they stand", |view| Ok(view.standing(&ids))).await?;
        for (outcome, verdict) in others.into_iter().zip(verdicts) {
            saved.insert(outcome.attempt_id, group::refused(outcome, verdict, &standing));
        }
    }
    for attempt_id in incidents::weigh_all(tx, &watched, outcomes, &taken, now, weighing).await? {
        saved.insert(attempt_id, Saved::Done(Verdict::Suspended));
    }
    let endings = Endings::of(outcomes, &taken, &saved);
    tx.run("end attempts", |view| {
        view.finish(&endings.ended)?;
        view.delete(&endings.withdrawn.1)
    })
    .await?;
    for outcome in ours {
        match &outcome.client {
            Some(ClientNote::Pause { until }) => {
                tx.run("pause a client", |view| view.pause(outcome.client_id, *until)).await?;
            }
            Some(ClientNote::Rejected { secret_generation, .. }) => {
                let reject =
                    |view: &mut View<'_>| view.reject(outcome.client_id, *secret_generation);
                tx.run("reject a client", reject).await?;
            }
            Some(ClientNote::Proved { .. }) | None => {}
        }
    }
    let saved = outcomes.iter().map(|outcome| saved[&outcome.attempt_id]).collect();
    Ok((saved, weigh::refreshed(outcomes, &taken)))
}

impl Process {
    async fn transact(&self, outcomes: &[Outcome]) -> Result<Vec<Saved>, Gone> {
        let mut tx = self.world.begin(Some(self.replica)).await?;
        let mut weighing = self.world.weighing();
        let (saved, refreshed) = save(&mut tx, outcomes, self.now(), &mut weighing).await?;
        tx.commit().await?;
        self.count(refreshed);
        let ids: Vec<Uuid> = outcomes.iter().map(|outcome| outcome.fence.id).collect();
        ids.iter().for_each(|id| self.flights.wake(*id));
        self.world.state().announce(&ids);
        self.wake_in_time(outcomes);
        Ok(saved)
    }

    /// `save::count`, of refreshes; what can't be counted is not.
    fn count(&self, refreshed: Vec<(Uuid, i64)>) {
        let at = self.now();
        let refreshed = refreshed.into_iter();
        let refreshed = refreshed.map(|(client_id, count)| Refreshed { client_id, at, count });
        let mut state = self.world.state();
        if !state.is_cut_off(self.replica) {
            state.db.tables.refreshed.extend(refreshed);
        }
    }

    /// `save::wake_in_time`.
    fn wake_in_time(&self, outcomes: &[Outcome]) {
        let now = self.now();
        let soon = outcomes.iter().filter_map(Outcome::due_at).map(|due_at| due_at - now).min();
        if let Some(wait) = soon.filter(|wait| *wait < SOON) {
            let wait = wait.max(Duration::ZERO).whole_microseconds() as Micros;
            let (world, replica) = (self.world.clone(), self.replica);
            self.world.spawn(self.group, async move {
                world.at("wait for what is due soon");
                world.sleep(wait).await;
                if let Some(process) = &world.state().replicas[replica].process {
                    process.woken.notify_one();
                }
            });
        }
    }
}

impl saver::Store for Process {
    async fn write(&self, outcomes: &[Outcome]) -> anyhow::Result<Vec<Saved>> {
        let (world, outcomes) = (self.world.clone(), outcomes.to_vec());
        let writing = async move {
            let process = world.state().replicas[self.replica].process.clone().ok_or(ABSENT)?;
            world.at("wait for a turn to write");
            let turn = self.writing.clone().acquire_owned().await.map_err(|_| ABSENT)?;
            // In a task of its own, which goes on when nobody waits for it any more.
            let (reply, written) = oneshot::channel();
            let limit = LIMIT.as_micros() as Micros;
            world.clone().spawn(self.group, async move {
                let written = world.timeout(limit, process.transact(&outcomes)).await;
                drop(turn);
                let _ = reply.send(written.unwrap_or(Err(ABSENT)));
            });
            written.await.unwrap_or(Err(ABSENT))
        };
        let patience = PATIENCE.as_micros() as Micros;
        let written: Result<_, Gone> =
            self.world.timeout(patience, writing).await.unwrap_or(Err(ABSENT));
        Ok(written?)
    }

    fn is_absence(&self, error: &anyhow::Error) -> bool {
        error.downcast_ref::<Gone>().is_some_and(|gone| gone.is_absence)
    }

    fn is_blocked(&self, _error: &anyhow::Error) -> bool {
        false
    }
}
