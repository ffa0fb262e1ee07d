//! Relinks of a connection.

use axum::{extract::State, http::StatusCode};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    auth::Caller,
    json::{Id, Json, Nothing},
    list::PageQuery,
    problem::Problem,
    query::{Both, Query},
};
use crate::{
    domain::{
        access::Permission,
        page::Page,
        relink::{CreatedRelink, Relink, RelinkEntry, RelinkShow},
    },
    server::app::{self, App},
};

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(create))
        .routes(routes!(list_all))
        .routes(routes!(get, revoke))
}

/// Which relinks.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ShowQuery {
    /// Those that can be used (`open`), those and what ended within a day (`recent`), or `all`; `recent`
    /// unless said.
    #[param(inline)]
    show: Option<RelinkShow>,
}

/// List relinks
///
/// Those of all connections, the newest first, and how far whoever holds each of them is.
#[utoipa::path(
    get,
    path = "/relinks",
    tag = "relinks",
    extensions(("x-permission" = json!(Permission::ConnectionsRead))),
    params(ShowQuery, PageQuery),
    responses((status = 200, description = "A page of relinks", body = Page<RelinkEntry>))
)]
async fn list_all(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(Both(show, page)): Query<Both<ShowQuery, PageQuery>>,
) -> Result<Json<Page<RelinkEntry>>, Problem> {
    let show = show.show.unwrap_or_default();
    Ok(Json(app::relink::list_all(&app, &actor, show, &page.paging()?).await?))
}

/// See a relink
///
/// How far its holder is, and what the last try came to. Its address is not kept.
#[utoipa::path(
    get,
    path = "/relinks/{id}",
    tag = "relinks",
    extensions(("x-permission" = json!(Permission::ConnectionsRead))),
    params(("id" = Uuid, Path)),
    responses((status = 200, description = "The relink", body = RelinkEntry))
)]
async fn get(
    State(app): State<App>,
    Caller(actor): Caller,
    Id(id): Id,
) -> Result<Json<RelinkEntry>, Problem> {
    Ok(Json(app::relink::get(&app, &actor, id).await?))
}

/// Revoke a relink
///
/// It works no longer, also for whoever has opened it. It stays in the list.
#[utoipa::path(
    delete,
    path = "/relinks/{id}",
    tag = "relinks",
    extensions(("x-permission" = json!(Permission::ConnectionsRelink))),
    params(("id" = Uuid, Path)),
    responses(
        (status = 204, description = "Revoked"),
        (status = 409, description = "It worked no longer")
    )
)]
async fn revoke(
    State(app): State<App>,
    Caller(actor): Caller,
    Id(id): Id,
    Nothing: Nothing,
) -> Result<StatusCode, Problem> {
    app::relink::revoke(&app, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List a connection's relinks
///
/// Its newest twenty, the oldest of them first. Their addresses are not kept.
#[utoipa::path(
    get,
    path = "/connections/{id}/relinks",
    tag = "relinks",
    extensions(("x-permission" = json!(Permission::ConnectionsRead))),
    params(("id" = Uuid, Path), PageQuery),
    responses((status = 200, description = "A page of relinks", body = Page<Relink>))
)]
async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Id(id): Id,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<Relink>>, Problem> {
    let all = app::relink::list(&app, &actor, id).await?;
    Ok(Json(page.cut(all, |relink| relink.id.to_string())?))
}

/// Make a relink
///
/// A one-time link: whoever opens it, without a login, authorizes the connection again, in place.
/// The connection's earlier links work no longer. The address is in this answer and nowhere else.
#[utoipa::path(
    post,
    path = "/connections/{id}/relink",
    tag = "relinks",
    extensions(("x-permission" = json!(Permission::ConnectionsRelink))),
    params(("id" = Uuid, Path)),
    responses(
        (status = 201, description = "The link", body = CreatedRelink),
        (status = 409, description = "This connection needs no consent, was disconnected, or its client is refused")
    )
)]
async fn create(
    State(app): State<App>,
    Caller(actor): Caller,
    Id(id): Id,
    Nothing: Nothing,
) -> Result<(StatusCode, Json<CreatedRelink>), Problem> {
    Ok((StatusCode::CREATED, Json(app::relink::create(&app, &actor, id).await?)))
}
