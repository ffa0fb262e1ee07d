//! How the account's owner is asked.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Parameter;

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
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema), schema(default = Pkce::default))]
pub enum Pkce {
    #[default]
    S256,
    #[serde(rename = "plain")]
    Plain,
    #[serde(rename = "off")]
    Off,
}
