//! Filters of the list of connections that somebody gave a name.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::connection::ConnectionFilter;

/// How many one person may keep.
pub const MOST: i64 = 50;

/// A filter by its name. Whoever saved it sees it, and nobody else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct SavedFilter {
    pub id: Uuid,
    pub name: String,
    pub filter: ConnectionFilter,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}
