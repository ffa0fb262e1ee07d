//! Jobs: one action on many connections.

use axum::{extract::State, response::Response};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    auth::Caller,
    export::{FileQuery, sent},
    json::{Created, Id, Json, Nothing},
    list::PageQuery,
    problem::Problem,
    query::Query,
};
use crate::{
    domain::{
        access::Permission,
        job::{Job, JobOutcome, NewJob, Selection},
        page::Page,
    },
    server::app::{self, App},
};

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(preview))
        .routes(routes!(get))
        .routes(routes!(outcomes))
        .routes(routes!(stop))
        .routes(routes!(export))
}

/// List jobs
///
/// The newest first.
#[utoipa::path(
    get,
    path = "/jobs",
    tag = "jobs",
    extensions(("x-permission" = json!(Permission::ConnectionsRead))),
    params(PageQuery),
    responses((status = 200, description = "A page of jobs", body = Page<Job>))
)]
async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<Job>>, Problem> {
    Ok(Json(app::job::list(&app, &actor, &page.paging()?).await?))
}

/// Do something with many connections
///
/// The job is carried out by a worker, whoever goes away meanwhile. It works on what was chosen when it
/// was made; with `expected_total` or `expected`, only if that is what its maker saw. `refresh` and `relink` ask for the scope of that name, the other actions for
/// `connections:write`.
#[utoipa::path(
    post,
    path = "/jobs",
    tag = "jobs",
    extensions(("x-permission" = json!([
        Permission::ConnectionsWrite, Permission::ConnectionsRefresh, Permission::ConnectionsRelink
    ]))),
    request_body = NewJob,
    responses(
        (status = 201, description = "The job", body = Job, headers(("Location"))),
        (status = 404, description = "There is no job of which these would be the stragglers"),
        (
            status = 409,
            description = "It would work on others than its maker saw, or as many jobs as may be are under way"
        )
    )
)]
async fn create(
    State(app): State<App>,
    Caller(actor): Caller,
    Json(body): Json<NewJob>,
) -> Result<Created<Job>, Problem> {
    let job = app::job::create(&app, &actor, &body).await?;
    Ok(Created(format!("/jobs/{}", job.id), job))
}

/// See what a job would work on
///
/// How many connections, of which clients, how they stand, and for how many of them it can be done as they stand
/// now; for links, also of how many of those nobody knows whose account it is. Nothing is done.
#[utoipa::path(
    post,
    path = "/jobs/preview",
    tag = "jobs",
    extensions(("x-permission" = json!([
        Permission::ConnectionsWrite, Permission::ConnectionsRefresh, Permission::ConnectionsRelink
    ]))),
    request_body = NewJob,
    responses(
        (status = 200, description = "What it would work on", body = Selection),
        (status = 404, description = "There is no job of which these would be the stragglers")
    )
)]
async fn preview(
    State(app): State<App>,
    Caller(actor): Caller,
    Json(body): Json<NewJob>,
) -> Result<Json<Selection>, Problem> {
    Ok(Json(app::job::preview(&app, &actor, &body).await?))
}

/// See a job
#[utoipa::path(
    get,
    path = "/jobs/{id}",
    tag = "jobs",
    extensions(("x-permission" = json!(Permission::ConnectionsRead))),
    params(("id" = Uuid, Path)),
    responses((status = 200, description = "The job, and how far it is", body = Job))
)]
async fn get(
    State(app): State<App>,
    Caller(actor): Caller,
    Id(id): Id,
) -> Result<Json<Job>, Problem> {
    Ok(Json(app::job::get(&app, &actor, id).await?))
}

/// List what came of a job
///
/// Connection by connection, in the order of the job, also those that it has not come to. A link that
/// was made is there while it works, for keys with the scope `connections:relink`; `link_state` says how far it
/// is, or how it ended. A newer link of the same connection ends it.
#[utoipa::path(
    get,
    path = "/jobs/{id}/outcomes",
    tag = "jobs",
    extensions(("x-permission" = json!(Permission::ConnectionsRead))),
    params(("id" = Uuid, Path), PageQuery),
    responses((status = 200, description = "A page of outcomes", body = Page<JobOutcome>))
)]
async fn outcomes(
    State(app): State<App>,
    Caller(actor): Caller,
    Id(id): Id,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<JobOutcome>>, Problem> {
    Ok(Json(app::job::outcomes(&app, &actor, id, &page.paging()?).await?))
}

/// Stop a job
///
/// What was done stays done.
#[utoipa::path(
    post,
    path = "/jobs/{id}/stop",
    tag = "jobs",
    extensions(("x-permission" = json!([
        Permission::ConnectionsWrite, Permission::ConnectionsRefresh, Permission::ConnectionsRelink
    ]))),
    params(("id" = Uuid, Path)),
    responses((status = 200, description = "The job", body = Job))
)]
async fn stop(
    State(app): State<App>,
    Caller(actor): Caller,
    Id(id): Id,
    Nothing: Nothing,
) -> Result<Json<Job>, Problem> {
    Ok(Json(app::job::stop(&app, &actor, id).await?))
}

/// Export what came of a job
///
/// All its outcomes. A link is in it while it works; `link_state` says how far it is, or how it ended.
#[utoipa::path(
    get,
    path = "/exports/jobs/{id}",
    tag = "jobs",
    extensions(("x-permission" = json!(Permission::ConnectionsRead))),
    params(("id" = Uuid, Path), FileQuery),
    responses(
        (status = 200, description = "The file", content((String = "application/x-ndjson"), (String = "text/csv")))
    )
)]
async fn export(
    State(app): State<App>,
    Caller(actor): Caller,
    Id(id): Id,
    Query(file): Query<FileQuery>,
) -> Result<Response, Problem> {
    let format = file.format();
    Ok(sent(format, app::job::export(&app, &actor, id, format).await?))
}
