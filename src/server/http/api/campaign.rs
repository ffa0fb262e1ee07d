//! Campaigns: how far the customers of a job of relinks are.

use axum::{extract::State, response::Response};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    auth::Caller,
    export::{FileQuery, sent},
    json::{Id, Json},
    list::PageQuery,
    problem::Problem,
    query::{Both, Query},
};
use crate::{
    domain::{
        access::Permission,
        campaign::{Progress, Straggler},
        language::Language,
        page::Page,
        relink::Stage,
    },
    server::app::{self, App},
};

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(progress))
        .routes(routes!(stragglers))
        .routes(routes!(export_stragglers))
        .routes(routes!(export_mails))
}

/// Which stragglers.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct StageQuery {
    /// Only those at this stage.
    #[param(inline)]
    stage: Option<Stage>,
}

/// Which texts.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LanguageQuery {
    /// `en` unless said.
    #[param(inline)]
    language: Option<Language>,
}

/// See how far the customers of a job are
///
/// For a job of relinks: how many of those who were given a link are done, and at which stage the others
/// are. Of a customer's links the newest counts, whichever job or person made it.
#[utoipa::path(
    get,
    path = "/jobs/{id}/progress",
    tag = "jobs",
    extensions(("x-permission" = json!(Permission::ConnectionsRead))),
    params(("id" = Uuid, Path)),
    responses((status = 200, description = "How far they are", body = Progress))
)]
async fn progress(
    State(app): State<App>,
    Caller(actor): Caller,
    Id(id): Id,
) -> Result<Json<Progress>, Problem> {
    Ok(Json(app::campaign::progress(&app, &actor, id).await?))
}

/// List the stragglers of a job
///
/// The customers who were given a link and are not done, in the order of the job, each with what to say
/// to them. The link is there while it works, for keys with the scope `connections:relink`. A job on
/// `stragglers_of` makes new ones.
#[utoipa::path(
    get,
    path = "/jobs/{id}/stragglers",
    tag = "jobs",
    extensions(("x-permission" = json!(Permission::ConnectionsRead))),
    params(("id" = Uuid, Path), StageQuery, PageQuery),
    responses((status = 200, description = "A page of stragglers", body = Page<Straggler>))
)]
async fn stragglers(
    State(app): State<App>,
    Caller(actor): Caller,
    Id(id): Id,
    Query(Both(stage, page)): Query<Both<StageQuery, PageQuery>>,
) -> Result<Json<Page<Straggler>>, Problem> {
    let paging = page.paging()?;
    Ok(Json(app::campaign::stragglers(&app, &actor, id, stage.stage, &paging, true).await?))
}

/// Export the stragglers of a job
#[utoipa::path(
    get,
    path = "/exports/jobs/{id}/stragglers",
    tag = "jobs",
    extensions(("x-permission" = json!(Permission::ConnectionsRead))),
    params(("id" = Uuid, Path), FileQuery),
    responses(
        (status = 200, description = "The file", content((String = "application/x-ndjson"), (String = "text/csv")))
    )
)]
async fn export_stragglers(
    State(app): State<App>,
    Caller(actor): Caller,
    Id(id): Id,
    Query(file): Query<FileQuery>,
) -> Result<Response, Problem> {
    let format = file.format();
    Ok(sent(format, app::campaign::export(&app, &actor, id, format).await?))
}

/// Export the e-mails with a job's links
///
/// One for each customer who is not done and whose link works: `label`, `account`, `external_id`, `link`,
/// `expires_at`, `subject` and `text`, as the relink desk writes it, with your brand's name and help contact.
/// Who is not done and has no link that could be sent stands there without an account, a link and a text, and
/// `left_out` says why; else that is null. Regrant sends none by itself.
#[utoipa::path(
    get,
    path = "/exports/jobs/{id}/mails",
    tag = "jobs",
    extensions(("x-permission" = json!(Permission::ConnectionsRelink))),
    params(("id" = Uuid, Path), LanguageQuery, FileQuery),
    responses(
        (status = 200, description = "The file", content((String = "application/x-ndjson"), (String = "text/csv")))
    )
)]
async fn export_mails(
    State(app): State<App>,
    Caller(actor): Caller,
    Id(id): Id,
    Query(Both(texts, file)): Query<Both<LanguageQuery, FileQuery>>,
) -> Result<Response, Problem> {
    let (language, format) = (texts.language.unwrap_or_default(), file.format());
    Ok(sent(format, app::campaign::mails(&app, &actor, id, language, format).await?))
}
