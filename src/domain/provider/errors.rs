//! How a provider's refusals are understood.

use serde::{Deserialize, Serialize};

use crate::domain::refusal::ErrorClass;

/// How refusals are understood. The standard codes are known without a rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Errors {
    /// Pointers to the error's code.
    pub code: Vec<String>,
    /// Pointers to the error's text.
    pub description: Vec<String>,
    /// The provider's own errors; the first rule that fits wins, also over the standard ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<ErrorRule>,
}

impl Default for Errors {
    fn default() -> Self {
        let list = |pointers: &[&str]| pointers.iter().map(|&each| each.to_owned()).collect();
        Self {
            code: list(&[
                "/error",
                "/error/code",
                "/error/type",
                "/error_code",
                "/errors/0/code",
                "/errors/0/error",
            ]),
            description: list(&[
                "/error_description",
                "/error/message",
                "/error/description",
                "/message",
                "/error_message",
                "/errors/0/detail",
                "/errors/0/message",
                "/errors/0/title",
            ]),
            rules: Vec::new(),
        }
    }
}

/// One kind of refusal. All conditions that are given must hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct ErrorRule {
    /// The HTTP status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The error's code, whatever its case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Something stands at this pointer …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// … and is this: a string, or a number or truth value written as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equals: Option<String>,
    /// The body contains this text, whatever its case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What it means, which decides what happens next.
    pub class: ErrorClass,
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
