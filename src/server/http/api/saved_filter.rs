//! Filters by name.

use axum::{extract::State, http::StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    auth::Caller,
    json::{Created, Id, Json, Nothing},
    list::PageQuery,
    problem::Problem,
    query::Query,
};
use crate::{
    domain::{
        access::Permission, connection::ConnectionFilter, page::Page, saved_filter::SavedFilter,
    },
    server::app::{self, App},
};

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(delete))
}

/// List your saved filters
///
/// Those of this API key.
#[utoipa::path(
    get,
    path = "/saved-filters",
    tag = "saved_filters",
    extensions(("x-permission" = json!(Permission::ConnectionsRead))),
    params(PageQuery),
    responses((status = 200, description = "A page of filters", body = Page<SavedFilter>))
)]
async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<SavedFilter>>, Problem> {
    let all = app::saved_filter::list(&app, &actor).await?;
    Ok(Json(page.cut(all, |saved| saved.id.to_string())?))
}

/// A filter to be saved.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSavedFilter {
    name: String,
    #[serde(default)]
    filter: ConnectionFilter,
}

/// Save a filter
#[utoipa::path(
    post,
    path = "/saved-filters",
    tag = "saved_filters",
    extensions(("x-permission" = json!(Permission::ConnectionsRead))),
    request_body = NewSavedFilter,
    responses(
        (status = 201, description = "The filter", body = SavedFilter, headers(("Location"))),
        (status = 409, description = "There are as many as may be")
    )
)]
async fn create(
    State(app): State<App>,
    Caller(actor): Caller,
    Json(body): Json<NewSavedFilter>,
) -> Result<Created<SavedFilter>, Problem> {
    let saved = app::saved_filter::create(&app, &actor, &body.name, body.filter).await?;
    Ok(Created(format!("/saved-filters/{}", saved.id), saved))
}

/// Delete a saved filter
#[utoipa::path(
    delete,
    path = "/saved-filters/{id}",
    tag = "saved_filters",
    extensions(("x-permission" = json!(Permission::ConnectionsRead))),
    params(("id" = Uuid, Path)),
    responses((status = 204, description = "Deleted"))
)]
async fn delete(
    State(app): State<App>,
    Caller(actor): Caller,
    Id(id): Id,
    Nothing: Nothing,
) -> Result<StatusCode, Problem> {
    app::saved_filter::delete(&app, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
