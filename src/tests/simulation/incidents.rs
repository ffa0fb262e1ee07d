//! What `refresh::weigh`, `refresh::canary` and `app::incident` do, statement by statement: what is unusual,
//! what is to be weighed and what proves that a refusal is meant is decided by the real thing.

use std::collections::{BTreeMap, HashMap, HashSet};

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{
    dice::Dice,
    history::Event,
    replica::{Claimed, Process},
    store::{
        View,
        transaction::{Gone, Statements},
    },
    world::Broken,
};
use crate::{
    domain::{
        attempt::{Trigger, Verdict},
        client::StateName,
        incident::{self, Ruling},
        provider::IncidentPolicy,
    },
    server::{
        app::refresh::{decide::Outcome, engine::Ports, intent, weigh},
        store::suspect::{Before, Refused},
    },
};

/// Over what time connections go on when their client does.
pub const SPREAD: Duration = Duration::minutes(2);

/// What weighing has to know beyond the store.
pub struct Weighing {
    pub policies: Vec<(Uuid, IncidentPolicy)>,
    pub dice: Dice,
    pub broken: Broken,
}

impl Weighing {
    fn policy(&self, client_id: Uuid) -> IncidentPolicy {
        let mut policies = self.policies.iter();
        policies.find(|(id, _)| *id == client_id).map(|(_, policy)| *policy).unwrap_or_default()
    }
}

/// `weigh::Watched`.
#[derive(Default)]
pub struct Watched {
    clients: BTreeMap<Uuid, StateName>,
    before: HashMap<Uuid, Before>,
}

/// `weigh::watch`.
pub async fn watch(tx: &mut impl Statements, outcomes: &[Outcome]) -> Result<Watched, Gone> {
    let (refused, clients) = (weigh::refused(outcomes), weigh::clients(outcomes));
    if clients.is_empty() {
        return Ok(Watched::default());
    }
    tx.run("lock clients", |view| {
        view.lock_clients(&clients)?;
        let state = |id: &Uuid| view.client(*id).map(|client| (*id, client.state));
        let before = view.before(&refused).into_iter().map(|before| (before.id, before));
        Ok(Watched {
            clients: clients.iter().filter_map(state).collect(),
            before: before.collect(),
        })
    })
    .await
}

/// `weigh::weigh`.
pub async fn weigh_all(
    tx: &mut impl Statements,
    watched: &Watched,
    outcomes: &[Outcome],
    taken: &HashSet<Uuid>,
    now: OffsetDateTime,
    weighing: &mut Weighing,
) -> Result<HashSet<Uuid>, Gone> {
    let refreshed: BTreeMap<Uuid, i64> = weigh::refreshed(outcomes, taken).into_iter().collect();
    let mut suspended = HashSet::new();
    for (id, refused) in weigh::refusals(outcomes, taken, &watched.before) {
        if let Some(state) = watched.clients.get(&id) {
            let more = refreshed.get(&id).copied().unwrap_or_default();
            let ours = Ours { id, state: *state, more };
            suspended.extend(suspend(tx, ours, refused, now, weighing).await?);
        }
    }
    for outcome in outcomes {
        let in_incident = watched.clients.get(&outcome.client_id) == Some(&StateName::Incident);
        if taken.contains(&outcome.attempt_id) && outcome.trigger == Trigger::Canary && in_incident
        {
            let refused = suspended.contains(&outcome.attempt_id);
            follow(tx, outcome, refused, now, weighing).await?;
        }
    }
    Ok(suspended)
}

/// A client whose connections were refused, and how many others were refreshed in the same group.
#[derive(Clone, Copy)]
struct Ours {
    id: Uuid,
    state: StateName,
    more: i64,
}

/// `weigh::suspend`.
async fn suspend(
    tx: &mut impl Statements,
    Ours { id, state, more }: Ours,
    mut refused: Vec<Refused>,
    now: OffsetDateTime,
    weighing: &mut Weighing,
) -> Result<Vec<Uuid>, Gone> {
    let take = |view: &mut View<'_>| Ok(view.take_last_tries(id, &refused));
    let last = tx.run("take last tries", take).await?;
    refused.retain(|refused| !last.contains(&refused.before.id));
    if refused.is_empty() {
        return Ok(Vec::new());
    }
    tx.run("note suspects", |view| {
        view.note(id, &refused, now);
        Ok(())
    })
    .await?;
    let policy = weighing.policy(id);
    let since = incident::window_since(&policy, now);
    match state {
        StateName::Incident if weighing.broken == Broken::CondemnsAmid => return Ok(Vec::new()),
        StateName::Incident if weighing.broken == Broken::TellsEach => {
            tx.run("tell again", |view| view.tell_again(id)).await?;
        }
        StateName::Incident => {}
        StateName::Disabled => return Ok(Vec::new()),
        StateName::Ready | StateName::CredentialsRejected => {
            let mut counts = tx.run("count refusals", |view| Ok(view.counts(id, since))).await?;
            counts.refreshed += more;
            let is_blind = weighing.broken == Broken::NeverAlarmed;
            if is_blind || !incident::is_unusual(counts, &policy) {
                return Ok(Vec::new());
            }
            let canary_at = now + incident::canary_wait(&policy, 0, weighing.dice.fraction());
            tx.run("begin an incident", |view| {
                view.begin_incident(id, counts, now, canary_at);
                Ok(())
            })
            .await?;
        }
    }
    if weighing.broken == Broken::HoldsNobody && state != StateName::Incident {
        return Ok(Vec::new());
    }
    let dice = &mut weighing.dice;
    let hold = |view: &mut View<'_>| view.hold(id, since, || now + SPREAD * dice.fraction());
    let held = tx.run("hold suspects", hold).await?;
    tx.run("suspend verdicts", |view| view.suspend(&held)).await?;
    Ok(held.into_iter().map(|(_, attempt)| attempt).collect())
}

/// `weigh::follow`.
async fn follow(
    tx: &mut impl Statements,
    canary: &Outcome,
    refused: bool,
    now: OffsetDateTime,
    weighing: &mut Weighing,
) -> Result<(), Gone> {
    let id = canary.client_id;
    let is_granted = canary.verdict() == Verdict::Refreshed;
    let confirmed = if refused && !is_granted {
        let evidence = tx.run("confirm an incident", |view| Ok(view.confirm(id))).await?;
        let rule = |evidence| incident::rule(evidence, &weighing.policy(id), now);
        evidence.is_some_and(|evidence| rule(evidence) == Ruling::LastTries)
    } else {
        false
    };
    if is_granted || confirmed {
        let dice = &mut weighing.dice;
        tx.run("end an incident", |view| {
            if confirmed {
                view.give_last_try(id);
            }
            view.go_on(id, |_| now + SPREAD * dice.fraction())
        })
        .await?;
    }
    Ok(())
}

impl View<'_> {
    /// `incident::go_on`.
    pub fn go_on(
        &mut self,
        client_id: Uuid,
        due: impl FnMut(Uuid) -> OffsetDateTime,
    ) -> super::store::Result<()> {
        self.forget_incident(client_id);
        self.set_ready(client_id)?;
        self.spread(client_id, due)
    }
}

impl Process {
    /// `canary::due`, of incidents.
    pub async fn canaries(&self) -> Result<Vec<Claimed>, Gone> {
        let sends_none = self.world.state().broken == Broken::NoCanary;
        if sends_none || self.world.state().db.tables.incidents.is_empty() {
            return Ok(Vec::new());
        }
        let now = self.now();
        let due = self.world.look(Some(self.replica), |view| view.canaries_due(now)).await?;
        let mut claimed = Vec::new();
        for client_id in due {
            claimed.extend(self.canary(client_id).await?);
        }
        Ok(claimed)
    }

    /// `canary::of_incident`.
    async fn canary(&self, client_id: Uuid) -> Result<Option<Claimed>, Gone> {
        let clients = self.known(|_| vec![client_id]).await?;
        let profile = clients[0].profile.clone();
        let limits = [intent::limit(client_id, Some(&profile))];
        let mut tx = self.world.begin(Some(self.replica)).await?;
        let (open, answered) = (self.under_way(), self.flights.answered());
        let states = [StateName::Incident];
        let look = |view: &mut View<'_>| view.room(&limits, &states, open, &answered);
        let rooms = tx.run("look for room", look).await?;
        if rooms.iter().all(|room| room.room <= 0) {
            return Ok(None);
        }
        let (now, jitter) = (self.now(), self.jitter());
        let policy = profile.policy.incident;
        let next = tx.run("take a canary's turn", |view| {
            let Some(refused) = view.take_turn(client_id, now) else { return Ok(None) };
            let wait = incident::canary_wait(&policy, refused.saturating_add(1), jitter);
            view.put_off(client_id, now + wait);
            Ok(Some(view.next_canary(client_id, now)))
        });
        let Some(next) = next.await? else { return Ok(None) };
        let Some(canary) = next else {
            let mut dice = self.world.dice();
            let end =
                |view: &mut View<'_>| view.go_on(client_id, |_| now + SPREAD * dice.fraction());
            tx.run("end an incident", end).await?;
            tx.commit().await?;
            return Ok(None);
        };
        let (taken, lease) = (self.elapsed(), self.lease_of_one(canary.0));
        let claim = |view: &mut View<'_>| view.claim_one(lease, canary.0, canary.1);
        let Some(leased) = tx.run("claim a canary", claim).await? else { return Ok(None) };
        if !self.may_keep(std::slice::from_ref(&leased), taken) {
            return Ok(None);
        }
        let connection = self.world.state().index_of(leased.id);
        self.world.state().note(connection, Event::Canary);
        let claimed =
            self.intend(tx, &limits, &clients, vec![leased], Trigger::Canary, taken).await?;
        Ok(claimed.into_iter().next())
    }
}
