//! Who reads a connection's token.

use axum::extract::State;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    domain::{access::Permission, page::Page, token_reader::TokenReader},
    server::{
        app::{self, App},
        http::api::{
            auth::Caller,
            json::{Id, Json},
            list::PageQuery,
            problem::Problem,
            query::Query,
        },
    },
};

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(readers))
}

/// List who read a connection's token
///
/// API keys, and people to whom it was revealed: how often, and when first and last. Reads are counted
/// apart and stand here some seconds later; those of a process that dies meanwhile are lost.
#[utoipa::path(
    get,
    path = "/connections/{id}/readers",
    tag = "connections",
    extensions(("x-permission" = json!(Permission::ConnectionsRead))),
    params(("id" = Uuid, Path), PageQuery),
    responses((status = 200, description = "A page of readers", body = Page<TokenReader>))
)]
async fn readers(
    State(app): State<App>,
    Caller(actor): Caller,
    Id(id): Id,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<TokenReader>>, Problem> {
    let all = app::token_reader::list(&app, &actor, id).await?;
    Ok(Json(page.cut(all, |reader| reader.id.to_string())?))
}
