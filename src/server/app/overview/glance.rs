//! Counts over all connections, the same for every viewer. They cost a look at each connection, so they are
//! shared ([`glance`](crate::server::app::glance)), and say as of when they are.

use std::{collections::BTreeMap, sync::Arc};

use time::{Duration, OffsetDateTime};

use crate::{
    domain::{
        client,
        connection::{SOON, Standing, StateName},
        overview::{AttemptBucket, RefreshesAhead, Tally, all_edges},
    },
    server::{
        app::{App, Result, provider},
        store::{self, overview::Count},
    },
};

use super::need::{self, Needs};

/// The refreshes of the next day: 48 bars of half an hour.
const DUE_BUCKET: Duration = Duration::minutes(30);
const DUE_BUCKETS: i32 = 48;

/// How far back attempts are counted.
pub const BEHIND: Duration = Duration::DAY;

pub struct Glance {
    pub as_of: OffsetDateTime,
    pub counts: Vec<(Standing, i64)>,
    pub unseen_ends: i64,
    pub without_token: i64,
    pub needs: Needs,
    /// What runs out, between the edges of all scales.
    pub expiries: Vec<Tally>,
    pub refreshes: RefreshesAhead,
    pub attempts: Vec<AttemptBucket>,
}

/// Counts it all, or what was counted a moment ago.
pub async fn get(app: &App) -> Result<Arc<Glance>> {
    app.glances().get(app, |app| async move { take(&app).await }).await
}

async fn take(app: &App) -> Result<Glance> {
    // To the second, so that it stands well in addresses.
    let now = app.now().truncate_to_second();
    let mut conn = app.pool().acquire().await?;
    let mut counts = Vec::<(Standing, i64)>::new();
    let mut unseen = BTreeMap::<String, i64>::new();
    let mut without_token = 0;
    for row in store::overview::count(&mut conn, now, now + SOON).await? {
        let standing = standing(&row);
        match counts.iter_mut().find(|(known, _)| *known == standing) {
            Some((_, count)) => *count += row.count,
            None => counts.push((standing, row.count)),
        }
        if row.tokenless && standing == Standing::Retrying {
            without_token += row.count;
        }
        if let Some(provider) = row.unseen.filter(|_| standing == Standing::Alive) {
            *unseen.entry(provider).or_default() += row.count;
        }
    }
    for slug in provider::endless(app, &mut conn, unseen.keys().cloned().collect()).await? {
        unseen.remove(&slug);
    }
    Ok(Glance {
        as_of: now,
        counts,
        unseen_ends: unseen.into_values().sum(),
        without_token,
        needs: need::count(&mut conn, now).await?,
        expiries: store::overview::expiries(&mut conn, &all_edges(now)).await?,
        refreshes: store::overview::refreshes(&mut conn, now, DUE_BUCKET, DUE_BUCKETS).await?,
        attempts: store::attempt_window::list(&mut conn, now, BEHIND).await?,
    })
}

/// The same rule as `Connection::standing`, for a group.
fn standing(row: &Count) -> Standing {
    match (row.state, row.client_state) {
        (StateName::Disconnected, _) => Standing::Disconnected,
        (_, client::StateName::Disabled) => Standing::Paused,
        _ if row.paused => Standing::Paused,
        (_, client::StateName::CredentialsRejected | client::StateName::Incident) => {
            Standing::ClientRefused
        }
        (StateName::Pending, _) => Standing::Pending,
        (StateName::NeedsReauth, _) => Standing::NeedsPerson,
        (StateName::Retrying | StateName::InDoubt, _) => Standing::Retrying,
        (StateName::Active, _) if row.soon => Standing::Soon,
        (StateName::Active, _) => Standing::Alive,
    }
}
