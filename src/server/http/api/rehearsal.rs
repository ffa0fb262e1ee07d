//! Replacing a client's secret with a rehearsal.

use axum::{extract::State, http::StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    auth::Caller,
    json::{Id, Json, Nothing},
    problem::Problem,
};
use crate::{
    domain::{access::Permission, client::Client},
    server::app::{App, client::rehearsal},
};

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(set, drop)).routes(routes!(begin))
}

/// A secret to be tried.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewNextSecret {
    /// The secret, or the private key in PEM where the provider's profile asks for one.
    #[schema(write_only)]
    client_secret: String,
}

/// Rehearse another secret
///
/// One connection is refreshed with it. When that works it takes the place of the secret in use, and
/// connections that waited for it resume. When the provider refuses it, nothing has changed.
#[utoipa::path(
    put,
    path = "/clients/{id}/next-secret",
    tag = "clients",
    extensions(("x-permission" = json!(Permission::ClientsWrite))),
    params(("id" = Uuid, Path)),
    request_body = NewNextSecret,
    responses(
        (status = 200, description = "The client", body = Client),
        (status = 409, description = "There is no connection to try it with")
    )
)]
async fn set(
    State(app): State<App>,
    Caller(actor): Caller,
    Id(id): Id,
    Json(body): Json<NewNextSecret>,
) -> Result<Json<Client>, Problem> {
    Ok(Json(rehearsal::set(&app, &actor, id, body.client_secret.into()).await?))
}

/// Forget the next secret
#[utoipa::path(
    delete,
    path = "/clients/{id}/next-secret",
    tag = "clients",
    extensions(("x-permission" = json!(Permission::ClientsWrite))),
    params(("id" = Uuid, Path)),
    responses((status = 204, description = "There is none any more"))
)]
async fn drop(
    State(app): State<App>,
    Caller(actor): Caller,
    Id(id): Id,
    Nothing: Nothing,
) -> Result<StatusCode, Problem> {
    rehearsal::drop(&app, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Try the next secret again
///
/// At once, also if the provider refused it before.
#[utoipa::path(
    post,
    path = "/clients/{id}/rehearse",
    tag = "clients",
    extensions(("x-permission" = json!(Permission::ClientsWrite))),
    params(("id" = Uuid, Path)),
    responses(
        (status = 200, description = "The client", body = Client),
        (status = 409, description = "It has no next secret")
    )
)]
async fn begin(
    State(app): State<App>,
    Caller(actor): Caller,
    Id(id): Id,
    Nothing: Nothing,
) -> Result<Json<Client>, Problem> {
    Ok(Json(rehearsal::begin(&app, &actor, id).await?))
}
