//! Providers. The body is the profile itself, so that a preset can be read, edited and posted under
//! another slug.

use axum::{extract::State, http::StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    auth::Caller,
    json::{Created, Json, Nothing, Read, Slug},
    list::PageQuery,
    problem::Problem,
    query::Query,
};
use crate::{
    domain::{access::Permission, catalog::ProviderEntry, page::Page, provider::Profile},
    server::app::{self, App},
};

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, replace, delete))
        .routes(routes!(discover))
        .routes(routes!(schema))
}

/// List providers
///
/// Presets and custom ones, in the order of their slugs.
#[utoipa::path(
    get,
    path = "/providers",
    tag = "providers",
    extensions(("x-permission" = json!(Permission::ProvidersRead))),
    params(PageQuery),
    responses((status = 200, description = "A page of providers", body = Page<ProviderEntry>))
)]
async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<ProviderEntry>>, Problem> {
    let all = app::provider::list(&app, &actor).await?;
    Ok(Json(page.cut(all, |entry| entry.profile.slug.clone())?))
}

/// Add a custom provider
#[utoipa::path(
    post,
    path = "/providers",
    tag = "providers",
    extensions(("x-permission" = json!(Permission::ProvidersWrite))),
    request_body = Profile,
    responses(
        (status = 201, description = "The profile", body = Profile, headers(("Location"))),
        (status = 409, description = "Clients of a provider that is gone use this slug")
    )
)]
async fn create(
    State(app): State<App>,
    Caller(actor): Caller,
    Read(profile): Read<Profile>,
) -> Result<Created<Profile>, Problem> {
    let profile = app::provider::whole(&app, &actor, profile, None).await?;
    let made = app::provider::create(&app, &actor, profile).await?.profile;
    Ok(Created(format!("/providers/{}", made.slug), made))
}

/// See a provider's profile
#[utoipa::path(
    get,
    path = "/providers/{slug}",
    tag = "providers",
    extensions(("x-permission" = json!(Permission::ProvidersRead))),
    params(("slug" = String, Path)),
    responses((status = 200, description = "The profile", body = Profile))
)]
async fn get(
    State(app): State<App>,
    Caller(actor): Caller,
    Slug(slug): Slug,
) -> Result<Json<Profile>, Problem> {
    Ok(Json(app::provider::get(&app, &actor, &slug).await?.profile))
}

/// Replace a custom provider's profile
///
/// What would send secrets elsewhere, or read tokens as something else, is refused while clients of
/// this provider hold some.
#[utoipa::path(
    put,
    path = "/providers/{slug}",
    tag = "providers",
    extensions(("x-permission" = json!(Permission::ProvidersWrite))),
    params(("slug" = String, Path)),
    request_body = Profile,
    responses(
        (status = 200, description = "The profile", body = Profile),
        (status = 409, description = "It is a preset, or secrets would be sent elsewhere or read as something else")
    )
)]
async fn replace(
    State(app): State<App>,
    Caller(actor): Caller,
    Slug(slug): Slug,
    Read(profile): Read<Profile>,
) -> Result<Json<Profile>, Problem> {
    let profile = app::provider::whole(&app, &actor, profile, Some(&slug)).await?;
    Ok(Json(app::provider::update(&app, &actor, &slug, profile).await?.profile))
}

/// Delete a custom provider
#[utoipa::path(
    delete,
    path = "/providers/{slug}",
    tag = "providers",
    extensions(("x-permission" = json!(Permission::ProvidersWrite))),
    params(("slug" = String, Path)),
    responses(
        (status = 204, description = "Deleted"),
        (status = 409, description = "It is a preset, or clients use it")
    )
)]
async fn delete(
    State(app): State<App>,
    Caller(actor): Caller,
    Slug(slug): Slug,
    Nothing: Nothing,
) -> Result<StatusCode, Problem> {
    app::provider::delete(&app, &actor, &slug).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whose metadata to read.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Discovery {
    /// The issuer identifier, an https URL; `https://` may be left out.
    issuer: String,
}

/// Draft a profile from an issuer's metadata
///
/// Reads RFC 8414 or OpenID Connect metadata. Nothing is kept: post the draft to `/providers`.
#[utoipa::path(
    post,
    path = "/providers/discover",
    tag = "providers",
    extensions(("x-permission" = json!(Permission::ProvidersWrite))),
    request_body = Discovery,
    responses(
        (status = 200, description = "A draft", body = Profile),
        (status = 503, description = "The issuer does not answer")
    )
)]
async fn discover(
    State(app): State<App>,
    Caller(actor): Caller,
    Json(body): Json<Discovery>,
) -> Result<Json<Profile>, Problem> {
    Ok(Json(app::provider::discover(&app, &actor, &body.issuer).await?))
}

/// See what a profile may hold
///
/// A JSON Schema (2020-12) of the profiles that `/providers` takes.
#[utoipa::path(
    get,
    path = "/providers/schema",
    tag = "providers",
    extensions(("x-permission" = json!(Permission::ProvidersRead))),
    responses((status = 200, description = "The schema", body = Object))
)]
async fn schema(Caller(actor): Caller) -> Result<Json<serde_json::Value>, Problem> {
    Ok(Json(app::provider::schema(&actor)?))
}
