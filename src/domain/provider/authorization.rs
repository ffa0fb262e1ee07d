//! How the account's owner is asked.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Parameter, is_default};

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
    /// What the provider calls the parameters of its answer.
    #[serde(skip_serializing_if = "is_default")]
    pub callback: Callback,
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
            callback: Callback::default(),
            iss_required: false,
        }
    }
}

/// Other names for the parameters with which the browser comes back (RFC 6749 section 4.1.2).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Callback {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Callback {
    pub fn code(&self) -> &str {
        self.code.as_deref().unwrap_or("code")
    }

    pub fn state(&self) -> &str {
        self.state.as_deref().unwrap_or("state")
    }

    pub fn error(&self) -> &str {
        self.error.as_deref().unwrap_or("error")
    }
}

/// The proof that who redeems a code is who asked for it (RFC 7636).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema), schema(default = Pkce::default))]
pub enum Pkce {
    #[default]
    S256,
    #[serde(rename = "plain")]
    Plain,
    #[serde(rename = "off")]
    Off,
}
