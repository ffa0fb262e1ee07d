//! What the first page tells at a glance.

mod glance;

use super::{Actor, App, Result};
use crate::{
    domain::{
        access::Permission,
        connection::{ConnectionFilter, SOON, Sort},
        overview::Overview,
    },
    server::{
        store,
        store::connection::list::{self, Found},
    },
};
pub use glance::Glances;

/// How many connections that need a human are named.
const NAMED: i64 = 12;

pub async fn get(app: &App, actor: &Actor) -> Result<Overview> {
    actor.require(Permission::ConnectionsRead)?;
    let glance = app.glances().get(app).await?;
    let mut conn = app.pool().acquire().await?;
    let soonest = ConnectionFilter {
        needs_human_before: Some(glance.as_of + SOON),
        ..ConnectionFilter::default()
    };
    let soonest = Found::walked(&soonest);
    let needs_human = list::page(&mut conn, &soonest, Sort::NeedsHumanBy, None, NAMED).await?;
    let in_trouble = store::client::list_in_trouble(&mut conn).await?;
    Ok(Overview {
        as_of: glance.as_of,
        counts: glance.counts.clone(),
        needs_human,
        clients_in_trouble: in_trouble
            .into_iter()
            .map(|client| client.seen(app.redirect_uri(), app.now()))
            .collect(),
        expiries: glance.expiries.clone(),
        refreshes: glance.refreshes.clone(),
        has_clients: !store::client::count_by_provider(&mut conn).await?.is_empty(),
    })
}
