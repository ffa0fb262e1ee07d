//! Whether refusals are deaths: each is weighed against what becomes of its client's other
//! connections, over all replicas. When unusually many are refused, verdicts are suspended and those
//! that fell before it was noticed are given back (DESIGN section 3, point 7).

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use sqlx::PgConnection;
use uuid::Uuid;

use super::decide::Outcome;
use crate::{
    domain::{
        attempt::{Trigger, Verdict},
        client::StateName,
        connection::Reason,
        incident::{self, Counts, Ruling},
        provider::IncidentPolicy,
        refusal::ErrorClass,
    },
    server::{
        app::{
            App, Result, client,
            incident::{self as incidents, End},
        },
        store::{
            self,
            client::Stored,
            suspect::{self, Before, Refused},
        },
    },
};

/// The clients whose state a group of outcomes may change, and connections that it condemns as they
/// are before it.
#[derive(Default)]
pub struct Watched {
    clients: HashMap<Uuid, Stored>,
    before: HashMap<Uuid, Before>,
}

/// Why a refusal condemns, unless it is as was to be expected.
fn refusal(outcome: &Outcome) -> Option<Reason> {
    let class = outcome.ending.as_ref()?.error_class?;
    let refused = matches!(class, ErrorClass::GrantRefused | ErrorClass::ScopeRefused);
    outcome.condemned().filter(|reason| refused && *reason != Reason::RefreshTokenExpired)
}

/// The connections of which a refusal is to be weighed.
pub fn refused(outcomes: &[Outcome]) -> Vec<Uuid> {
    let refused = outcomes.iter().filter(|outcome| refusal(outcome).is_some());
    refused.map(|outcome| outcome.fence.id).collect()
}

/// The clients whose state a group of outcomes may change, in order.
pub fn clients(outcomes: &[Outcome]) -> Vec<Uuid> {
    let concerned = |outcome: &&Outcome| {
        outcome.client.is_some() || outcome.trigger == Trigger::Canary || refusal(outcome).is_some()
    };
    let clients: BTreeSet<Uuid> =
        outcomes.iter().filter(concerned).map(|outcome| outcome.client_id).collect();
    clients.into_iter().collect()
}

/// The refusals of each client that were taken.
pub fn refusals(
    outcomes: &[Outcome],
    taken: &HashSet<Uuid>,
    before: &HashMap<Uuid, Before>,
) -> BTreeMap<Uuid, Vec<Refused>> {
    let mut refused: BTreeMap<Uuid, Vec<Refused>> = BTreeMap::new();
    for outcome in outcomes.iter().filter(|outcome| taken.contains(&outcome.attempt_id)) {
        if let Some(reason) = refusal(outcome)
            && let Some(before) = before.get(&outcome.fence.id)
        {
            refused.entry(outcome.client_id).or_default().push(Refused {
                before: *before,
                generation: outcome.fence.generation,
                attempt_id: outcome.attempt_id,
                reason,
            });
        }
    }
    refused
}

/// Locks what is to be weighed. Clients are locked before connections, as everywhere.
pub async fn watch(app: &App, conn: &mut PgConnection, outcomes: &[Outcome]) -> Result<Watched> {
    let mut watched = Watched::default();
    let (refused, ids) = (refused(outcomes), clients(outcomes));
    if ids.is_empty() {
        return Ok(watched);
    }
    store::client::lock(conn, &ids).await?;
    for id in ids {
        if let Some(client) = store::client::find_bare(conn, id).await? {
            watched.clients.insert(id, client);
        }
    }
    if !refused.is_empty() {
        let before = suspect::before(conn, &refused).await?;
        watched.before = before.into_iter().map(|before| (before.id, before)).collect();
    }
    tracing::trace!(replica = app.replica(), clients = watched.clients.len(), "weighing");
    Ok(watched)
}

/// Weighs the outcomes that were taken; the attempts whose verdicts are suspended.
pub async fn weigh(
    app: &App,
    conn: &mut PgConnection,
    watched: &Watched,
    outcomes: &[Outcome],
    taken: &HashSet<Uuid>,
) -> Result<HashSet<Uuid>> {
    let refreshed: BTreeMap<Uuid, i64> = refreshed(outcomes, taken).into_iter().collect();
    let refused = refusals(outcomes, taken, &watched.before);
    let taken = || outcomes.iter().filter(|outcome| taken.contains(&outcome.attempt_id));
    let mut suspended = HashSet::new();
    for (id, refused) in refused {
        if let Some(client) = watched.clients.get(&id) {
            let more = refreshed.get(&id).copied().unwrap_or_default();
            suspended.extend(suspend(app, conn, client, refused, more).await?);
        }
    }
    for outcome in taken().filter(|outcome| outcome.trigger == Trigger::Canary) {
        if let Some(client) = watched.clients.get(&outcome.client_id)
            && client.state == StateName::Incident
        {
            follow(app, conn, client, outcome, suspended.contains(&outcome.attempt_id)).await?;
        }
    }
    Ok(suspended)
}

/// How many connections of each client were refreshed, of the outcomes that were taken.
pub fn refreshed(outcomes: &[Outcome], taken: &HashSet<Uuid>) -> Vec<(Uuid, i64)> {
    let mut refreshed: BTreeMap<Uuid, i64> = BTreeMap::new();
    for outcome in outcomes.iter().filter(|outcome| taken.contains(&outcome.attempt_id)) {
        if outcome.verdict() == Verdict::Refreshed {
            *refreshed.entry(outcome.client_id).or_default() += 1;
        }
    }
    refreshed.into_iter().collect()
}

/// Suspends verdicts on connections of one client, if there is an incident or they make one. `more`
/// were refreshed in the same group.
async fn suspend(
    app: &App,
    conn: &mut PgConnection,
    client: &Stored,
    mut refused: Vec<Refused>,
    more: i64,
) -> Result<Vec<Uuid>> {
    let last = suspect::take_last_tries(conn, &refused).await?;
    refused.retain(|refused| !last.contains(&refused.before.id));
    if refused.is_empty() {
        return Ok(Vec::new());
    }
    let now = app.now();
    suspect::note(conn, client.id, &refused, now).await?;
    let policy = policy(app, conn, client).await;
    let since = incident::window_since(&policy, now);
    match client.state {
        StateName::Incident => {}
        StateName::Disabled => return Ok(Vec::new()),
        StateName::Ready | StateName::CredentialsRejected => {
            let counts = Counts {
                refused: suspect::count(conn, client.id, since).await?,
                refreshed: store::client_window::sum(conn, client.id, since).await? + more,
            };
            if !incident::is_unusual(counts, &policy) {
                return Ok(Vec::new());
            }
            incidents::begin(app, conn, client, counts, &policy).await?;
        }
    }
    let spread = client::RESUME_SPREAD.as_seconds_f64();
    let held = suspect::hold(conn, client.id, since, now, spread).await?;
    let attempts: Vec<(Uuid, Uuid)> =
        held.iter().map(|held| (held.connection_id, held.attempt_id)).collect();
    if !attempts.is_empty() {
        let counted = store::attempt::suspend(conn, &attempts).await?;
        // As what they were counted when they ended.
        let (was, is) = (Verdict::Condemned, Some(Verdict::Suspended));
        store::attempt_window::recount(conn, &counted, was, is, app.replica()).await?;
    }
    Ok(attempts.into_iter().map(|(_, attempt)| attempt).collect())
}

/// What a canary's answer says of its client's incident.
async fn follow(
    app: &App,
    conn: &mut PgConnection,
    client: &Stored,
    canary: &Outcome,
    refused: bool,
) -> Result<()> {
    if canary.verdict() == Verdict::Refreshed {
        return incidents::end(app, conn, client, End::CanaryGranted).await;
    }
    if refused && let Some(evidence) = store::incident::confirm(conn, client.id).await? {
        let policy = policy(app, conn, client).await;
        if incident::rule(evidence, &policy, app.now()) == Ruling::LastTries {
            return incidents::end(app, conn, client, End::Confirmed).await;
        }
    }
    Ok(())
}

/// The client's thresholds; those of a provider that is gone are the usual ones.
async fn policy(app: &App, conn: &mut PgConnection, client: &Stored) -> IncidentPolicy {
    let profile = crate::server::app::provider::load(app, conn, &client.provider).await;
    profile.map(|profile| profile.policy.incident).unwrap_or_default()
}
