//! What the first page tells at a glance.

mod glance;
mod need;

use super::{Actor, App, Result};
use crate::{
    domain::{
        access::Permission,
        overview::{IN_TROUBLE, Overview, Scale},
    },
    server::store,
};
pub use glance::{BEHIND, Glance};

/// How things stand, and what runs out `over` the time ahead.
pub async fn get(app: &App, actor: &Actor, over: Scale) -> Result<Overview> {
    actor.require(Permission::ConnectionsRead)?;
    let glance = glance::get(app).await?;
    let mut conn = app.pool().acquire().await?;
    let in_trouble = store::client::list_in_trouble(&mut conn, app.now(), IN_TROUBLE).await?;
    Ok(Overview {
        as_of: glance.as_of,
        counts: glance.counts.clone(),
        unseen_ends: glance.unseen_ends,
        without_token: glance.without_token,
        needs_human: glance.needs.load(&mut conn, glance.as_of).await?,
        needs_human_groups: glance.needs.groups.clone(),
        needs_human_count: glance.needs.count,
        clients_in_trouble: in_trouble
            .into_iter()
            .map(|client| client.seen(app.redirect_uri(), app.now()))
            .collect(),
        over,
        expiries: over.buckets(glance.as_of, &glance.expiries),
        refreshes: glance.refreshes.clone(),
        attempts: glance.attempts.clone(),
        has_clients: !store::client::count_by_provider(&mut conn).await?.is_empty(),
    })
}
