//! What the first page shows.

use leptos::prelude::*;

use super::Answer;
use crate::domain::overview::{Overview, Scale};

#[server(prefix = "/rpc", endpoint = "overview/get")]
pub async fn get(#[server(default)] over: Scale) -> Answer<Overview> {
    let (app, actor) = crate::server::http::caller::actor().await?;
    app.call(crate::server::app::overview::get(&app, &actor, over)).await
}
