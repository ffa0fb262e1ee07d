//! The audit log: who did what to what, and when.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct AuditEntry {
    pub id: Uuid,
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// `user`, `api_key`, `relink`, `system`, `operator` (the command line) or `anonymous`.
    pub actor_kind: String,
    pub actor_id: Option<Uuid>,
    /// The person's e-mail, the key's name …
    pub actor_label: String,
    /// `noun.verb`, e.g. `connection.disconnect`.
    pub action: String,
    pub subject_id: Option<String>,
    pub subject_label: String,
    /// What changed, without secrets.
    pub detail: serde_json::Value,
}

/// Which entries to list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "ssr", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "ssr", into_params(parameter_in = Query))]
pub struct AuditFilter {
    /// The beginning of an action, e.g. `connection` or `connection.refresh`. `relink` also brings what customers
    /// did by a relink.
    pub action: Option<String>,
    /// The id of what was acted upon.
    pub subject: Option<String>,
    /// Part of the actor's label. What was done by a relink was done by `the customer`, not by whoever made it.
    pub actor: Option<String>,
    /// What was done at this moment or after it.
    #[serde(with = "time::serde::rfc3339::option")]
    pub from: Option<OffsetDateTime>,
    /// What was done before this moment.
    #[serde(with = "time::serde::rfc3339::option")]
    pub before: Option<OffsetDateTime>,
}
