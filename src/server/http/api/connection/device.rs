//! Consent on another device.

use axum::{extract::State, http::StatusCode};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    domain::{access::Permission, device::DeviceAuthorization},
    server::{
        app::{App, connection::device},
        http::api::{
            auth::Caller,
            json::{Id, Json, Nothing},
            problem::Problem,
        },
    },
};

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(begin_device, get_device))
}

/// Authorize a connection again, on another device
///
/// Same connection, next generation; another account is refused. A code begun before is void. Regrant
/// asks the provider by itself whether consent was given; look at the connection, or here.
#[utoipa::path(
    post,
    path = "/connections/{id}/device",
    tag = "connections",
    extensions(("x-permission" = json!(Permission::ConnectionsWrite))),
    params(("id" = Uuid, Path)),
    responses(
        (status = 201, description = "What to type, where, and until when", body = DeviceAuthorization),
        (status = 409, description = "This connection needs no consent, or the provider offers no codes"),
        (status = 503, description = "The provider gave no code")
    )
)]
async fn begin_device(
    State(app): State<App>,
    Caller(actor): Caller,
    Id(id): Id,
    Nothing: Nothing,
) -> Result<(StatusCode, Json<DeviceAuthorization>), Problem> {
    Ok((StatusCode::CREATED, Json(device::authorize(&app, &actor, id).await?)))
}

/// See a connection's newest device authorization
///
/// It is kept for a day after its end. Whoever knows the code can put an account in the connection's
/// place, so it takes the right to change connections.
#[utoipa::path(
    get,
    path = "/connections/{id}/device",
    tag = "connections",
    extensions(("x-permission" = json!(Permission::ConnectionsWrite))),
    params(("id" = Uuid, Path)),
    responses((status = 200, description = "The code, and what came of it", body = DeviceAuthorization))
)]
async fn get_device(
    State(app): State<App>,
    Caller(actor): Caller,
    Id(id): Id,
) -> Result<Json<DeviceAuthorization>, Problem> {
    Ok(Json(device::get(&app, &actor, id).await?))
}
