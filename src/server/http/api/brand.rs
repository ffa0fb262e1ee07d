//! How the house shows itself to people outside of it.

use axum::{body::Bytes, extract::State};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    auth::Caller,
    json::{Json, Nothing},
    problem::Problem,
};
use crate::{
    domain::{
        access::Permission,
        brand::{Brand, NewBrand},
    },
    server::app::{self, App},
};

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(get, update)).routes(routes!(set_logo, drop_logo))
}

/// See the brand
///
/// What stands on the page behind a relink.
#[utoipa::path(
    get,
    path = "/brand",
    tag = "brand",
    extensions(("x-permission" = json!(Permission::ConnectionsRead))),
    responses((status = 200, description = "The brand", body = Brand))
)]
async fn get(State(app): State<App>, Caller(actor): Caller) -> Result<Json<Brand>, Problem> {
    actor.require(Permission::ConnectionsRead)?;
    Ok(Json(app::brand::get(&app).await?))
}

/// Set the brand
///
/// Name, colour and contact anew; the logo stays.
#[utoipa::path(
    put,
    path = "/brand",
    tag = "brand",
    extensions(("x-permission" = json!(Permission::SettingsWrite))),
    request_body = NewBrand,
    responses((status = 200, description = "The brand", body = Brand))
)]
async fn update(
    State(app): State<App>,
    Caller(actor): Caller,
    Json(body): Json<NewBrand>,
) -> Result<Json<Brand>, Problem> {
    Ok(Json(app::brand::update(&app, &actor, body).await?))
}

/// Set the logo
///
/// The body is the picture: PNG, JPEG or WebP, at most 100 KB.
#[utoipa::path(
    put,
    path = "/brand/logo",
    tag = "brand",
    extensions(("x-permission" = json!(Permission::SettingsWrite))),
    request_body(content((Vec<u8> = "image/png"), (Vec<u8> = "image/jpeg"), (Vec<u8> = "image/webp"))),
    responses((status = 200, description = "The brand", body = Brand))
)]
async fn set_logo(
    State(app): State<App>,
    Caller(actor): Caller,
    body: Bytes,
) -> Result<Json<Brand>, Problem> {
    Ok(Json(app::brand::set_logo(&app, &actor, &body).await?))
}

/// Take the logo away
#[utoipa::path(
    delete,
    path = "/brand/logo",
    tag = "brand",
    extensions(("x-permission" = json!(Permission::SettingsWrite))),
    responses((status = 200, description = "The brand", body = Brand))
)]
async fn drop_logo(
    State(app): State<App>,
    Caller(actor): Caller,
    Nothing: Nothing,
) -> Result<Json<Brand>, Problem> {
    Ok(Json(app::brand::drop_logo(&app, &actor).await?))
}
