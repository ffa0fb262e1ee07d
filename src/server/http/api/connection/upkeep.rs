//! What keeps a connection alive, and the token that comes of it.

use std::collections::BTreeMap;

use axum::extract::State;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::{Duration, OffsetDateTime};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    domain::{access::Permission, attempt::Attempt, introspection::Introspection, page::Page},
    server::{
        app::{App, api_key, connection},
        http::api::{
            auth::{Caller, Presented},
            connection::Seen,
            json::{Id, Json, Nothing},
            list::PageQuery,
            problem::Problem,
            query::Query,
        },
    },
};

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(token))
        .routes(routes!(refresh))
        .routes(routes!(introspect))
        .routes(routes!(pause))
        .routes(routes!(resume))
        .routes(routes!(attempts))
        .routes(routes!(authorize))
}

/// How much life the token must have.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct TokenQuery {
    /// In seconds; 0 unless said.
    #[serde(default)]
    #[param(default = 0, required = false)]
    min_ttl: u32,
}

/// Whether to join.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct RefreshQuery {
    /// Make a request of its own, after whatever is under way.
    #[serde(default)]
    #[param(default = false, required = false)]
    force: bool,
}

/// A live access token.
#[derive(Serialize, ToSchema)]
pub struct AccessToken {
    #[schema(read_only)]
    access_token: String,
    /// How to present it; mostly `Bearer`.
    token_type: String,
    /// Null when the provider does not say.
    #[serde(with = "time::serde::rfc3339::option")]
    expires_at: Option<OffsetDateTime>,
    scopes: Vec<String>,
    /// Grows by one with each token set.
    generation: i64,
    /// What the provider said beside its tokens, by the names of its profile: an address to call, a
    /// tenant.
    extras: BTreeMap<String, Value>,
}

/// Pause a connection
///
/// It is not refreshed by itself until it is resumed. A token that lives is given all the same, and
/// whoever asks for a refresh gets one. What needs a person has nothing that could rest.
#[utoipa::path(
    post,
    path = "/connections/{id}/pause",
    tag = "connections",
    extensions(("x-permission" = json!(Permission::ConnectionsWrite))),
    params(("id" = Uuid, Path)),
    responses(
        (status = 200, description = "The connection", body = Seen),
        (
            status = 409,
            description = "It is dead and needs a person (`reauth_required`), or was disconnected (`disconnected`)"
        )
    )
)]
async fn pause(
    State(app): State<App>,
    Caller(actor): Caller,
    Id(id): Id,
    Nothing: Nothing,
) -> Result<Json<Seen>, Problem> {
    Ok(Json(Seen::now(&app, connection::pause(&app, &actor, id).await?)))
}

/// Resume a connection
///
/// It is kept alive again.
#[utoipa::path(
    post,
    path = "/connections/{id}/resume",
    tag = "connections",
    extensions(("x-permission" = json!(Permission::ConnectionsWrite))),
    params(("id" = Uuid, Path)),
    responses(
        (status = 200, description = "The connection", body = Seen),
        (status = 409, description = "It was disconnected (`disconnected`)")
    )
)]
async fn resume(
    State(app): State<App>,
    Caller(actor): Caller,
    Id(id): Id,
    Nothing: Nothing,
) -> Result<Json<Seen>, Problem> {
    Ok(Json(Seen::now(&app, connection::resume(&app, &actor, id, None).await?)))
}

/// Get a live access token
///
/// It is refreshed first if it has less than `min_ttl` seconds left, of which no more count than
/// four fifths of a fresh token's life. If that fails and the token still lives, it is given all the
/// same: look at `expires_at`.
#[utoipa::path(
    get,
    path = "/connections/{id}/token",
    tag = "connections",
    extensions(("x-permission" = json!(Permission::TokensRead))),
    params(("id" = Uuid, Path), TokenQuery),
    responses(
        (status = 200, description = "The token", body = AccessToken),
        (status = 409, description = "A person is needed (`reauth_required`), or there is no token"),
        (status = 503, description = "The token is dead and can't be refreshed at present; `Retry-After` says when the next try is made")
    )
)]
async fn token(
    State(app): State<App>,
    Presented(key): Presented,
    id: Result<Id, Problem>,
    query: Result<Query<TokenQuery>, Problem>,
) -> Result<Json<AccessToken>, Problem> {
    let asked = id.and_then(|Id(id)| query.map(|Query(query)| (id, query.min_ttl)));
    let (id, min_ttl) = match asked {
        Ok(asked) => asked,
        // Who is not known is told that, and not what else is wrong.
        Err(problem) => {
            Box::pin(api_key::authenticate(&app, &key)).await?;
            return Err(problem);
        }
    };
    let live = connection::token_for_key(&app, &key, id, Duration::seconds(min_ttl.into())).await?;
    Ok(Json(AccessToken {
        access_token: live.access_token.expose_secret().to_owned(),
        token_type: live.token_type,
        expires_at: live.expires_at,
        scopes: live.scopes,
        generation: live.generation,
        extras: live.extras.into_iter().collect(),
    }))
}

/// Refresh now
///
/// Joins a refresh that is under way, unless `force` asks for a request of its own, made after that. The
/// answer is the attempt; its `verdict` says how it went.
#[utoipa::path(
    post,
    path = "/connections/{id}/refresh",
    tag = "connections",
    extensions(("x-permission" = json!(Permission::ConnectionsRefresh))),
    params(("id" = Uuid, Path), RefreshQuery),
    responses(
        (status = 200, description = "The attempt", body = Attempt),
        (status = 409, description = "A person is needed (`reauth_required`), or there is nothing to refresh"),
        (status = 503, description = "A refresh under way takes long, or Regrant is shutting down")
    )
)]
async fn refresh(
    State(app): State<App>,
    Caller(actor): Caller,
    Id(id): Id,
    Query(query): Query<RefreshQuery>,
    Nothing: Nothing,
) -> Result<Json<Attempt>, Problem> {
    Ok(Json(match query.force {
        true => connection::refresh_anew(&app, &actor, id).await?,
        false => connection::refresh(&app, &actor, id).await?,
    }))
}

/// Ask the provider how the tokens are
///
/// What the provider says (RFC 7662) changes nothing: only a refresh can prove a grant dead.
#[utoipa::path(
    post,
    path = "/connections/{id}/introspect",
    tag = "connections",
    extensions(("x-permission" = json!(Permission::ConnectionsRefresh))),
    params(("id" = Uuid, Path)),
    responses(
        (status = 200, description = "What the provider says", body = Introspection),
        (status = 409, description = "The provider can't be asked, or there is no token"),
        (status = 503, description = "The provider did not answer, or refused to")
    )
)]
async fn introspect(
    State(app): State<App>,
    Caller(actor): Caller,
    Id(id): Id,
    Nothing: Nothing,
) -> Result<Json<Introspection>, Problem> {
    Ok(Json(connection::introspect(&app, &actor, id).await?))
}

/// List attempts
///
/// The newest first.
#[utoipa::path(
    get,
    path = "/connections/{id}/attempts",
    tag = "connections",
    extensions(("x-permission" = json!(Permission::ConnectionsRead))),
    params(("id" = Uuid, Path), PageQuery),
    responses((status = 200, description = "A page of attempts", body = Page<Attempt>))
)]
async fn attempts(
    State(app): State<App>,
    Caller(actor): Caller,
    Id(id): Id,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<Attempt>>, Problem> {
    Ok(Json(connection::attempts(&app, &actor, id, &page.paging()?).await?))
}

/// Where consent begins.
#[derive(Serialize, ToSchema)]
pub struct AuthorizationUrl {
    /// Open it in the browser of whoever consents. It works once, for half an hour.
    authorization_url: String,
}

/// Authorize a connection again, in place
///
/// Same connection, next generation; another account is refused. Where nobody knows whose account it is (`account_id`
/// is null), whoever consents becomes it.
#[utoipa::path(
    post,
    path = "/connections/{id}/authorize",
    tag = "connections",
    extensions(("x-permission" = json!(Permission::ConnectionsWrite))),
    params(("id" = Uuid, Path)),
    responses(
        (status = 200, description = "Where consent begins", body = AuthorizationUrl),
        (status = 409, description = "This connection needs no consent")
    )
)]
async fn authorize(
    State(app): State<App>,
    Caller(actor): Caller,
    Id(id): Id,
    Nothing: Nothing,
) -> Result<Json<AuthorizationUrl>, Problem> {
    let authorization_url = connection::authorize(&app, &actor, id).await?;
    Ok(Json(AuthorizationUrl { authorization_url }))
}
