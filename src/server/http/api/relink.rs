//! Relinks of a connection.

use axum::{extract::State, http::StatusCode};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    auth::Caller,
    json::{Id, Json},
    list::PageQuery,
    problem::Problem,
    query::Query,
};
use crate::{
    domain::{
        access::Permission,
        page::Page,
        relink::{CreatedRelink, Relink},
    },
    server::app::{self, App},
};

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(create))
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
        (status = 409, description = "This connection needs no consent, or was disconnected")
    )
)]
async fn create(
    State(app): State<App>,
    Caller(actor): Caller,
    Id(id): Id,
) -> Result<(StatusCode, Json<CreatedRelink>), Problem> {
    Ok((StatusCode::CREATED, Json(app::relink::create(&app, &actor, id).await?)))
}
