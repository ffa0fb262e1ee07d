//! Filters that somebody gave a name, for themselves.

use uuid::Uuid;

use super::{Actor, App, Error, Result};
use crate::{
    domain::{
        access::Permission,
        connection::ConnectionFilter,
        problem::Obstacle,
        saved_filter::{MOST, SavedFilter},
    },
    server::store,
};

/// A name is no longer.
const NAME: usize = 60;

/// The caller's own, by name.
pub async fn list(app: &App, actor: &Actor) -> Result<Vec<SavedFilter>> {
    let owner = owner(actor)?;
    let mut conn = app.pool().acquire().await?;
    Ok(store::saved_filter::list(&mut conn, owner).await?)
}

pub async fn create(
    app: &App,
    actor: &Actor,
    name: &str,
    filter: ConnectionFilter,
) -> Result<SavedFilter> {
    insert(app, owner(actor)?, name, filter).await
}

async fn insert(
    app: &App,
    owner: Uuid,
    name: &str,
    filter: ConnectionFilter,
) -> Result<SavedFilter> {
    let name = name.trim();
    let length = name.chars().count();
    if length == 0 || length > NAME || name.chars().any(char::is_control) {
        return Err(Error::invalid("name", format!("must be one line of 1 to {NAME} characters")));
    }
    let saved = SavedFilter { id: app.new_id(), name: name.into(), filter, created_at: app.now() };
    let mut conn = app.pool().acquire().await?;
    if !store::saved_filter::insert(&mut conn, owner, &saved, MOST).await? {
        let why = format!("{MOST} filters are kept for one person. Delete one first.");
        return Err(Error::conflict(Obstacle::LimitReached, why));
    }
    Ok(saved)
}

/// [`create`], with the filter as a form sends it: as JSON.
pub async fn create_from_text(
    app: &App,
    actor: &Actor,
    name: &str,
    filter: &str,
) -> Result<SavedFilter> {
    let owner = owner(actor)?;
    let filter =
        serde_json::from_str(filter).map_err(|_| Error::invalid("filter", "is not one of ours"))?;
    insert(app, owner, name, filter).await
}

pub async fn delete(app: &App, actor: &Actor, id: Uuid) -> Result<()> {
    let owner = owner(actor)?;
    let mut conn = app.pool().acquire().await?;
    let found = store::saved_filter::delete(&mut conn, owner, id).await?;
    if found { Ok(()) } else { Err(Error::NotFound("filter")) }
}

fn owner(actor: &Actor) -> Result<Uuid> {
    actor.require(Permission::ConnectionsRead)?;
    actor.id().ok_or(Error::Forbidden(None))
}
