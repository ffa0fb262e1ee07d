//! What is read out of a provider's answer.

use serde::{Deserialize, Serialize};

use super::is_default;

/// Where each field of a token response stands. Every list of JSON pointers (RFC 6901) is tried in
/// order; the first that leads to something counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Response {
    /// JSON pointers, one of which must lead to something.
    pub access_token: Vec<String>,
    pub refresh_token: Vec<String>,
    pub id_token: Vec<String>,
    pub token_type: Vec<String>,
    /// A string or an array of strings stands there.
    pub scope: Vec<String>,
    /// Where a scope string is split; white space always splits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope_separator: Option<String>,
    /// When the access token expires. If none of these says so, the token's own `exp` counts when
    /// it is a JWT, and then `lifetimes.access_seconds`.
    pub expiry: Vec<ExpirySource>,
    /// When the refresh token expires. Zero means never.
    pub refresh_expiry: Vec<ExpirySource>,
    /// What else is worth keeping.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extras: Vec<Extra>,
    #[serde(skip_serializing_if = "is_default")]
    pub account: AccountIdentity,
}

impl Default for Response {
    fn default() -> Self {
        let one = |pointer: &str| vec![pointer.to_owned()];
        let auto = |pointer: &str| ExpirySource { pointer: pointer.into(), form: ExpiryForm::Auto };
        Self {
            access_token: one("/access_token"),
            refresh_token: one("/refresh_token"),
            id_token: one("/id_token"),
            token_type: one("/token_type"),
            scope: one("/scope"),
            scope_separator: None,
            expiry: vec![auto("/expires_in")],
            refresh_expiry: vec![auto("/refresh_token_expires_in"), auto("/refresh_expires_in")],
            extras: Vec::new(),
            account: AccountIdentity::default(),
        }
    }
}

/// A place that may tell an expiry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct ExpirySource {
    pub pointer: String,
    #[serde(default, skip_serializing_if = "is_default")]
    pub form: ExpiryForm,
}

/// How an expiry is written. A number may stand in a string in every numeric form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema), schema(default = ExpiryForm::default))]
pub enum ExpiryForm {
    /// By its size: below 1 000 000 000 seconds from now; then seconds since 1970, also of a time that
    /// is over; from 100 000 000 000 milliseconds since 1970. Text that is no number is a date.
    #[default]
    Auto,
    /// Seconds from when the request was sent (RFC 6749 section 5.1).
    Seconds,
    EpochSeconds,
    EpochMillis,
    /// RFC 3339, RFC 2822, or `2026-01-31 12:00:00`, which is taken as UTC.
    Date,
    /// The `exp` of the JWT that stands there.
    Jwt,
}

/// A value to keep beside the tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Extra {
    /// The name it is kept under.
    pub name: String,
    pub pointer: String,
    /// Whether it is as secret as a token: no person sees it, only programs that may read tokens.
    #[serde(default, skip_serializing_if = "is_default")]
    pub encrypted: bool,
}

/// Whose account it is. Each list is tried in order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct AccountIdentity {
    /// What tells two accounts apart and never changes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub id: Vec<AccountSource>,
    /// What its owner would recognise: an email address, a company's name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub label: Vec<AccountSource>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct AccountSource {
    pub from: IdentityOrigin,
    pub pointer: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub enum IdentityOrigin {
    /// A claim of the id token.
    IdToken,
    /// A claim of the access token, when it is a JWT.
    AccessToken,
    /// The token response itself.
    Response,
    /// The answer of the userinfo endpoint.
    Userinfo,
    /// One of the variables, by its name: for a service whose account is what the address names.
    Variable,
}
