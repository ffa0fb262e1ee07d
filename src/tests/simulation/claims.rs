//! Claims and saves as `refresh::claim` and `refresh::save` put them together, statement by statement:
//! what is decided between the statements is the real thing.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use secrecy::SecretString;
use time::{Duration, OffsetDateTime};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::{
    executor::Micros,
    history::Event,
    replica::{Claimed, Process, Secret},
    store::{
        Attempt, View,
        transaction::{ABSENT, Gone, Statements, Tx},
    },
};
use crate::{
    domain::{attempt::Trigger, provider::Profile},
    server::{
        app::refresh::{
            decide::{ClientNote, Outcome},
            engine::{LEASE, Ports, Saved, Task},
            group::{self, Changes, Endings},
            intent::{self, Orphans, UNDER_WAY},
            save::{LIMIT, PATIENCE, SOON},
            saver,
        },
        store::{
            client::limit::Limit,
            connection::lease::{Lease, Leased, Room},
        },
    },
};

/// `claim::One`.
pub enum One {
    Claimed(Box<Claimed>),
    Taken,
    NoRoom,
}

/// A client as a claim has read it.
#[derive(Clone)]
pub struct Known {
    pub id: Uuid,
    pub secret: Secret,
    pub profile: Arc<Profile>,
}

impl View<'_> {
    /// What `refresh::now` needs to know of a connection that can be refreshed.
    pub fn refreshable(&self, id: Uuid) -> Option<(i64, Uuid)> {
        let connection = self.tables.connections.get(&id)?;
        connection.is_alive().then_some((connection.generation, connection.client_id))
    }

    /// `lease::is_held`.
    pub fn is_held(&self, id: Uuid) -> bool {
        self.tables.connections.get(&id).is_some_and(|connection| connection.is_held(self.now))
    }
}

/// `claim::room`: what began before takes no room.
fn open_since(now: OffsetDateTime) -> OffsetDateTime {
    now - UNDER_WAY + Duration::milliseconds(1)
}

/// What a look has leased of what is due.
#[derive(Debug, PartialEq)]
pub struct Found<L = Vec<Leased>> {
    pub leased: L,
    pub is_limited: bool,
    pub was_busy: bool,
}

/// What a process has in hand.
#[derive(Clone, Copy)]
pub struct Hands<'a> {
    pub except: &'a [Uuid],
    pub answered: &'a [Uuid],
}

/// Leases what is due and has room.
pub async fn claim_due(
    tx: &mut impl Statements,
    lease: Lease,
    limits: &[Limit],
    hands: Hands<'_>,
    limit: usize,
    now: OffsetDateTime,
) -> Result<Found, Gone> {
    let (since, Hands { except, answered }) = (open_since(now), hands);
    let rooms = tx.run("look for room", |view| view.room(limits, since, answered)).await?;
    let was_busy = rooms.len() < limits.len();
    let rooms: Vec<Room> = rooms.into_iter().filter(|room| room.room > 0).collect();
    if rooms.is_empty() {
        return Ok(Found { leased: Vec::new(), is_limited: true, was_busy });
    }
    let claim = |view: &mut View<'_>| Ok(view.claim_due(lease, &rooms, except, limit));
    let leased = tx.run("claim what is due", claim).await?;
    let places: i32 = rooms.iter().map(|room| room.room).sum();
    let is_limited = rooms.len() < limits.len()
        || leased.is_empty()
        || leased.len() >= limit.min(usize::try_from(places).unwrap_or_default());
    Ok(Found { leased, is_limited, was_busy })
}

/// Leases one connection, if there is room: `None` if someone else has it, and whether there is.
pub async fn claim_one(
    tx: &mut impl Statements,
    lease: Lease,
    limit: &Limit,
    answered: &[Uuid],
    (id, generation): (Uuid, i64),
    now: OffsetDateTime,
) -> Result<(Option<Leased>, bool), Gone> {
    let (limits, since) = (std::slice::from_ref(limit), open_since(now));
    let rooms = tx.run("look for room", |view| view.room(limits, since, answered)).await?;
    if rooms.iter().all(|room| room.room <= 0) {
        return Ok((None, false));
    }
    let leased = tx.run("claim one", |view| view.claim_one(lease, id, generation)).await?;
    Ok((leased, true))
}

/// Writes the intents; the refresh tokens, with their attempts. `new_id` names the attempts.
pub async fn intend(
    tx: &mut impl Statements,
    limits: &[Limit],
    leased: &mut [Leased],
    trigger: Trigger,
    now: OffsetDateTime,
    mut new_id: impl FnMut(&Leased) -> Uuid,
) -> Result<Vec<(Uuid, Option<Vec<u8>>)>, Gone> {
    for (client_id, seconds) in intent::spending(limits, leased) {
        tx.run("count against a rate", |view| view.spend(client_id, seconds)).await?;
    }
    if let Some(Orphans { lease_id, clients, connections, .. }) = Orphans::among(leased) {
        let abandon = |view: &mut View<'_>| view.abandon(&clients, &connections, lease_id);
        let abandoned = tx.run("abandon attempts", abandon).await?;
        let doubts = intent::doubt(leased, &abandoned);
        if !doubts.is_empty() {
            tx.run("note doubts", |view| {
                view.doubt(lease_id, &doubts);
                Ok(())
            })
            .await?;
        }
    }
    let ids: Vec<Uuid> = leased.iter().map(&mut new_id).collect();
    tx.run("write intents", |view| {
        let mut held = Vec::with_capacity(leased.len());
        for (leased, id) in leased.iter().zip(&ids) {
            held.push((*id, view.refresh_token(leased.id, leased.generation)));
            view.intend(Attempt {
                id: *id,
                connection_id: leased.id,
                client_id: leased.client_id,
                lease_id: leased.lease_id,
                trigger,
                started_at: now,
                generation_before: leased.generation,
                verdict: None,
                error_class: None,
                status: None,
                generation_after: None,
            });
        }
        Ok(held)
    })
    .await
}

/// `weigh::watch`: the clients whose state a group may change, in order.
fn watched(outcomes: &[Outcome]) -> Vec<Uuid> {
    let changes = |outcome: &&Outcome| outcome.client.is_some() || outcome.condemned().is_some();
    let clients: BTreeSet<Uuid> = outcomes.iter().filter(changes).map(|o| o.client_id).collect();
    clients.into_iter().collect()
}

/// Stores a group of outcomes.
pub async fn save(
    tx: &mut impl Statements,
    outcomes: &[Outcome],
    now: OffsetDateTime,
) -> Result<Vec<Saved>, Gone> {
    let clients = watched(outcomes);
    if !clients.is_empty() {
        tx.run("lock clients", |view| view.lock_clients(&clients)).await?;
    }
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
    Ok(outcomes.iter().map(|outcome| saved[&outcome.attempt_id]).collect())
}

impl Process {
    /// `claim::new_lease`.
    fn lease(&self) -> Lease {
        let now = self.now();
        let id = self.world.state().new_id(now);
        Lease { id, now: None, seconds: self.lease_time(), orphans: self.hears() }
    }

    /// `claim::due`.
    pub async fn due(&self, limit: usize) -> Result<Found<Vec<Claimed>>, Gone> {
        let clients = self.known(|view| view.list_due()).await?;
        let lease = self.lease();
        if clients.is_empty() {
            return Ok(Found { leased: Vec::new(), is_limited: false, was_busy: false });
        }
        let limit_of = |client: &Known| intent::limit(client.id, Some(&client.profile));
        let limits: Vec<Limit> =
            clients.iter().map(|client| intent::reserve(limit_of(client))).collect();
        let taken = self.elapsed();
        let mut tx = self.world.begin(Some(self.replica)).await?;
        let in_hand: Vec<Uuid> = self.flights.held().into_iter().map(|(id, _)| id).collect();
        let answered = self.flights.answered();
        let hands = Hands { except: &in_hand, answered: &answered };
        let found = claim_due(&mut tx, lease, &limits, hands, limit, self.now()).await?;
        let Found { leased, is_limited, was_busy } = found;
        let leased = match leased.is_empty() {
            true => Vec::new(),
            false => self.intend(tx, &limits, &clients, leased, Trigger::Schedule, taken).await?,
        };
        Ok(Found { leased, is_limited, was_busy })
    }

    /// `claim::one`.
    pub async fn one(
        &self,
        id: Uuid,
        client_id: Uuid,
        generation: i64,
        trigger: Trigger,
    ) -> Result<One, Gone> {
        let clients = self.known(|_| vec![client_id]).await?;
        let limit = intent::limit(client_id, Some(&clients[0].profile));
        let taken = self.elapsed();
        let mut tx = self.world.begin(Some(self.replica)).await?;
        // `claim::lease_of_one`.
        let lease = self.lease();
        let lease = Lease { orphans: lease.orphans && !self.flights.holds(id), ..lease };
        let (answered, one) = (self.flights.answered(), (id, generation));
        match claim_one(&mut tx, lease, &limit, &answered, one, self.now()).await? {
            (_, false) => Ok(One::NoRoom),
            (None, true) => Ok(One::Taken),
            (Some(leased), true) => {
                let claimed =
                    self.intend(tx, &[limit], &clients, vec![leased], trigger, taken).await?;
                Ok(claimed
                    .into_iter()
                    .next()
                    .map_or(One::Taken, |claimed| One::Claimed(Box::new(claimed))))
            }
        }
    }

    /// `limit::call_for_room`.
    pub async fn call_for_room(&self, client_id: Uuid) -> Result<(), Gone> {
        let mut tx = self.world.begin(Some(self.replica)).await?;
        tx.run("call for room", |view| view.call_for_room(client_id)).await?;
        tx.commit().await
    }

    async fn known(&self, ids: impl FnOnce(&View<'_>) -> Vec<Uuid>) -> Result<Vec<Known>, Gone> {
        let found = self
            .world
            .look(Some(self.replica), |view| {
                let ids = ids(view);
                let clients = ids.into_iter().filter_map(|id| view.tables.clients.get(&id));
                clients.map(|client| (client.id, client.secret_generation)).collect::<Vec<_>>()
            })
            .await?;
        let state = self.world.state();
        let profile = |id| {
            let mut clients = state.provider.clients.iter();
            clients.find(|client| client.id == id).expect("a client").profile.clone()
        };
        Ok(found
            .into_iter()
            .map(|(id, secret)| Known { id, secret, profile: profile(id) })
            .collect())
    }

    async fn intend(
        &self,
        mut tx: Tx,
        limits: &[Limit],
        clients: &[Known],
        mut leased: Vec<Leased>,
        trigger: Trigger,
        taken: Duration,
    ) -> Result<Vec<Claimed>, Gone> {
        let (world, now) = (self.world.clone(), self.now());
        let new_id = |_: &Leased| world.state().new_id(now);
        let held = intend(&mut tx, limits, &mut leased, trigger, now, new_id).await?;
        tx.commit().await?;
        let mut claimed = Vec::with_capacity(leased.len());
        for (leased, (attempt_id, held)) in leased.into_iter().zip(held) {
            let client = clients.iter().find(|client| client.id == leased.client_id);
            let client = client.expect("its client is known");
            let mut state = self.world.state();
            let connection = state.index_of(leased.id);
            state.note(
                connection,
                Event::Claimed {
                    replica: self.replica,
                    generation: leased.generation,
                    is_orphan: leased.is_orphan(),
                    is_forced: trigger == Trigger::Manual,
                },
            );
            drop(state);
            claimed.push(Task {
                attempt_id,
                trigger,
                profile: client.profile.clone(),
                held: held.map(|held| {
                    SecretString::from(String::from_utf8(held).expect("a token of ours"))
                }),
                extras: serde_json::Map::new(),
                ends: taken + LEASE,
                secret_generation: client.secret,
                caller: Ok(client.secret),
                leased,
            });
        }
        Ok(claimed)
    }

    async fn transact(&self, outcomes: &[Outcome]) -> Result<Vec<Saved>, Gone> {
        let mut tx = self.world.begin(Some(self.replica)).await?;
        let saved = save(&mut tx, outcomes, self.now()).await?;
        tx.commit().await?;
        let ids: Vec<Uuid> = outcomes.iter().map(|outcome| outcome.fence.id).collect();
        ids.iter().for_each(|id| self.flights.wake(*id));
        self.world.state().announce(&ids);
        self.wake_in_time(outcomes);
        Ok(saved)
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
