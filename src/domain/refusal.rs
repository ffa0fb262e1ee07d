//! Why a provider did not give what was asked of it, reduced to what Regrant does about it
//! (DESIGN section 3, point 6).

use serde::{Deserialize, Serialize};

/// The class of a failed call to a provider. The class alone decides what happens next; the
/// provider's own words are kept beside it for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub enum ErrorClass {
    /// The grant itself is refused: `invalid_grant` (RFC 6749 section 5.2). Only a person helps.
    GrantRefused,
    /// The client is refused: `invalid_client`, `unauthorized_client`. No connection is to blame.
    ClientRefused,
    /// The provider asks for fewer or other scopes: `invalid_scope`, `insufficient_scope`.
    ScopeRefused,
    /// The provider says our request is malformed or unsupported: `invalid_request`,
    /// `unsupported_grant_type`. The profile or the registration is wrong; retried slowly.
    RequestRefused,
    /// The provider asks us to slow down: 429, or 503 with `Retry-After`.
    RateLimited,
    /// Nothing was decided and the request cannot have been acted upon, or the provider says so:
    /// 408, 425, 5xx, connection refused, TLS or DNS failure.
    Transient,
    /// The request was sent and no readable answer came back: timeout or reset after sending,
    /// truncated body, HTML in place of JSON. The provider may have rotated the token.
    AnswerLost,
}

impl ErrorClass {
    pub const ALL: [Self; 7] = [
        Self::GrantRefused,
        Self::ClientRefused,
        Self::ScopeRefused,
        Self::RequestRefused,
        Self::RateLimited,
        Self::Transient,
        Self::AnswerLost,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::GrantRefused => "grant_refused",
            Self::ClientRefused => "client_refused",
            Self::ScopeRefused => "scope_refused",
            Self::RequestRefused => "request_refused",
            Self::RateLimited => "rate_limited",
            Self::Transient => "transient",
            Self::AnswerLost => "answer_lost",
        }
    }
}

impl std::str::FromStr for ErrorClass {
    type Err = super::access::Unknown;
    fn from_str(value: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|class| class.as_str() == value)
            .ok_or_else(|| super::access::Unknown { noun: "error class", value: value.into() })
    }
}
