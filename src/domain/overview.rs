//! What the first page tells at a glance.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    client::Client,
    connection::{Connection, Standing},
};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overview {
    /// The moment all of this was true.
    #[serde(with = "time::serde::rfc3339")]
    pub as_of: OffsetDateTime,
    /// How many connections stand how; those with none are absent.
    pub counts: Vec<(Standing, i64)>,
    /// What needs a human now or next, soonest first.
    pub needs_human: Vec<Connection>,
    /// Clients the provider refuses.
    pub clients_in_trouble: Vec<Client>,
    /// What expires over the time ahead, bucket by bucket.
    pub expiries: Vec<ExpiryBucket>,
    /// The refreshes ahead: how evenly they are spread.
    pub refreshes: RefreshesAhead,
    /// Whether there is a client yet: the first thing to do when there is none.
    pub has_clients: bool,
}

/// How much expires from `from` up to, not including, `until`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct ExpiryBucket {
    #[serde(with = "time::serde::rfc3339")]
    pub from: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub until: OffsetDateTime,
    /// Access tokens that expire.
    pub access: i64,
    /// Refresh tokens that expire.
    pub refresh: i64,
    /// Connections that need a human by then.
    pub needs_human: i64,
}

/// Refreshes that are due over the next day, of clients that are ready.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct RefreshesAhead {
    /// How many are due by now.
    pub overdue: i64,
    pub buckets: Vec<DueBucket>,
}

/// How many refreshes are due from `from` up to, not including, `until`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct DueBucket {
    #[serde(with = "time::serde::rfc3339")]
    pub from: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub until: OffsetDateTime,
    pub due: i64,
}

/// The person who is signed in, as the interface needs to know them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Viewer {
    pub id: Uuid,
    pub email: String,
    pub role: super::access::Role,
}
