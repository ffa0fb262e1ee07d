//! Filters by name.

use leptos::prelude::*;
use uuid::Uuid;

use super::Answer;
use crate::domain::saved_filter::SavedFilter;

#[server(prefix = "/rpc", endpoint = "saved_filter/list")]
pub async fn list() -> Answer<Vec<SavedFilter>> {
    let (app, actor) = crate::server::http::caller::actor().await?;
    app.call(crate::server::app::saved_filter::list(&app, &actor)).await
}

/// Gives a name to a filter, which comes as JSON.
#[server(prefix = "/rpc", endpoint = "saved_filter/create")]
pub async fn create(name: String, filter: String) -> Answer<()> {
    use crate::server::{app::saved_filter, http::caller};
    let (app, actor) = caller::actor().await?;
    app.call(saved_filter::create_from_text(&app, &actor, &name, &filter)).await.map(drop)
}

#[server(prefix = "/rpc", endpoint = "saved_filter/delete")]
pub async fn delete(id: Uuid) -> Answer<()> {
    let (app, actor) = crate::server::http::caller::actor().await?;
    app.call(crate::server::app::saved_filter::delete(&app, &actor, id)).await
}
