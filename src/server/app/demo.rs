//! Sample data: a house that is as full as a real one, for a demo and for measurements.
//!
//! Connections are stored as whole rows, many in a statement. Their tokens are sealed as any other's
//! and open; a provider that knows [`REFRESH_TOKEN`] can refresh them. The same seed gives the same
//! rows, counted from the moment of filling.

mod history;
mod sample;
mod words;

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use secrecy::ExposeSecret;
use time::Duration;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{Actor, App, Error, Result, client, grant, overview, provider, upkeep};
use crate::{
    domain::access::Permission,
    server::store::{self, demo::AttemptRow, token_set::TokenSet},
};
use sample::{Kind, Maker, Sample};

/// How every sample refresh token begins. The last one of connection `n` goes on with `n`, a dot and
/// its generation.
pub const REFRESH_TOKEN: &str = "sample-refresh-";

/// How far back there are partitions for their attempts.
const HISTORY: Duration = Duration::days(90);
/// So many connections are stored in one transaction.
const BATCH: u64 = 500;
/// So many transactions are under way at once.
const LANES: usize = 3;

/// What to fill the house with.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Whose connections they are, in turn.
    pub clients: Vec<Uuid>,
    /// The numbers of the connections. What has another number is another connection.
    pub numbers: Range<u64>,
    /// How many attempts each connection has behind it.
    pub attempts: u32,
    pub seed: u64,
    pub life: Life,
}

/// Where the connections stand in their lives.
#[derive(Clone, Debug)]
pub enum Life {
    /// As in a house that has run for months: some in every state, tokens of every age.
    Grown,
    /// All alive with tokens of one lifetime, evenly spread over a part of the way from issue (0) to
    /// the next refresh (1).
    Even { lifetime: Duration, way: Range<f64> },
}

/// Fills the house. Nothing is asked of any provider.
pub async fn fill(app: &App, actor: &Actor, plan: Plan) -> Result<()> {
    actor.require(Permission::ConnectionsWrite)?;
    let mut conn = app.pool().acquire().await?;
    let mut kinds = Vec::with_capacity(plan.clients.len());
    for id in &plan.clients {
        let client = client::load(&mut conn, *id).await?;
        let profile = provider::load(app, &mut conn, &client.provider).await?;
        kinds.push(Kind::new(*id, &client.name, &profile));
    }
    drop(conn);
    if kinds.is_empty() {
        return Err(Error::invalid("clients", "name at least one"));
    }
    let now = app.now();
    // Their history is laid where it would lie, had they been here all the time.
    upkeep::history::cover(app, now - HISTORY, now).await?;
    let numbers = plan.numbers.clone();
    let maker = Arc::new(Maker { kinds, plan, now });
    let next = Arc::new(AtomicU64::new(numbers.start));
    let mut lanes = JoinSet::new();
    for _ in 0..LANES {
        lanes.spawn(fill_lane(app.clone(), maker.clone(), next.clone()));
    }
    while let Some(lane) = lanes.join_next().await {
        lane.map_err(|error| Error::Internal(error.into()))??;
    }
    let mut conn = app.pool().acquire().await?;
    store::demo::count_attempts(&mut conn, now - overview::BEHIND, now).await?;
    store::demo::analyze(&mut conn).await?;
    app.wake_worker();
    Ok(())
}

/// Stores batches until all are taken.
async fn fill_lane(app: App, maker: Arc<Maker>, next: Arc<AtomicU64>) -> Result<()> {
    let Range { start, end } = maker.plan.numbers;
    loop {
        let from = next.fetch_add(BATCH, Ordering::Relaxed);
        if from >= end {
            return Ok(());
        }
        let to = (from + BATCH).min(end);
        let samples: Vec<Sample> = (from..to).map(|number| maker.make(number)).collect();
        store_batch(&app, samples).await?;
        let tenth = |number: u64| (number - start) * 10 / (end - start);
        if tenth(from) != tenth(to) && end - start > BATCH {
            tracing::info!(connections = to - start, of = end - start, "filling");
        }
    }
}

async fn store_batch(app: &App, mut samples: Vec<Sample>) -> Result<()> {
    let mut sets = Vec::with_capacity(samples.len());
    for sample in &mut samples {
        if let Some(set) = seal(app, sample)? {
            sample.end_history_with(set.fingerprint.clone());
            sets.push(set);
        }
    }
    let mut rows = Vec::with_capacity(samples.len());
    let (mut attempts, mut audit) = (Vec::new(), Vec::new());
    for sample in samples {
        rows.push(sample.connection);
        attempts.extend(sample.attempts);
        audit.extend(sample.audit);
    }
    let mut tx = app.begin().await?;
    store::demo::insert_connections(&mut tx, &rows).await?;
    store::token_set::insert_many(&mut tx, &sets.iter().collect::<Vec<_>>()).await?;
    let attempts: Vec<&AttemptRow> = attempts.iter().collect();
    store::demo::insert_attempts(&mut tx, &attempts).await?;
    store::audit::insert_many(&mut tx, &audit).await?;
    tx.commit().await?;
    Ok(())
}

fn seal(app: &App, sample: &Sample) -> Result<Option<TokenSet>> {
    let Some(tokens) = &sample.tokens else { return Ok(None) };
    let (ring, rng) = (app.keyring(), app.rng());
    let (id, generation) = (sample.connection.id, sample.connection.generation);
    let (access, refresh) = (tokens.access.expose_secret(), tokens.refresh.expose_secret());
    Ok(Some(TokenSet {
        connection_id: id,
        generation,
        sealed_access_token: Some(ring.seal(
            rng,
            grant::access_place(id, generation),
            access.as_bytes(),
        )?),
        sealed_refresh_token: Some(ring.seal(
            rng,
            grant::refresh_place(id, generation),
            refresh.as_bytes(),
        )?),
        sealed_extras: None,
        token_type: "Bearer".into(),
        fingerprint: Some(ring.fingerprint(&tokens.refresh)),
        obtained_at: tokens.obtained_at,
    }))
}

/// Empties a database that holds nothing but a demo: no people but `people`, no clients but of
/// `providers`. `false`: it holds something else, and nothing was touched.
pub async fn clear(app: &App, people: &[&str], providers: &[&str]) -> Result<bool> {
    let mut tx = app.begin().await?;
    let users = store::user::list(&mut tx).await?;
    let clients = store::client::list(&mut tx).await?;
    if users.iter().any(|user| !people.contains(&user.email.as_str()))
        || clients.iter().any(|client| !providers.contains(&client.provider.as_str()))
    {
        return Ok(false);
    }
    store::demo::clear(&mut tx).await?;
    tx.commit().await?;
    Ok(true)
}
