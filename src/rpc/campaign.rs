//! Campaigns: links for many, watched until the customers are done.

use leptos::prelude::*;
use uuid::Uuid;

use super::Answer;
use crate::domain::{
    campaign::{Campaign, Customers, Occasions},
    page::Paging,
    relink::Stage,
};

/// Those under way.
#[server(prefix = "/rpc", endpoint = "campaign/list")]
pub async fn list() -> Answer<Vec<Campaign>> {
    let (app, actor) = crate::server::http::caller::actor().await?;
    app.call(crate::server::app::campaign::list(&app, &actor)).await
}

/// How far the customers of a job are, and those of them who are not done.
#[server(prefix = "/rpc", endpoint = "campaign/progress")]
pub async fn progress(
    id: Uuid,
    stage: Option<Stage>,
    #[server(default)] paging: Paging,
) -> Answer<Customers> {
    use crate::server::app::campaign;
    let (app, actor) = crate::server::http::caller::actor().await?;
    let progress = app.call(campaign::progress(&app, &actor, id)).await?;
    // The page shows no link.
    let stragglers =
        app.call(campaign::stragglers(&app, &actor, id, stage, &paging, false)).await?;
    Ok(Customers { as_of: app.now(), progress, stragglers })
}

/// Reasons to begin one. `since`: as [`crate::domain::campaign::since`] reads it.
#[server(prefix = "/rpc", endpoint = "campaign/reasons")]
pub async fn reasons(since: Option<String>) -> Answer<Occasions> {
    use crate::domain::campaign;
    let (app, actor) = crate::server::http::caller::actor().await?;
    let since = campaign::since(since.as_deref(), app.now());
    app.call(crate::server::app::campaign::occasions(&app, &actor, since)).await
}

/// Makes a job of relinks and goes to its page. `ids` (separated by blanks), `filter` (JSON) or another
/// job's stragglers choose; `expected` and `key` are what the preview gave.
#[server(prefix = "/rpc", endpoint = "campaign/create")]
pub async fn create(
    ids: Option<String>,
    filter: Option<String>,
    stragglers_of: Option<Uuid>,
    name: Option<String>,
    #[server(default)] client_scopes: bool,
    expected: Option<String>,
    key: Option<Uuid>,
) -> Answer<()> {
    use crate::domain::job::{Action, NewJob};
    use crate::server::{app::job, http::caller};
    let (app, actor) = caller::actor().await?;
    let new =
        NewJob { stragglers_of, name, client_scopes, expected, key, ..NewJob::of(Action::Relink) };
    let made = app.call(job::create_from_text(&app, &actor, new, [ids, filter])).await?;
    caller::redirect(&format!("/jobs/{}", made.id));
    Ok(())
}
