//! What the dashboard's first page tells.

use std::collections::BTreeMap;

use axum::extract::State;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{auth::Caller, json::Json, problem::Problem};
use crate::{
    domain::{access::Permission, client::Client, connection::Connection, overview},
    server::app::{self, App},
};

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(get)).routes(routes!(redirect_uri))
}

/// How things stand.
#[derive(Serialize, ToSchema)]
pub struct Overview {
    /// The moment all of this was true.
    #[serde(with = "time::serde::rfc3339")]
    as_of: OffsetDateTime,
    /// How many connections stand how: `alive`, `soon`, `retrying`, `needs-person`,
    /// `client-refused`, `paused`, `pending`, `disconnected`. Those with none are absent.
    counts: BTreeMap<&'static str, i64>,
    /// What needs a human now or next, soonest first; at most a dozen.
    needs_human: Vec<Connection>,
    /// Clients the provider refuses.
    clients_in_trouble: Vec<Client>,
    /// What expires over the time ahead, bucket by bucket.
    expiries: Vec<overview::ExpiryBucket>,
    /// The refreshes that are due over the next day, bucket by bucket.
    refreshes: overview::RefreshesAhead,
}

/// See how things stand
#[utoipa::path(
    get,
    path = "/overview",
    tag = "overview",
    extensions(("x-permission" = json!(Permission::ConnectionsRead))),
    responses((status = 200, description = "How things stand", body = Overview))
)]
async fn get(State(app): State<App>, Caller(actor): Caller) -> Result<Json<Overview>, Problem> {
    let found = app::overview::get(&app, &actor).await?;
    let counts = found.counts.into_iter().map(|(standing, count)| (standing.as_str(), count));
    Ok(Json(Overview {
        as_of: found.as_of,
        counts: counts.collect(),
        needs_human: found.needs_human,
        clients_in_trouble: found.clients_in_trouble,
        expiries: found.expiries,
        refreshes: found.refreshes,
    }))
}

/// What to register at providers.
#[derive(Serialize, ToSchema)]
pub struct RedirectUri {
    redirect_uri: String,
}

/// See the redirect URI
///
/// The one redirect URI of every client, to be registered at the provider.
#[utoipa::path(
    get,
    path = "/redirect-uri",
    tag = "overview",
    extensions(("x-permission" = json!(null))),
    responses((status = 200, description = "The redirect URI", body = RedirectUri))
)]
async fn redirect_uri(State(app): State<App>, _: Caller) -> Json<RedirectUri> {
    Json(RedirectUri { redirect_uri: app.redirect_uri() })
}
