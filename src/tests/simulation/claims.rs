//! Claims as `refresh::claim` puts them together, statement by statement: what is decided between the
//! statements is the real thing.

use std::sync::Arc;

use secrecy::SecretString;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{
    history::Event,
    replica::{Claimed, Process, Secret},
    store::{
        Attempt, View,
        transaction::{Gone, Statements, Tx},
    },
    world::Broken,
};
use crate::{
    domain::{attempt::Trigger, client, provider::Profile},
    server::{
        app::refresh::{
            claim::PROMPT,
            engine::{LEASE, Ports, Task},
            intent::{self, Orphans},
            room,
        },
        store::{
            client::limit::{Begun, Limit},
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

/// Whose connections are refreshed.
const READY: [client::StateName; 1] = [client::StateName::Ready];

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
        let client = self.tables.clients.get(&connection.client_id)?;
        let may = connection.is_alive() && client.state == client::StateName::Ready;
        may.then_some((connection.generation, connection.client_id))
    }

    /// What `refresh::wait_for_room` needs to know.
    pub fn may_ask(&self, client_id: Uuid) -> bool {
        self.tables.clients.get(&client_id).is_some_and(|client| client.may_ask(self.now))
    }

    /// `lease::is_held`.
    pub fn is_held(&self, id: Uuid) -> bool {
        self.tables.connections.get(&id).is_some_and(|connection| connection.is_held(self.now))
    }
}

/// What a look has leased of what is due.
#[derive(Debug, PartialEq)]
pub struct Found<L = Vec<Leased>> {
    pub leased: L,
    pub hungry: Vec<Uuid>,
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
    open: Begun,
) -> Result<Found, Gone> {
    let Hands { except, answered } = hands;
    let rooms = tx.run("look for room", |view| view.room(limits, &READY, open, answered)).await?;
    let was_busy = rooms.len() < limits.len();
    let rooms: Vec<Room> = rooms.into_iter().filter(|room| room.room > 0).collect();
    let clients = || limits.iter().map(|limit| limit.client_id).collect();
    if rooms.is_empty() {
        return Ok(Found { leased: Vec::new(), hungry: clients(), was_busy });
    }
    let claim = |view: &mut View<'_>| Ok(view.claim_due(lease, &rooms, except, limit));
    let leased = tx.run("claim what is due", claim).await?;
    let places: i32 = rooms.iter().map(|room| room.room).sum();
    let is_limited = rooms.len() < limits.len()
        || leased.is_empty()
        || leased.len() >= limit.min(usize::try_from(places).unwrap_or_default());
    let hungry = if is_limited { clients() } else { Vec::new() };
    Ok(Found { leased, hungry, was_busy })
}

/// Leases one connection, if there is room: `None` if someone else has it, and whether there is.
pub async fn claim_one(
    tx: &mut impl Statements,
    lease: Lease,
    limit: &Limit,
    answered: &[Uuid],
    (id, generation): (Uuid, i64),
    open: Begun,
) -> Result<(Option<Leased>, bool), Gone> {
    let limits = std::slice::from_ref(limit);
    let rooms = tx.run("look for room", |view| view.room(limits, &READY, open, answered)).await?;
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

impl Process {
    /// `claim::new_lease`.
    fn lease(&self) -> Lease {
        let now = self.now();
        let id = self.world.state().new_id(now);
        Lease { id, now: None, seconds: self.lease_time(), orphans: self.hears() }
    }

    /// `room::of`.
    pub fn under_way(&self) -> Begun {
        let elapsed = self.elapsed();
        room::under_way(self.now(), self.contact.jumped(elapsed), self.contact.is_steady(elapsed))
    }

    /// `claim::lease_of_one`.
    pub fn lease_of_one(&self, id: Uuid) -> Lease {
        let lease = self.lease();
        Lease { orphans: lease.orphans && !self.flights.holds(id), ..lease }
    }

    /// `claim::may_keep`.
    pub fn may_keep(&self, leased: &[Leased], taken: Duration) -> bool {
        let hasty = self.world.state().broken == Broken::NoPatience;
        if hasty || !leased.iter().any(Leased::is_orphan) {
            return true;
        }
        if self.elapsed() - taken > PROMPT {
            self.contact.kept_waiting(self.elapsed());
            return false;
        }
        self.follow_clock();
        self.hears()
    }

    /// `claim::due`.
    pub async fn due(&self, limit: usize) -> Result<Found<Vec<Claimed>>, Gone> {
        let clients = self.known(|view| view.list_due()).await?;
        self.follow_clock();
        let lease = self.lease();
        if clients.is_empty() {
            return Ok(Found { leased: Vec::new(), hungry: Vec::new(), was_busy: false });
        }
        let limit_of = |client: &Known| intent::limit(client.id, Some(&client.profile));
        let limits: Vec<Limit> =
            clients.iter().map(|client| intent::reserve(limit_of(client))).collect();
        let taken = self.elapsed();
        let mut tx = self.world.begin(Some(self.replica)).await?;
        let in_hand: Vec<Uuid> = self.flights.held().into_iter().map(|(id, _)| id).collect();
        let answered = self.flights.answered();
        let hands = Hands { except: &in_hand, answered: &answered };
        let found = claim_due(&mut tx, lease, &limits, hands, limit, self.under_way()).await?;
        let Found { leased, hungry, was_busy } = found;
        if !self.may_keep(&leased, taken) {
            let hungry = limits.iter().map(|limit| limit.client_id).collect();
            return Ok(Found { leased: Vec::new(), hungry, was_busy });
        }
        let leased = match leased.is_empty() {
            true => Vec::new(),
            false => self.intend(tx, &limits, &clients, leased, Trigger::Schedule, taken).await?,
        };
        Ok(Found { leased, hungry, was_busy })
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
        let lease = self.lease_of_one(id);
        let (answered, one) = (self.flights.answered(), (id, generation));
        match claim_one(&mut tx, lease, &limit, &answered, one, self.under_way()).await? {
            (_, false) => Ok(One::NoRoom),
            (Some(leased), true) if !self.may_keep(std::slice::from_ref(&leased), taken) => {
                Ok(One::Taken)
            }
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

    pub async fn known(
        &self,
        ids: impl FnOnce(&View<'_>) -> Vec<Uuid>,
    ) -> Result<Vec<Known>, Gone> {
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

    pub async fn intend(
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
}
