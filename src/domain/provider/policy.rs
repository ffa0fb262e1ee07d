//! How long tokens live and how careful one must be with them.

use serde::{Deserialize, Serialize};

use super::is_default;

/// How long tokens live where the response is silent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Lifetimes {
    /// Of an access token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_seconds: Option<u64>,
    /// Of a refresh token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_seconds: Option<u64>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub refresh_kind: RefreshLifetime,
    /// A refresh token that is not used for so long dies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_idle_seconds: Option<u64>,
}

/// From when `refresh_seconds` counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema), schema(default = RefreshLifetime::default))]
pub enum RefreshLifetime {
    /// From the last token response: a connection that is refreshed lives on.
    #[default]
    Sliding,
    /// From the consent: a person is needed when it is over, however often it was refreshed.
    Fixed,
}

/// What the provider allows and how careful one must be.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Policy {
    #[serde(default, skip_serializing_if = "is_default")]
    pub rotation: Rotation,
    /// How long a replaced refresh token still works, where the provider says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_seconds: Option<u64>,
    /// How long before its expiry an access token is refreshed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin_seconds: Option<u64>,
    /// Token requests count against a limit: refresh as late as is safe.
    #[serde(default, skip_serializing_if = "is_default")]
    pub refresh_late: bool,
    /// How many token requests of one client may be under way at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// How many token requests one client may make in a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_minute: Option<u32>,
    /// Which tokens the revocation endpoint takes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub revoked_by: RevokedBy,
    /// A new client secret kills every grant of the client: warn before replacing it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub replacing_secret_revokes_grants: bool,
}

/// Whether a refresh gives a new refresh token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema), schema(default = Rotation::default))]
pub enum Rotation {
    /// Each refresh token works once.
    Always,
    /// A new one comes at times; also what is assumed when nothing is known.
    #[default]
    Sometimes,
    Never,
}

/// Which of a grant's tokens are sent to be revoked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema), schema(default = RevokedBy::default))]
pub enum RevokedBy {
    /// The refresh token, then the access token.
    #[default]
    Both,
    RefreshToken,
    AccessToken,
}
