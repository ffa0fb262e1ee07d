//! The desk: all links that are under way, whoever made them.

use std::collections::BTreeMap;

use serde_json::json;
use sqlx::PgConnection;
use time::Duration;
use uuid::Uuid;

use super::super::{Actor, App, Error, Result, audit, audit::Subject, provider};
use crate::{
    domain::{
        access::Permission,
        page::{Page, Paging},
        problem::Obstacle,
        relink::{RelinkEntry, RelinkShow, Stage},
    },
    server::{store, store::relink::Listed},
};

/// For how long the desk shows what has ended.
const RECENT: Duration = Duration::days(1);

/// The newest first, without their addresses.
pub async fn list_all(
    app: &App,
    actor: &Actor,
    show: RelinkShow,
    paging: &Paging,
) -> Result<Page<RelinkEntry>> {
    actor.require(Permission::ConnectionsRead)?;
    let before = audit::cursor(paging)?;
    let limit = paging.limit();
    let since = match show {
        RelinkShow::Open => Some(app.now()),
        RelinkShow::Recent => Some(app.now() - RECENT),
        RelinkShow::All => None,
    };
    let mut conn = app.pool().acquire().await?;
    let listed = store::relink::list_ending(&mut conn, since, before, i64::from(limit) + 1).await?;
    let page = audit::page(listed, limit, |listed| listed.relink.id.to_string());
    let mut names = BTreeMap::new();
    let mut items = Vec::with_capacity(page.items.len());
    for listed in page.items {
        items.push(entry(app, &mut conn, &mut names, listed).await?);
    }
    Ok(Page { items, next: page.next })
}

pub async fn get(app: &App, actor: &Actor, id: Uuid) -> Result<RelinkEntry> {
    actor.require(Permission::ConnectionsRead)?;
    let mut conn = app.pool().acquire().await?;
    let listed = store::relink::find(&mut conn, id).await?.ok_or(Error::NotFound("relink"))?;
    entry(app, &mut conn, &mut BTreeMap::new(), listed).await
}

/// Calls a link off that can still be used.
pub async fn revoke(app: &App, actor: &Actor, id: Uuid) -> Result<()> {
    actor.require(Permission::ConnectionsRelink)?;
    let mut tx = app.begin().await?;
    let listed = store::relink::find(&mut tx, id).await?.ok_or(Error::NotFound("relink"))?;
    if !store::relink::revoke(&mut tx, id, app.now()).await? {
        return Err(Error::conflict(
            Obstacle::LinkOver,
            "This link works no longer; there is nothing to revoke.",
        ));
    }
    let subject = Subject::new(listed.relink.connection_id, &listed.connection);
    audit::record(app, &mut tx, actor, "relink.revoke", subject, json!({ "relink": id })).await?;
    tx.commit().await?;
    Ok(())
}

/// What the desk shows of a link. `names` remembers how the providers are called.
pub(in crate::server::app) async fn entry(
    app: &App,
    conn: &mut PgConnection,
    names: &mut BTreeMap<String, String>,
    listed: Listed,
) -> Result<RelinkEntry> {
    let Listed { relink, connection, account, external_id, client, client_state, provider } =
        listed;
    let service = match names.get(&provider) {
        Some(name) => name.clone(),
        None => {
            let name = provider::load(app, conn, &provider).await?.name.clone();
            names.insert(provider, name.clone());
            name
        }
    };
    let stage = Stage::of(&relink, app.now());
    Ok(RelinkEntry {
        relink,
        stage,
        connection,
        account,
        external_id,
        client,
        client_state,
        service,
    })
}
