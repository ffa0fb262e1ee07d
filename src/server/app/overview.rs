//! What the first page tells at a glance.

use super::{Actor, App, Result};
use crate::{
    domain::{
        access::Permission,
        client,
        connection::{ConnectionFilter, SOON, Sort, Standing, StateName},
        overview::Overview,
    },
    server::store,
};

/// How many connections that need a human are named.
const NAMED: i64 = 12;
/// The chart's width: 24 bars of an hour.
const BUCKET_SECONDS: i32 = 3600;
const BUCKETS: i32 = 24;

pub async fn get(app: &App, actor: &Actor) -> Result<Overview> {
    actor.require(Permission::ConnectionsRead)?;
    let now = app.now();
    let mut conn = app.pool().acquire().await?;
    let mut counts: Vec<(Standing, i64)> = Vec::new();
    for row in store::overview::count(&mut conn, now + SOON).await? {
        let standing = standing(&row);
        match counts.iter_mut().find(|(known, _)| *known == standing) {
            Some((_, count)) => *count += row.count,
            None => counts.push((standing, row.count)),
        }
    }
    let soonest = ConnectionFilter {
        needs_human_before: Some(now + SOON),
        sort: Some(Sort::NeedsHumanBy),
        ..ConnectionFilter::default()
    };
    let needs_human = store::connection::list(&mut conn, &soonest, None, NAMED).await?;
    let in_trouble = store::client::list_in_trouble(&mut conn).await?;
    Ok(Overview {
        as_of: now,
        counts,
        needs_human,
        clients_in_trouble: in_trouble
            .into_iter()
            .map(|client| client.seen(app.redirect_uri(), app.now()))
            .collect(),
        expiries: store::overview::expiries(&mut conn, now, BUCKET_SECONDS, BUCKETS).await?,
        has_clients: !store::client::count_by_provider(&mut conn).await?.is_empty(),
    })
}

/// The same rule as `Connection::standing`, for a group.
fn standing(row: &store::overview::Count) -> Standing {
    match (row.state, row.client_state) {
        (StateName::Disconnected, _) => Standing::Disconnected,
        (_, client::StateName::Disabled) => Standing::Paused,
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
