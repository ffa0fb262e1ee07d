//! What a provider says of tokens that it gave (RFC 7662). It changes nothing: a refresh decides.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// How the provider says that a connection's tokens are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Introspection {
    pub access_token: TokenStatus,
    /// Null where there is none.
    pub refresh_token: Option<TokenStatus>,
    #[serde(with = "time::serde::rfc3339")]
    pub asked_at: OffsetDateTime,
}

/// How one token is (RFC 7662 section 2.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct TokenStatus {
    /// Whether it works at this moment.
    pub active: bool,
    /// Null when the provider does not say.
    #[serde(with = "time::serde::rfc3339::option")]
    pub expires_at: Option<OffsetDateTime>,
    /// Empty when the provider does not say.
    pub scopes: Vec<String>,
}

/// What both together mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    Alive,
    /// The access token works no more, but another can be had.
    Renewable,
    /// The access token still works, and no other can be had.
    LastOne,
    Dead,
}

impl Liveness {
    pub const ALL: [Self; 4] = [Self::Alive, Self::Renewable, Self::LastOne, Self::Dead];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Renewable => "renewable",
            Self::LastOne => "last_one",
            Self::Dead => "dead",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|liveness| liveness.as_str() == name)
    }
}

impl Introspection {
    pub fn liveness(&self) -> Liveness {
        let renews = self.refresh_token.as_ref().map(|token| token.active);
        match (self.access_token.active, renews) {
            (true, None | Some(true)) => Liveness::Alive,
            (false, Some(true)) => Liveness::Renewable,
            (true, Some(false)) => Liveness::LastOne,
            (false, None | Some(false)) => Liveness::Dead,
        }
    }
}
