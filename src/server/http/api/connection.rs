//! Connections: seeing, making, changing and ending them. What keeps them alive is in [`upkeep`].

mod device;
mod seen;
mod token_reader;
mod upkeep;

use std::collections::BTreeMap;

use axum::{extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    auth::Caller,
    json::{Created, Id, Json, Nothing},
    list::PageQuery,
    problem::Problem,
    query::{Both, Query},
};
use crate::{
    domain::{
        access::Permission,
        connection::{ConnectionFilter, ConnectionPatch, Told},
        device::DeviceAuthorization,
        page::Page,
        problem::FieldProblem,
    },
    server::app::{self, App, connection},
};

pub use seen::Seen;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, update, delete))
        .routes(routes!(disconnect))
        .merge(device::routes())
        .merge(upkeep::routes())
        .merge(token_reader::routes())
}

/// List connections
#[utoipa::path(
    get,
    path = "/connections",
    tag = "connections",
    extensions(("x-permission" = json!(Permission::ConnectionsRead))),
    params(ConnectionFilter, PageQuery),
    responses((status = 200, description = "A page of connections", body = Page<Seen>))
)]
async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(Both(filter, page)): Query<Both<ConnectionFilter, PageQuery>>,
) -> Result<Json<Page<Seen>>, Problem> {
    let found = connection::list(&app, &actor, &filter, &page.paging()?).await?;
    Ok(Json(found.page.map(|one| Seen::at(one, found.as_of))))
}

/// How the connection comes by its tokens.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = NewConnectionGrant)]
pub enum Grant {
    /// From `token_response`.
    #[default]
    Import,
    /// The client is granted access itself (RFC 6749 section 4.4).
    ClientCredentials,
    /// A person consents at `authorization_url`; the connection is pending until then.
    AuthorizationCode,
    /// A person types a code on another device (RFC 8628); the connection is pending until then.
    DeviceCode,
    /// From `subject_token`, which is exchanged for one of the client's own (RFC 8693).
    TokenExchange,
}

/// A connection to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewConnection {
    /// `import` unless said.
    #[serde(default)]
    grant: Grant,
    client_id: Uuid,
    /// What people call it.
    #[serde(default)]
    label: String,
    /// Your own key for it, unique per client. A connection that has it and that nobody ever consented
    /// to is taken over.
    external_id: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
    /// Values of the provider's variables that each connection fills (`filled_by: connection`).
    #[serde(default)]
    variables: BTreeMap<String, String>,
    /// The client's scopes unless said.
    scopes: Option<Vec<String>>,
    /// With `import`, and only then: the token response as the provider gave it. One whose `expires_in` is 0
    /// is over, and is renewed at once where something renews it.
    #[schema(value_type = Option<Object>, write_only)]
    token_response: Option<Value>,
    /// With `import`: when the provider gave it. Expiries count from then; from now unless said.
    #[serde(default, with = "time::serde::rfc3339::option")]
    obtained_at: Option<OffsetDateTime>,
    /// With `token_exchange`, and only then: the token to be exchanged. It is used once and not kept.
    #[schema(write_only)]
    subject_token: Option<String>,
    /// With `token_exchange`: what kind of token that is, a URI of RFC 8693 section 3.
    subject_token_type: Option<String>,
    /// With `token_exchange`: whom the new token is for, by name.
    audience: Option<String>,
    /// With `token_exchange`: whom the new token is for, by address.
    resource: Option<String>,
}

impl NewConnection {
    /// Refuses what belongs to another grant.
    fn check(&self) -> Result<(), Problem> {
        let given = [
            ("token_response", Grant::Import, self.token_response.is_some()),
            ("obtained_at", Grant::Import, self.obtained_at.is_some()),
            ("subject_token", Grant::TokenExchange, self.subject_token.is_some()),
            ("subject_token_type", Grant::TokenExchange, self.subject_token_type.is_some()),
            ("audience", Grant::TokenExchange, self.audience.is_some()),
            ("resource", Grant::TokenExchange, self.resource.is_some()),
        ];
        match given.iter().find(|(_, grant, is_there)| *is_there && *grant != self.grant) {
            Some((field, Grant::Import, _)) => {
                Err(Problem::invalid(*field, "is taken with the grant `import` only"))
            }
            Some((field, ..)) => {
                Err(Problem::invalid(*field, "is taken with the grant `token_exchange` only"))
            }
            None => Ok(()),
        }
    }
}

/// A connection just made.
#[derive(Serialize, ToSchema)]
pub struct CreatedConnection {
    #[serde(flatten)]
    connection: Seen,
    /// Where consent begins: open it in the browser of whoever consents. It works once, for half an
    /// hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    authorization_url: Option<String>,
    /// What to tell the person with the other device.
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<DeviceAuthorization>,
    /// What was taken and is odd: an expiry in `token_response` that can't be read, or that is 0 where nothing
    /// can renew the token.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<FieldProblem>,
}

/// Make a connection
#[utoipa::path(
    post,
    path = "/connections",
    tag = "connections",
    extensions(("x-permission" = json!(Permission::ConnectionsWrite))),
    request_body = NewConnection,
    responses(
        (status = 201, description = "The connection", body = CreatedConnection, headers(("Location"))),
        (status = 409, description = "The provider does not offer this grant"),
        (status = 503, description = "The provider gave no token; or it gave one that is not stored yet, which the message says")
    )
)]
async fn create(
    State(app): State<App>,
    Caller(actor): Caller,
    Json(body): Json<NewConnection>,
) -> Result<Created<CreatedConnection>, Problem> {
    body.check()?;
    let new = connection::NewConnection {
        client_id: body.client_id,
        label: body.label,
        external_id: body.external_id,
        scopes: body.scopes,
        tags: body.tags,
        variables: body.variables,
    };
    let (mut authorization_url, mut device, mut warnings) = (None, None, Vec::new());
    let connection = match body.grant {
        Grant::Import => {
            let response = body.token_response.ok_or_else(|| {
                let message = "must be there: a token response as the provider gave it. Or ask for \
                               another `grant`";
                Problem::invalid("token_response", message)
            })?;
            let obtained_at = body.obtained_at;
            let (made, odd) = connection::import(&app, &actor, new, &response, obtained_at).await?;
            warnings = odd;
            made
        }
        Grant::ClientCredentials => connection::grant_client_credentials(&app, &actor, new).await?,
        Grant::AuthorizationCode => {
            let (connection, url) = connection::flow::create(&app, &actor, new).await?;
            authorization_url = Some(url);
            connection
        }
        Grant::DeviceCode => {
            let (connection, begun) = connection::device::create(&app, &actor, new).await?;
            device = Some(begun);
            connection
        }
        Grant::TokenExchange => {
            let missing = |field| Problem::invalid(field, "must be there with this grant");
            let subject = connection::exchange::Subjected {
                token: body.subject_token.ok_or_else(|| missing("subject_token"))?.into(),
                token_type: body.subject_token_type.ok_or_else(|| missing("subject_token_type"))?,
                audience: body.audience,
                resource: body.resource,
            };
            connection::exchange::create(&app, &actor, new, subject).await?
        }
    };
    let location = format!("/connections/{}", connection.id);
    let connection = Seen::now(&app, connection);
    let created = CreatedConnection { connection, authorization_url, device, warnings };
    Ok(Created(location, created))
}

/// See a connection
#[utoipa::path(
    get,
    path = "/connections/{id}",
    tag = "connections",
    extensions(("x-permission" = json!(Permission::ConnectionsRead))),
    params(("id" = Uuid, Path)),
    responses((status = 200, description = "The connection", body = Seen))
)]
async fn get(
    State(app): State<App>,
    Caller(actor): Caller,
    Id(id): Id,
) -> Result<Json<Seen>, Problem> {
    Ok(Json(Seen::now(&app, connection::get(&app, &actor, id).await?)))
}

/// Change what a connection is called
///
/// And, while it holds no tokens, what it fills into the provider's variables; until the first consent, the
/// scopes that are asked for.
#[utoipa::path(
    patch,
    path = "/connections/{id}",
    tag = "connections",
    extensions(("x-permission" = json!(Permission::ConnectionsWrite))),
    params(("id" = Uuid, Path)),
    request_body = ConnectionPatch,
    responses(
        (status = 200, description = "The connection", body = Seen),
        (status = 409, description = "Tokens would be sent elsewhere, or consent to other scopes was given")
    )
)]
async fn update(
    State(app): State<App>,
    Caller(actor): Caller,
    Id(id): Id,
    Json(patch): Json<ConnectionPatch>,
) -> Result<Json<Seen>, Problem> {
    Ok(Json(Seen::now(&app, connection::update(&app, &actor, id, patch).await?)))
}

/// What is to happen at the provider.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Ending {
    /// Revoke the tokens at the provider too (RFC 7009). When it can't be told, nothing is changed.
    #[serde(default)]
    #[param(default = false, required = false)]
    revoke: bool,
}

/// Disconnect and delete a connection
///
/// Its tokens and its history are gone; the audit log remembers.
#[utoipa::path(
    delete,
    path = "/connections/{id}",
    tag = "connections",
    extensions(("x-permission" = json!(Permission::ConnectionsWrite))),
    params(("id" = Uuid, Path), Ending),
    responses(
        (status = 204, description = "Deleted"),
        (status = 503, description = "The provider could not be told; nothing was changed")
    )
)]
async fn delete(
    State(app): State<App>,
    Caller(actor): Caller,
    Id(id): Id,
    Query(ending): Query<Ending>,
    Nothing: Nothing,
) -> Result<StatusCode, Problem> {
    connection::delete(&app, &actor, id, ending.revoke).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A connection that is over.
#[derive(Serialize, ToSchema)]
struct Disconnected {
    /// What became of the tokens at the provider.
    provider: Told,
}

/// Disconnect a connection
///
/// Its tokens are gone; the connection and its history stay. It can't be authorized again (409,
/// `disconnected`): whoever wants the account back makes another connection.
#[utoipa::path(
    post,
    path = "/connections/{id}/disconnect",
    tag = "connections",
    extensions(("x-permission" = json!(Permission::ConnectionsWrite))),
    params(("id" = Uuid, Path), Ending),
    responses(
        (status = 200, description = "Whether the provider knows", body = Disconnected),
        (status = 503, description = "The provider could not be told; nothing was changed")
    )
)]
async fn disconnect(
    State(app): State<App>,
    Caller(actor): Caller,
    Id(id): Id,
    Query(ending): Query<Ending>,
    Nothing: Nothing,
) -> Result<Json<Disconnected>, Problem> {
    let provider = app::connection::disconnect(&app, &actor, id, ending.revoke).await?;
    Ok(Json(Disconnected { provider }))
}
