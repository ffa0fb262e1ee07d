//! Keys for programs.

use leptos::prelude::*;
use uuid::Uuid;

use super::Answer;
use crate::domain::{
    access::Scope,
    api_key::{ApiKey, CreatedApiKey},
};

#[server(prefix = "/rpc", endpoint = "api_key/list")]
pub async fn list() -> Answer<Vec<ApiKey>> {
    let (app, actor) = crate::server::http::caller::actor().await?;
    app.call(crate::server::app::api_key::list(&app, &actor)).await
}

/// Makes a key; this answer is the only place its text is ever shown.
#[server(prefix = "/rpc", endpoint = "api_key/create")]
pub async fn create(name: String, #[server(default)] scopes: Vec<Scope>) -> Answer<CreatedApiKey> {
    use crate::server::{app::note::Name, http::caller};
    let (app, actor) = caller::actor().await?;
    let made = app.call(crate::server::app::api_key::create(&app, &actor, &name, &scopes)).await?;
    caller::keep_for_next_page(&app, Name::of("api_key", made.api_key.id), &made).await?;
    Ok(made)
}

/// The key made by the form before this page.
#[server(prefix = "/rpc", endpoint = "api_key/made")]
pub async fn made() -> Answer<Option<CreatedApiKey>> {
    use crate::server::{app::note::Name, http::caller};
    let (app, _) = caller::actor().await?;
    caller::take_from_last_page(&app, Name::any("api_key")).await
}

#[server(prefix = "/rpc", endpoint = "api_key/revoke")]
pub async fn revoke(id: Uuid) -> Answer<()> {
    let (app, actor) = crate::server::http::caller::actor().await?;
    app.call(crate::server::app::api_key::revoke(&app, &actor, id)).await
}
