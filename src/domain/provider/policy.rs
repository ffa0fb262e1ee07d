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
    /// What it means where neither the response nor `access_seconds` says when an access token ends: `expires_in` is
    /// only recommended (RFC 6749, section 5.1).
    #[serde(default, skip_serializing_if = "is_default")]
    pub without_expiry: WithoutExpiry,
    /// Of a refresh token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_seconds: Option<u64>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub refresh_kind: RefreshLifetime,
    /// A refresh token that is not used for so long dies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_idle_seconds: Option<u64>,
}

/// What is known of an access token that came without an expiry, and done about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema), schema(default = WithoutExpiry::default))]
pub enum WithoutExpiry {
    /// It has an end that nobody told, so it is refreshed as if it lived for an hour.
    #[default]
    Refresh,
    /// It may have an end, but a refresh costs something: it is refreshed when a refresh is asked for, not when its
    /// token is.
    Leave,
    /// It has no end, though a refresh token may come with it.
    Endless,
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
    /// When refusals are no deaths but an incident, and what proves the opposite.
    #[serde(default, skip_serializing_if = "is_default")]
    pub incident: IncidentPolicy,
}

/// When an unusual share of one client's connections is refused in a short time, none of them is
/// condemned until that is confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct IncidentPolicy {
    /// It is an incident when at least so many of a hundred connections that were refreshed or
    /// refused within the window were refused …
    #[cfg_attr(feature = "ssr", schema(minimum = 1, maximum = 100))]
    pub share_percent: u32,
    /// … and at least so many in number.
    #[cfg_attr(feature = "ssr", schema(minimum = 1))]
    pub count: u32,
    /// The window's length.
    #[cfg_attr(feature = "ssr", schema(minimum = 60, maximum = 86400))]
    pub window_seconds: u64,
    /// How long after its beginning one of the refused connections is tried again; if that is
    /// refused too, the next comes after twice the time, up to an hour.
    #[cfg_attr(feature = "ssr", schema(minimum = 10, maximum = 86400))]
    pub canary_seconds: u64,
    /// After so many tries that were refused again, each refused connection is tried once more and
    /// condemned if it is refused then, provided that the provider granted others while it refused
    /// these. 0: never; an admin decides.
    pub confirmations: u32,
    /// Not sooner after the beginning than this.
    #[cfg_attr(feature = "ssr", schema(maximum = 2592000))]
    pub confirm_seconds: u64,
}

impl Default for IncidentPolicy {
    fn default() -> Self {
        Self {
            share_percent: 20,
            count: 5,
            window_seconds: 600,
            canary_seconds: 120,
            confirmations: 4,
            confirm_seconds: 1800,
        }
    }
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
