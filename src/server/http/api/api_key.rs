//! Keys for programs.

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
        access::{Permission, Scope},
        api_key::{ApiKey, CreatedApiKey},
        page::Page,
    },
    server::app::{self, App},
};

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(get, revoke))
}

/// List API keys
///
/// The oldest first, revoked ones too.
#[utoipa::path(
    get,
    path = "/api-keys",
    tag = "api_keys",
    extensions(("x-permission" = json!(Permission::ApiKeysRead))),
    params(PageQuery),
    responses((status = 200, description = "A page of keys", body = Page<ApiKey>))
)]
async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<ApiKey>>, Problem> {
    let all = app::api_key::list(&app, &actor).await?;
    Ok(Json(page.cut(all, |key| key.id.to_string())?))
}

/// A key to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewApiKey {
    /// What people call it.
    name: String,
    /// What it may be used for; at least one.
    #[schema(min_items = 1)]
    scopes: Vec<Scope>,
}

/// Make an API key
///
/// Its text is in this answer and nowhere else.
#[utoipa::path(
    post,
    path = "/api-keys",
    tag = "api_keys",
    extensions(("x-permission" = json!(Permission::ApiKeysWrite))),
    request_body = NewApiKey,
    responses((status = 201, description = "The key", body = CreatedApiKey, headers(("Location"))))
)]
async fn create(
    State(app): State<App>,
    Caller(actor): Caller,
    Json(body): Json<NewApiKey>,
) -> Result<Created<CreatedApiKey>, Problem> {
    let made = app::api_key::create(&app, &actor, &body.name, &body.scopes).await?;
    Ok(Created(format!("/api-keys/{}", made.api_key.id), made))
}

/// See an API key
#[utoipa::path(
    get,
    path = "/api-keys/{id}",
    tag = "api_keys",
    extensions(("x-permission" = json!(Permission::ApiKeysRead))),
    params(("id" = Uuid, Path)),
    responses((status = 200, description = "The key, without its text", body = ApiKey))
)]
async fn get(
    State(app): State<App>,
    Caller(actor): Caller,
    Id(id): Id,
) -> Result<Json<ApiKey>, Problem> {
    Ok(Json(app::api_key::get(&app, &actor, id).await?))
}

/// Revoke an API key
///
/// It stays in the list, with the time.
#[utoipa::path(
    delete,
    path = "/api-keys/{id}",
    tag = "api_keys",
    extensions(("x-permission" = json!(Permission::ApiKeysWrite))),
    params(("id" = Uuid, Path)),
    responses((status = 204, description = "Revoked"))
)]
async fn revoke(
    State(app): State<App>,
    Caller(actor): Caller,
    Id(id): Id,
    Nothing: Nothing,
) -> Result<StatusCode, Problem> {
    app::api_key::revoke(&app, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
