//! An admin's word on an incident.

use axum::extract::State;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    auth::Caller,
    json::{Id, Json, Nothing},
    problem::Problem,
};
use crate::{
    domain::{access::Permission, client::Client},
    server::app::{self, App},
};

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(resume)).routes(routes!(condemn))
}

/// End an incident or a pause
///
/// All of the client's connections are refreshed again, also those that were refused, and although the
/// provider may have asked for a pause (`paused_until`).
#[utoipa::path(
    post,
    path = "/clients/{id}/resume",
    tag = "clients",
    extensions(("x-permission" = json!(Permission::ClientsWrite))),
    params(("id" = Uuid, Path)),
    responses(
        (status = 200, description = "The client", body = Client),
        (status = 409, description = "It has no incident and no pause")
    )
)]
async fn resume(
    State(app): State<App>,
    Caller(actor): Caller,
    Id(id): Id,
    Nothing: Nothing,
) -> Result<Json<Client>, Problem> {
    Ok(Json(app::incident::resume(&app, &actor, id).await?))
}

/// End an incident, and condemn what was refused
///
/// The connections whose verdicts wait need a person from now on; the others are refreshed again.
#[utoipa::path(
    post,
    path = "/clients/{id}/condemn",
    tag = "clients",
    extensions(("x-permission" = json!(Permission::ClientsWrite))),
    params(("id" = Uuid, Path)),
    responses(
        (status = 200, description = "The client", body = Client),
        (status = 409, description = "It has no incident")
    )
)]
async fn condemn(
    State(app): State<App>,
    Caller(actor): Caller,
    Id(id): Id,
    Nothing: Nothing,
) -> Result<Json<Client>, Problem> {
    Ok(Json(app::incident::condemn(&app, &actor, id).await?))
}
