//! How to talk to one authorization server, as data.
//!
//! OAuth servers agree on the RFC and then each does something else. All that differs stands in a
//! [`Profile`], so that no provider's name stands in code: a preset is a file, a custom provider is
//! a form. This module says what a profile is and whether it makes sense; `server::provider` acts
//! on it.
//!
//! Three kinds of strings occur. A *template* is text with `{name}` in it, filled from the
//! profile's variables and the built-in names ([`template`]). A *pointer* is a JSON pointer
//! (RFC 6901) into a response. Everything else is taken as it stands.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::refusal::ErrorClass;

mod request;
mod response;
pub mod template;
mod validate;

pub use request::{
    Authentication, AuthenticationMethod, Encoding, Method, Parameter, Place, Request,
    RequestOverride,
};
pub use response::{
    AccountIdentity, AccountSource, ErrorRule, Errors, ExpiryForm, ExpirySource, Extra,
    IdentityOrigin, Response,
};
pub use validate::{FieldError, is_slug};

/// The version of the profile format that this build writes and reads.
pub const SCHEMA_VERSION: u32 = 1;

/// One authorization server's dialect, lifetimes and policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Profile {
    /// The version of this format.
    #[serde(default = "schema_version")]
    pub schema_version: u32,
    /// The stable short name: `[a-z0-9-]{1,64}`.
    pub slug: String,
    /// The name people know the service by.
    pub name: String,
    /// What the service is for, as one lower-case word: `accounting`, `calendar`, `crm` …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// What whoever registers a client should know: limits, oddities, the redirect URI's rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub links: Links,
    /// The issuer identifier (RFC 8414 section 2), a template. When it is there, the `iss` of a
    /// callback (RFC 9207) and of an id token must equal it byte for byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// The client id that the provider gives to everybody, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_client_id: Option<String>,
    /// What each client fills in, in the order of the form.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<Variable>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub endpoints: Endpoints,
    /// How a connection can begin. Importing a token response is always possible besides.
    #[serde(default = "default_grants")]
    pub grants: Vec<GrantType>,
    /// How a connection is kept alive.
    #[serde(default, skip_serializing_if = "is_default")]
    pub renewal: Renewal,
    #[serde(default, skip_serializing_if = "is_default")]
    pub authorization: Authorization,
    #[serde(default, skip_serializing_if = "is_default")]
    pub request: Request,
    #[serde(default, skip_serializing_if = "is_default")]
    pub response: Response,
    #[serde(default, skip_serializing_if = "is_default")]
    pub userinfo: UserInfo,
    #[serde(default, skip_serializing_if = "is_default")]
    pub errors: Errors,
    #[serde(default, skip_serializing_if = "is_default")]
    pub lifetimes: Lifetimes,
    #[serde(default, skip_serializing_if = "is_default")]
    pub policy: Policy,
}

impl Profile {
    /// A profile of nothing but a name: every other field has its default.
    pub fn new(slug: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            slug: slug.into(),
            name: name.into(),
            category: None,
            notes: None,
            links: Links::default(),
            issuer: None,
            default_client_id: None,
            variables: Vec::new(),
            endpoints: Endpoints::default(),
            grants: default_grants(),
            renewal: Renewal::default(),
            authorization: Authorization::default(),
            request: Request::default(),
            response: Response::default(),
            userinfo: UserInfo::default(),
            errors: Errors::default(),
            lifetimes: Lifetimes::default(),
            policy: Policy::default(),
        }
    }

    pub fn allows(&self, grant: GrantType) -> bool {
        self.grants.contains(&grant)
    }

    /// Whether some token request proves who the client is by a secret or a key.
    pub fn needs_client_secret(&self) -> bool {
        [Call::Exchange, Call::Refresh, Call::ClientCredentials, Call::Revocation]
            .into_iter()
            .any(|call| self.request.authentication(call).method.needs_secret())
    }

    pub fn variable(&self, name: &str) -> Option<&Variable> {
        self.variables.iter().find(|variable| variable.name == name)
    }
}

/// Where people read on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Links {
    /// The provider's documentation of its token endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docs: Option<String>,
    /// The page where one registers a client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub register_client: Option<String>,
}

/// A value that a client or a connection fills in, so that one profile serves every region,
/// tenant or environment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Variable {
    /// What stands between the braces of a template: `[a-z][a-z0-9_]*`.
    pub name: String,
    pub label: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// A regular expression that the whole value must match. Without one, and without choices, a
    /// value may hold letters, digits, `.`, `_` and `-` only, so that it can't leave its place in
    /// a URL; a variable that begins a URL may hold an https URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// The values there are, when they are known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Choice>,
    /// May stay empty; an endpoint whose variable is empty is then absent.
    #[serde(default, skip_serializing_if = "is_default")]
    pub optional: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub filled_by: FilledBy,
}

/// One of a variable's values, with its name for people.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Choice {
    pub value: String,
    pub label: String,
}

/// Whose value a variable is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub enum FilledBy {
    #[default]
    Client,
    Connection,
}

/// Where the provider is reached: templates that fill to absolute URLs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Endpoints {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Where refresh requests go, if not to the token endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh: Option<String>,
    /// RFC 7009.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocation: Option<String>,
    /// RFC 7662.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub introspection: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub userinfo: Option<String>,
    /// RFC 8628.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_authorization: Option<String>,
}

impl Endpoints {
    /// Each endpoint with its field's name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("authorization", &self.authorization),
            ("token", &self.token),
            ("refresh", &self.refresh),
            ("revocation", &self.revocation),
            ("introspection", &self.introspection),
            ("userinfo", &self.userinfo),
            ("device_authorization", &self.device_authorization),
        ]
        .into_iter()
        .filter_map(|(name, template)| Some((name, template.as_deref()?)))
    }
}

/// How a connection begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub enum GrantType {
    AuthorizationCode,
    ClientCredentials,
    DeviceCode,
    TokenExchange,
}

/// How a connection is kept alive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub enum Renewal {
    #[default]
    RefreshToken,
    /// Asks for a new grant with the client's own credentials.
    ClientCredentials,
    /// Not at all: a person is needed when the access token expires.
    None,
}

/// What a request to the provider is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    Exchange,
    Refresh,
    ClientCredentials,
    Revocation,
    Introspection,
    Device,
    TokenExchange,
}

/// The request that the account's owner carries to the provider in a browser.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Authorization {
    pub pkce: Pkce,
    /// Stands between two scopes, here and wherever scopes are sent.
    pub scope_separator: String,
    /// The scopes a new client's form begins with.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub default_scopes: Vec<String>,
    /// Other names for the standard parameters. Only `name` and `omit` have a meaning here.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, Parameter>,
    /// Parameters to add: `access_type = "offline"`. The values are templates.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: BTreeMap<String, String>,
    /// The provider promises an `iss` in every callback (RFC 9207), so that one without it is
    /// refused.
    pub iss_required: bool,
}

impl Default for Authorization {
    fn default() -> Self {
        Self {
            pkce: Pkce::default(),
            scope_separator: " ".into(),
            default_scopes: Vec::new(),
            parameters: BTreeMap::new(),
            extra: BTreeMap::new(),
            iss_required: false,
        }
    }
}

/// The proof that who redeems a code is who asked for it (RFC 7636).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub enum Pkce {
    #[default]
    S256,
    #[serde(rename = "plain")]
    Plain,
    #[serde(rename = "off")]
    Off,
}

/// The call that tells whose account it is, when the token response does not.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct UserInfo {
    /// GET unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<Method>,
    /// Headers to add; the access token goes as `Authorization: Bearer`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// A body to send as JSON, for an interface that is queried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<String>,
}

/// How long tokens live where the response is silent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Lifetimes {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_seconds: Option<u64>,
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
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
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
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
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
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub enum RevokedBy {
    /// The refresh token, then the access token.
    #[default]
    Both,
    RefreshToken,
    AccessToken,
}

fn schema_version() -> u32 {
    SCHEMA_VERSION
}

fn default_grants() -> Vec<GrantType> {
    vec![GrantType::AuthorizationCode]
}

pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// The class of a standard error code (RFC 6749 sections 4.1.2.1 and 5.2, RFC 6750, RFC 8628,
/// RFC 8707, OpenID Connect Core section 3.1.2.6), whatever its case. A profile's own rules come
/// first.
pub fn standard_class(code: &str) -> Option<ErrorClass> {
    const TABLE: &[(&str, ErrorClass)] = &[
        ("invalid_grant", ErrorClass::GrantRefused),
        ("expired_token", ErrorClass::GrantRefused),
        ("interaction_required", ErrorClass::GrantRefused),
        ("consent_required", ErrorClass::GrantRefused),
        ("login_required", ErrorClass::GrantRefused),
        ("account_selection_required", ErrorClass::GrantRefused),
        ("invalid_client", ErrorClass::ClientRefused),
        ("unauthorized_client", ErrorClass::ClientRefused),
        ("invalid_scope", ErrorClass::ScopeRefused),
        ("insufficient_scope", ErrorClass::ScopeRefused),
        ("invalid_request", ErrorClass::RequestRefused),
        ("invalid_target", ErrorClass::RequestRefused),
        ("access_denied", ErrorClass::RequestRefused),
        ("unsupported_grant_type", ErrorClass::RequestRefused),
        ("unsupported_response_type", ErrorClass::RequestRefused),
        ("unsupported_token_type", ErrorClass::RequestRefused),
        ("slow_down", ErrorClass::RateLimited),
        ("server_error", ErrorClass::Transient),
        ("temporarily_unavailable", ErrorClass::Transient),
        ("authorization_pending", ErrorClass::Transient),
    ];
    TABLE.iter().find(|(known, _)| known.eq_ignore_ascii_case(code)).map(|(_, class)| *class)
}

#[cfg(test)]
mod tests;
