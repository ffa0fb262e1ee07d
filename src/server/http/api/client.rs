//! Clients. Secrets go in and never come out.

use std::collections::BTreeMap;

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
    domain::{access::Permission, check::CredentialCheck, client, client::Client, page::Page},
    server::app::{self, App},
};

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, update, delete))
        .routes(routes!(check))
}

/// List clients
///
/// The oldest first.
#[utoipa::path(
    get,
    path = "/clients",
    tag = "clients",
    extensions(("x-permission" = json!(Permission::ClientsRead))),
    params(PageQuery),
    responses((status = 200, description = "A page of clients", body = Page<Client>))
)]
async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<Client>>, Problem> {
    let all = app::client::list(&app, &actor).await?;
    Ok(Json(page.cut(all, |client| client.id.to_string())?))
}

/// A registration to be kept.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewClient {
    /// The provider's slug.
    provider: String,
    /// What people call it.
    name: String,
    /// `client_id` of RFC 6749 section 2.2.
    oauth_client_id: String,
    /// The secret, or the private key in PEM where the provider's profile asks for one.
    #[schema(write_only)]
    client_secret: Option<String>,
    /// Empty: the provider's default scopes.
    #[serde(default)]
    scopes: Vec<String>,
    /// Values of the provider's variables.
    #[serde(default)]
    variables: BTreeMap<String, String>,
}

/// Register a client
#[utoipa::path(
    post,
    path = "/clients",
    tag = "clients",
    extensions(("x-permission" = json!(Permission::ClientsWrite))),
    request_body = NewClient,
    responses((status = 201, description = "The client", body = Client, headers(("Location"))))
)]
async fn create(
    State(app): State<App>,
    Caller(actor): Caller,
    Json(body): Json<NewClient>,
) -> Result<Created<Client>, Problem> {
    let new = app::client::NewClient {
        provider: body.provider,
        name: body.name,
        oauth_client_id: body.oauth_client_id,
        client_secret: body.client_secret.map(Into::into),
        scopes: body.scopes,
        variables: body.variables,
    };
    let made = app::client::create(&app, &actor, new).await?;
    Ok(Created(format!("/clients/{}", made.id), made))
}

/// See a client
#[utoipa::path(
    get,
    path = "/clients/{id}",
    tag = "clients",
    extensions(("x-permission" = json!(Permission::ClientsRead))),
    params(("id" = Uuid, Path)),
    responses((status = 200, description = "The client", body = Client))
)]
async fn get(
    State(app): State<App>,
    Caller(actor): Caller,
    Id(id): Id,
) -> Result<Json<Client>, Problem> {
    Ok(Json(app::client::get(&app, &actor, id).await?))
}

/// What is changed on a client; absent fields stay.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientPatch {
    name: Option<String>,
    oauth_client_id: Option<String>,
    /// Replaces the secret; connections that waited for it resume.
    #[schema(write_only)]
    client_secret: Option<String>,
    scopes: Option<Vec<String>>,
    /// All values anew. Where the client has a secret, other values demand it anew: they can change
    /// where it is sent.
    variables: Option<BTreeMap<String, String>>,
    /// While a client is switched off, none of its connections is refreshed.
    disabled: Option<bool>,
}

/// Change a client
#[utoipa::path(
    patch,
    path = "/clients/{id}",
    tag = "clients",
    extensions(("x-permission" = json!(Permission::ClientsWrite))),
    params(("id" = Uuid, Path)),
    request_body = ClientPatch,
    responses(
        (status = 200, description = "The client", body = Client),
        (status = 409, description = "Tokens would be sent elsewhere")
    )
)]
async fn update(
    State(app): State<App>,
    Caller(actor): Caller,
    Id(id): Id,
    Json(body): Json<ClientPatch>,
) -> Result<Json<Client>, Problem> {
    let patch = client::ClientPatch {
        name: body.name,
        oauth_client_id: body.oauth_client_id,
        scopes: body.scopes,
        variables: body.variables,
        disabled: body.disabled,
    };
    let secret = body.client_secret.map(Into::into);
    Ok(Json(app::client::update(&app, &actor, id, patch, secret).await?))
}

/// Delete a client
///
/// Refused while it has connections that are not disconnected.
#[utoipa::path(
    delete,
    path = "/clients/{id}",
    tag = "clients",
    extensions(("x-permission" = json!(Permission::ClientsWrite))),
    params(("id" = Uuid, Path)),
    responses(
        (status = 204, description = "Deleted"),
        (status = 409, description = "It has connections")
    )
)]
async fn delete(
    State(app): State<App>,
    Caller(actor): Caller,
    Id(id): Id,
    Nothing: Nothing,
) -> Result<StatusCode, Problem> {
    app::client::delete(&app, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Check a client's credentials
///
/// Asks the provider whether it accepts the client id and secret, by the ways that its profile has, with
/// made-up tokens and codes: no grant is touched, and nothing is changed. A client without connections may
/// be granted a token of its own, which is not kept. Several requests may be made; they count against the
/// client's limits.
#[utoipa::path(
    post,
    path = "/clients/{id}/check",
    tag = "clients",
    extensions(("x-permission" = json!(Permission::ClientsWrite))),
    params(("id" = Uuid, Path)),
    responses(
        (status = 200, description = "What was found", body = CredentialCheck),
        (status = 409, description = "The client was changed meanwhile"),
        (status = 503, description = "The client's limits leave no room now")
    )
)]
async fn check(
    State(app): State<App>,
    Caller(actor): Caller,
    Id(id): Id,
    Nothing: Nothing,
) -> Result<Json<CredentialCheck>, Problem> {
    Ok(Json(app::client::check::run(&app, &actor, id).await?))
}
