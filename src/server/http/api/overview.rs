//! What the dashboard's first page tells.

use std::collections::BTreeMap;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{auth::Caller, connection::Seen, json::Json, problem::Problem, query::Query};
use crate::{
    domain::{access::Permission, client::Client, overview},
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
    /// How many of the living nothing renews, and no end of them is known: they can be over at any time, and
    /// need a human then. Those whose provider says that access tokens have no end are not among them. Not counted
    /// below. They are listed by `standing=alive` with `end=unknown`.
    unseen_ends: i64,
    /// How many of those that are `retrying` have no live access token, so that whoever asks for it gets none. They
    /// are listed by `standing=retrying` with `expires_before`.
    without_token: i64,
    /// How many connections need a human now or within seven days.
    needs_human_count: i64,
    /// Those of them that are told by themselves, soonest first.
    needs_human: Vec<Seen>,
    /// Those of them that are told together: many of one client for the same cause. With
    /// `needs_human` at most a dozen, the soonest.
    needs_human_groups: Vec<overview::NeedsHumanGroup>,
    /// Clients the provider refuses, or has asked for a pause (`paused_until`) that holds connections up.
    clients_in_trouble: Vec<Client>,
    /// What expires over the time ahead, bucket by bucket.
    expiries: Vec<overview::ExpiryBucket>,
    /// The refreshes that are due over the next day, bucket by bucket.
    refreshes: overview::RefreshesAhead,
    /// The refreshes that were tried over the day before, by the half hour and by how they ended. The
    /// last half hour is not over.
    attempts: Vec<overview::AttemptBucket>,
}

/// How far ahead to look.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct OverQuery {
    /// What `expiries` cover: `day` (24 hours, unless said), `month` (what is left of today, and 30 days), `year`
    /// (what is left of this month, and 12 months).
    #[param(inline)]
    over: Option<overview::Scale>,
}

/// See how things stand
#[utoipa::path(
    get,
    path = "/overview",
    tag = "overview",
    extensions(("x-permission" = json!(Permission::ConnectionsRead))),
    params(OverQuery),
    responses((status = 200, description = "How things stand", body = Overview))
)]
async fn get(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(asked): Query<OverQuery>,
) -> Result<Json<Overview>, Problem> {
    let over = asked.over.unwrap_or_default();
    let found = app::overview::get(&app, &actor, over).await?;
    let counts = found.counts.into_iter().map(|(standing, count)| (standing.as_str(), count));
    let seen = |one| Seen::at(one, found.as_of);
    let needs_human = found.needs_human.into_iter().map(seen);
    Ok(Json(Overview {
        as_of: found.as_of,
        counts: counts.collect(),
        unseen_ends: found.unseen_ends,
        without_token: found.without_token,
        needs_human_count: found.needs_human_count,
        needs_human: needs_human.collect(),
        needs_human_groups: found.needs_human_groups,
        clients_in_trouble: found.clients_in_trouble,
        expiries: found.expiries,
        refreshes: found.refreshes,
        attempts: found.attempts,
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
