//! Imports of many connections. The file itself goes to a route of its own: server functions are for
//! forms that fit into memory.

use leptos::prelude::*;
use uuid::Uuid;

use super::Answer;
use crate::domain::import::Import;

#[server(prefix = "/rpc", endpoint = "import/list")]
pub async fn list(client: Uuid) -> Answer<Vec<Import>> {
    let (app, actor) = crate::server::http::caller::actor().await?;
    app.call(crate::server::app::import::list(&app, &actor, client)).await
}

#[server(prefix = "/rpc", endpoint = "import/get")]
pub async fn get(id: Uuid) -> Answer<Import> {
    let (app, actor) = crate::server::http::caller::actor().await?;
    app.call(crate::server::app::import::get(&app, &actor, id)).await
}
