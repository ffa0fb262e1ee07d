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

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

mod authorization;
mod errors;
pub mod form;
mod pasted;
mod policy;
mod request;
mod response;
pub mod template;
mod validate;
mod variable;

pub use authorization::{Authorization, Callback, Pkce};
pub use errors::{ErrorRule, Errors, standard_class};
pub use policy::{
    IncidentPolicy, Lifetimes, Policy, RefreshLifetime, RevokedBy, Rotation, WithoutExpiry,
};
pub use request::{
    Authentication, AuthenticationMethod, Encoding, Method, Parameter, Place, Request,
    RequestOverride,
};
pub use response::{
    AccountIdentity, AccountSource, ExpiryForm, ExpirySource, Extra, IdentityOrigin, Response,
};
pub use validate::{FieldError, is_slug};
pub use variable::{Choice, FilledBy, Variable, merged};

/// The version of the profile format that this build writes and reads.
pub const SCHEMA_VERSION: u32 = 1;

/// One authorization server's dialect, lifetimes and policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Profile {
    /// The version of this format.
    #[serde(default = "schema_version")]
    #[cfg_attr(feature = "ssr", schema(default = schema_version))]
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
    #[cfg_attr(feature = "ssr", schema(content_media_type = "text/plain"))]
    pub notes: Option<String>,
    /// Other words by which people look for it: its products, its former name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keywords: Vec<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub links: Links,
    /// The issuer identifier (RFC 8414 section 2), a template. When it is there, the `iss` of a
    /// callback (RFC 9207) and of an id token must equal it byte for byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// The client id that the provider gives to everybody, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_client_id: Option<String>,
    /// What each client, or each connection, fills in, in the order of the form.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<Variable>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub endpoints: Endpoints,
    /// How a connection can begin. Importing a token response is always possible besides.
    #[serde(default = "default_grants")]
    #[cfg_attr(feature = "ssr", schema(default = default_grants))]
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

/// Whether a provider's access tokens end: what is told of a connection that nothing renews depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AccessTokens {
    /// They do, whether it says when or not.
    Ending,
    Endless,
}

impl AccessTokens {
    /// `endless`: the providers whose access tokens have no end.
    pub fn of(provider: &str, endless: &BTreeSet<String>) -> Self {
        if endless.contains(provider) { Self::Endless } else { Self::Ending }
    }
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
            keywords: Vec::new(),
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

    /// Whether it fits any server: each client writes in which it is.
    pub fn is_for_any_server(&self) -> bool {
        let token = self.endpoints.token.as_deref().unwrap_or_default();
        let whole = |variable: &Variable| token == format!("{{{}}}", variable.name);
        self.variables.iter().any(|variable| variable.choices.is_empty() && whole(variable))
    }

    /// Whether its access tokens have no end: it says so (`without_expiry`) or renews none, and gives no
    /// `access_seconds`. Some responses write zero, or less, for no end.
    pub fn is_endless(&self) -> bool {
        let is_said = self.lifetimes.without_expiry == WithoutExpiry::Endless;
        (is_said || self.renewal == Renewal::None) && self.lifetimes.access_seconds.is_none()
    }

    pub fn access_tokens(&self) -> AccessTokens {
        if self.is_endless() { AccessTokens::Endless } else { AccessTokens::Ending }
    }

    pub fn allows(&self, grant: GrantType) -> bool {
        self.grants.contains(&grant)
    }

    /// Whether some token request proves who the client is by a secret or a key.
    pub fn needs_client_secret(&self) -> bool {
        self.authentications().any(|one| one.method.needs_secret())
    }

    /// How the client proves who it is, in each request that it may make.
    pub fn authentications(&self) -> impl Iterator<Item = &Authentication> {
        let device =
            self.allows(GrantType::DeviceCode).then_some([Call::Device, Call::DeviceToken]);
        let exchange = self.allows(GrantType::TokenExchange).then_some(Call::TokenExchange);
        [Call::Exchange, Call::Refresh, Call::ClientCredentials, Call::Revocation]
            .into_iter()
            .chain(device.into_iter().flatten())
            .chain(exchange)
            .map(|call| self.request.authentication(call))
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

/// Where the provider is reached: templates that fill to absolute URLs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Endpoints {
    /// Where the account's owner is sent to consent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization: Option<String>,
    /// Where codes and refresh tokens are redeemed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Where refresh requests go, if not to the token endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh: Option<String>,
    /// Where tokens are revoked (RFC 7009).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocation: Option<String>,
    /// Where tokens are looked up (RFC 7662).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub introspection: Option<String>,
    /// Tells whose account it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub userinfo: Option<String>,
    /// Where a code for another device is asked for (RFC 8628).
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
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema), schema(default = Renewal::default))]
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
    /// Asking for a device code and a user code (RFC 8628 section 3.1).
    Device,
    /// Asking whether the person has decided (RFC 8628 section 3.4).
    DeviceToken,
    TokenExchange,
}

/// The call that tells whose account it is, when the token response does not.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct UserInfo {
    /// GET unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<Method>,
    /// How the access token is presented; `Authorization: Bearer` unless said otherwise.
    #[serde(default, skip_serializing_if = "is_default")]
    pub token: Presentation,
    /// Headers to add.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// A body to send as JSON, for an interface that is queried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ssr", schema(content_media_type = "application/json"))]
    pub json: Option<String>,
}

/// How an access token is presented (RFC 6750 section 2).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Presentation {
    #[serde(default, skip_serializing_if = "is_default")]
    pub place: TokenPlace,
    /// The header's name, or the parameter's: `Authorization` and `access_token` unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What stands before the token in a header. Unless said, `Bearer` in `Authorization` and nothing
    /// in a header of another name; empty: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheme: Option<String>,
}

/// Where an access token is presented.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema), schema(default = TokenPlace::default))]
pub enum TokenPlace {
    #[default]
    Header,
    Query,
}

impl Presentation {
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(match self.place {
            TokenPlace::Header => "Authorization",
            TokenPlace::Query => "access_token",
        })
    }

    /// What stands before the token in a header, if anything does.
    pub fn scheme(&self) -> Option<&str> {
        let usual = self.name().eq_ignore_ascii_case("authorization").then_some("Bearer");
        self.scheme.as_deref().or(usual).filter(|scheme| !scheme.is_empty())
    }
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

#[cfg(test)]
mod tests;
