//! How requests to the token endpoint and its neighbours are put.
//!
//! What all requests share stands once; each call may override it. An override's single values
//! replace the shared ones, its maps are laid over them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Call, is_default};

/// What all requests share, and what each call does otherwise.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Request {
    #[serde(default, skip_serializing_if = "is_default")]
    pub authentication: Authentication,
    #[serde(default, skip_serializing_if = "is_default")]
    pub encoding: Encoding,
    /// Other names and places for the standard parameters: `grant_type`, `code`, `redirect_uri`,
    /// `refresh_token`, `scope`, `client_id`, `client_secret` and the like.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, Parameter>,
    /// Parameters to add to the body. The values are templates.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: BTreeMap<String, String>,
    /// Headers to add. The values are templates.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Parameters to add to the URL's query. The values are templates.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub query: BTreeMap<String, String>,
    /// Redeeming an authorization code.
    #[serde(default, skip_serializing_if = "is_default")]
    pub exchange: RequestOverride,
    #[serde(default, skip_serializing_if = "is_default")]
    pub refresh: RequestOverride,
    #[serde(default, skip_serializing_if = "is_default")]
    pub client_credentials: RequestOverride,
    #[serde(default, skip_serializing_if = "is_default")]
    pub revocation: RequestOverride,
    #[serde(default, skip_serializing_if = "is_default")]
    pub introspection: RequestOverride,
    /// Asking for a device code and a user code (RFC 8628 section 3.1).
    #[serde(default, skip_serializing_if = "is_default")]
    pub device: RequestOverride,
    /// Asking whether the person with the user code has decided (RFC 8628 section 3.4).
    #[serde(default, skip_serializing_if = "is_default")]
    pub device_token: RequestOverride,
    /// RFC 8693.
    #[serde(default, skip_serializing_if = "is_default")]
    pub token_exchange: RequestOverride,
}

impl Request {
    pub fn for_call(&self, call: Call) -> &RequestOverride {
        match call {
            Call::Exchange => &self.exchange,
            Call::Refresh => &self.refresh,
            Call::ClientCredentials => &self.client_credentials,
            Call::Revocation => &self.revocation,
            Call::Introspection => &self.introspection,
            Call::Device => &self.device,
            Call::DeviceToken => &self.device_token,
            Call::TokenExchange => &self.token_exchange,
        }
    }

    pub fn authentication(&self, call: Call) -> &Authentication {
        self.for_call(call).authentication.as_ref().unwrap_or(&self.authentication)
    }

    pub fn encoding(&self, call: Call) -> Encoding {
        self.for_call(call).encoding.unwrap_or(self.encoding)
    }

    pub fn parameter(&self, call: Call, name: &str) -> Option<&Parameter> {
        self.for_call(call).parameters.get(name).or_else(|| self.parameters.get(name))
    }

    /// The added body parameters of `call`: its own, then the shared ones it does not replace.
    pub fn extra(&self, call: Call) -> impl Iterator<Item = (&str, &str)> {
        layered(&self.for_call(call).extra, &self.extra)
    }

    pub fn headers(&self, call: Call) -> impl Iterator<Item = (&str, &str)> {
        layered(&self.for_call(call).headers, &self.headers)
    }

    pub fn query(&self, call: Call) -> impl Iterator<Item = (&str, &str)> {
        layered(&self.for_call(call).query, &self.query)
    }

    /// Each call's override with its field's name.
    pub fn overrides(&self) -> [(&'static str, &RequestOverride); 8] {
        [
            ("exchange", &self.exchange),
            ("refresh", &self.refresh),
            ("client_credentials", &self.client_credentials),
            ("revocation", &self.revocation),
            ("introspection", &self.introspection),
            ("device", &self.device),
            ("device_token", &self.device_token),
            ("token_exchange", &self.token_exchange),
        ]
    }
}

fn layered<'a>(
    over: &'a BTreeMap<String, String>,
    under: &'a BTreeMap<String, String>,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    over.iter()
        .chain(under.iter().filter(|(name, _)| !over.contains_key(*name)))
        .map(|(name, value)| (name.as_str(), value.as_str()))
}

/// What one call does otherwise.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct RequestOverride {
    /// POST unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<Method>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication: Option<Authentication>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<Encoding>,
    /// Laid over what all requests have, as are the maps below.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, Parameter>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub query: BTreeMap<String, String>,
    /// Whether the scopes are sent along. Only client credentials, device authorizations and token
    /// exchanges send them unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send_scope: Option<bool>,
}

/// The parameters that have a meaning and may be renamed or moved.
pub const STANDARD_PARAMETERS: [&str; 17] = [
    "grant_type",
    "code",
    "redirect_uri",
    "code_verifier",
    "refresh_token",
    "scope",
    "token",
    "token_type_hint",
    "device_code",
    "subject_token",
    "subject_token_type",
    "audience",
    "resource",
    "client_id",
    "client_secret",
    "client_assertion_type",
    "client_assertion",
];

/// The parameters of the authorization request that may be renamed or left out.
pub const AUTHORIZATION_PARAMETERS: [&str; 9] = [
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
    "nonce",
    "login_hint",
];

/// What becomes of a standard parameter.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Parameter {
    /// The name it goes by, if another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub place: Place,
    /// A fixed value in place of the standard one, for a grant type with a name of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// Where a parameter stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema), schema(default = Place::default))]
pub enum Place {
    #[default]
    Body,
    Header,
    Query,
    /// Nowhere: it is not sent.
    Omit,
}

/// How a body is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema), schema(default = Encoding::default))]
pub enum Encoding {
    /// `application/x-www-form-urlencoded`, what RFC 6749 asks for.
    #[default]
    Form,
    Json,
    Multipart,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema), schema(default = Method::default))]
pub enum Method {
    #[default]
    Post,
    Get,
    Put,
    Patch,
    Delete,
}

/// How the client proves who it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Authentication {
    #[serde(default)]
    pub method: AuthenticationMethod,
    /// For `headers`: the headers to send. The values are templates that also know
    /// `{client_secret}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// For `private_key_jwt`: RS256 (the default), RS384, RS512, PS256, PS384, PS512, ES256, ES384
    /// or EdDSA. For `client_secret_jwt`: HS256 (the default), HS384 or HS512.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<String>,
    /// For the signed methods: who the assertion is for, a template. The issuer if there is one,
    /// else the token endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// For `private_key_jwt`: the `kid` of the key, a template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema), schema(default = AuthenticationMethod::default))]
pub enum AuthenticationMethod {
    /// HTTP Basic over the form-urlencoded id and secret (RFC 6749 section 2.3.1).
    #[default]
    Basic,
    /// HTTP Basic over the id and secret as they are; real servers disagree, and each rejects the
    /// other's way.
    BasicRaw,
    /// `client_id` and `client_secret` among the parameters.
    Post,
    /// A public client: `client_id` alone among the parameters.
    None,
    /// An assertion signed with the client's private key (RFC 7523), which is kept as the client's
    /// secret in PEM.
    PrivateKeyJwt,
    /// An assertion signed with the client's secret (RFC 7523).
    ClientSecretJwt,
    /// Headers of the provider's own, and nothing among the parameters.
    Headers,
}

impl AuthenticationMethod {
    pub fn needs_secret(self) -> bool {
        !matches!(self, Self::None)
    }
}
