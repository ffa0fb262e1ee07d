//! Jobs: one action on many connections.

use leptos::prelude::*;
use uuid::Uuid;

use super::Answer;
use crate::domain::{
    job::{Action, Job, JobOutcome, NewJob, Proposal},
    page::{Page, Paging},
};

#[server(prefix = "/rpc", endpoint = "job/list")]
pub async fn list(#[server(default)] paging: Paging) -> Answer<Page<Job>> {
    let (app, actor) = crate::server::http::caller::actor().await?;
    app.call(crate::server::app::job::list(&app, &actor, &paging)).await
}

#[server(prefix = "/rpc", endpoint = "job/get")]
pub async fn get(id: Uuid) -> Answer<Job> {
    let (app, actor) = crate::server::http::caller::actor().await?;
    app.call(crate::server::app::job::get(&app, &actor, id)).await
}

/// What could not be done, the first hundred.
#[server(prefix = "/rpc", endpoint = "job/failed")]
pub async fn failed(id: Uuid) -> Answer<Vec<JobOutcome>> {
    let (app, actor) = crate::server::http::caller::actor().await?;
    app.call(crate::server::app::job::list_failed(&app, &actor, id)).await
}

/// What came of each, in the order of the job.
#[server(prefix = "/rpc", endpoint = "job/outcomes")]
pub async fn outcomes(id: Uuid, #[server(default)] paging: Paging) -> Answer<Page<JobOutcome>> {
    let (app, actor) = crate::server::http::caller::actor().await?;
    app.call(crate::server::app::job::outcomes(&app, &actor, id, &paging)).await
}

/// What a job would work on.
#[server(prefix = "/rpc", endpoint = "job/preview")]
pub async fn preview(new: NewJob) -> Answer<Proposal> {
    let (app, actor) = crate::server::http::caller::actor().await?;
    app.call(crate::server::app::job::preview_once(&app, &actor, &new)).await
}

/// Makes a job and goes to its page. `ids` (separated by blanks) or `filter` (JSON) choose; `expected`
/// and `key` are what the preview gave.
#[server(prefix = "/rpc", endpoint = "job/create")]
pub async fn create(
    action: Action,
    ids: Option<String>,
    filter: Option<String>,
    tag: Option<String>,
    #[server(default)] revoke: bool,
    expected: Option<String>,
    key: Option<Uuid>,
) -> Answer<()> {
    use crate::server::{app::job, http::caller};
    let (app, actor) = caller::actor().await?;
    let new = NewJob { tag, revoke, expected, key, ..NewJob::of(action) };
    let made = app.call(job::create_from_text(&app, &actor, new, [ids, filter]));
    caller::redirect(&format!("/jobs/{}", made.await?.id));
    Ok(())
}

#[server(prefix = "/rpc", endpoint = "job/stop")]
pub async fn stop(id: Uuid) -> Answer<()> {
    let (app, actor) = crate::server::http::caller::actor().await?;
    app.call(crate::server::app::job::stop(&app, &actor, id)).await.map(drop)
}
