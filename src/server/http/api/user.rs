//! People who sign in.

use axum::{extract::State, http::StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    auth::Caller,
    json::{Created, Id, Json},
    list::PageQuery,
    problem::Problem,
    query::Query,
};
use crate::{
    domain::{
        access::{Permission, Role},
        page::Page,
        user::{User, UserPatch},
    },
    server::app::{self, App},
};

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, update))
        .routes(routes!(set_password))
}

/// List users
///
/// The oldest first.
#[utoipa::path(
    get,
    path = "/users",
    tag = "users",
    extensions(("x-permission" = json!(Permission::UsersRead))),
    params(PageQuery),
    responses((status = 200, description = "A page of users", body = Page<User>))
)]
async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<User>>, Problem> {
    let all = app::user::list(&app, &actor).await?;
    Ok(Json(page.cut(all, |user| user.id.to_string())?))
}

/// A person to let in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    email: String,
    role: Role,
    /// At least 12 characters.
    #[schema(write_only, min_length = 12)]
    password: String,
}

/// Add a user
#[utoipa::path(
    post,
    path = "/users",
    tag = "users",
    extensions(("x-permission" = json!(Permission::UsersWrite))),
    request_body = NewUser,
    responses((status = 201, description = "The user", body = User, headers(("Location"))))
)]
async fn create(
    State(app): State<App>,
    Caller(actor): Caller,
    Json(body): Json<NewUser>,
) -> Result<Created<User>, Problem> {
    let password = body.password.into();
    let made = app::user::create(&app, &actor, &body.email, body.role, password).await?;
    Ok(Created(format!("/users/{}", made.id), made))
}

/// See a user
#[utoipa::path(
    get,
    path = "/users/{id}",
    tag = "users",
    extensions(("x-permission" = json!(Permission::UsersRead))),
    params(("id" = Uuid, Path)),
    responses((status = 200, description = "The user", body = User))
)]
async fn get(
    State(app): State<App>,
    Caller(actor): Caller,
    Id(id): Id,
) -> Result<Json<User>, Problem> {
    Ok(Json(app::user::get(&app, &actor, id).await?))
}

/// Change a user's role, shut a user out or let them in again
///
/// Shutting out ends all their sessions. The last admin who can sign in stays one.
#[utoipa::path(
    patch,
    path = "/users/{id}",
    tag = "users",
    extensions(("x-permission" = json!(Permission::UsersWrite))),
    params(("id" = Uuid, Path)),
    request_body = UserPatch,
    responses(
        (status = 200, description = "The user", body = User),
        (status = 409, description = "It is the last admin")
    )
)]
async fn update(
    State(app): State<App>,
    Caller(actor): Caller,
    Id(id): Id,
    Json(patch): Json<UserPatch>,
) -> Result<Json<User>, Problem> {
    Ok(Json(app::user::update(&app, &actor, id, patch).await?))
}

/// A password for somebody who forgot theirs.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPassword {
    /// At least 12 characters.
    #[schema(write_only, min_length = 12)]
    password: String,
}

/// Give a user a new password
///
/// The old one no longer works, and all their sessions end. Whoever is shut out stays so.
#[utoipa::path(
    put,
    path = "/users/{id}/password",
    tag = "users",
    extensions(("x-permission" = json!(Permission::UsersWrite))),
    params(("id" = Uuid, Path)),
    request_body = NewPassword,
    responses((status = 204, description = "It is set"))
)]
async fn set_password(
    State(app): State<App>,
    Caller(actor): Caller,
    Id(id): Id,
    Json(body): Json<NewPassword>,
) -> Result<StatusCode, Problem> {
    app::user::set_password(&app, &actor, id, body.password.into()).await?;
    Ok(StatusCode::NO_CONTENT)
}
