//! Where a connection stands. The state carries its data, so that no reader can show "retrying" without
//! saying when.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::{access::Unknown, refusal::ErrorClass};

/// Why only a person can bring a connection back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub enum Reason {
    /// The provider refused the refresh token: consent withdrawn, password changed, grant deleted.
    Revoked,
    /// The refresh token outlived what the provider allows.
    RefreshTokenExpired,
    /// An answer with a new refresh token was lost on the way, and the old one is refused.
    RotationLost,
    /// The access token ran out and the provider never gave a refresh token.
    NoRefreshToken,
    /// Another account than the connection's gave consent.
    AccountMismatch,
    /// The provider no longer grants the scopes the client asks for.
    ScopeMissing,
}

impl Reason {
    pub const ALL: [Self; 6] = [
        Self::Revoked,
        Self::RefreshTokenExpired,
        Self::RotationLost,
        Self::NoRefreshToken,
        Self::AccountMismatch,
        Self::ScopeMissing,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::RefreshTokenExpired => "refresh_token_expired",
            Self::RotationLost => "rotation_lost",
            Self::NoRefreshToken => "no_refresh_token",
            Self::AccountMismatch => "account_mismatch",
            Self::ScopeMissing => "scope_missing",
        }
    }
}

impl std::str::FromStr for Reason {
    type Err = Unknown;
    fn from_str(value: &str) -> Result<Self, Unknown> {
        Self::ALL
            .into_iter()
            .find(|reason| reason.as_str() == value)
            .ok_or_else(|| Unknown { noun: "reason", value: value.into() })
    }
}

/// Where a connection stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "ssr", schema(as = ConnectionState))]
pub enum State {
    /// Made, but no account has given consent yet.
    Pending,
    /// Holds a token set that works as far as we know.
    Active,
    /// The last refresh failed in a way that passes; tried again at `next_at`.
    Retrying {
        attempts: u32,
        #[serde(with = "time::serde::rfc3339")]
        next_at: OffsetDateTime,
        last_error: ErrorClass,
    },
    /// A request was sent and its answer lost: the provider may have rotated the refresh token.
    InDoubt { attempt_id: Uuid },
    /// Only a person can bring it back.
    NeedsReauth {
        reason: Reason,
        #[serde(with = "time::serde::rfc3339")]
        since: OffsetDateTime,
    },
    /// Disconnected on purpose; nothing is kept alive.
    Disconnected,
}

/// The name of a [`State`], without its data: what a filter can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "ssr", schema(as = ConnectionStateName))]
pub enum StateName {
    Pending,
    Active,
    Retrying,
    InDoubt,
    NeedsReauth,
    Disconnected,
}

impl StateName {
    pub const ALL: [Self; 6] = [
        Self::Active,
        Self::Retrying,
        Self::InDoubt,
        Self::NeedsReauth,
        Self::Pending,
        Self::Disconnected,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Retrying => "retrying",
            Self::InDoubt => "in_doubt",
            Self::NeedsReauth => "needs_reauth",
            Self::Disconnected => "disconnected",
        }
    }
}

impl std::str::FromStr for StateName {
    type Err = Unknown;
    fn from_str(value: &str) -> Result<Self, Unknown> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == value)
            .ok_or_else(|| Unknown { noun: "state", value: value.into() })
    }
}

impl State {
    pub fn name(&self) -> StateName {
        match self {
            Self::Pending => StateName::Pending,
            Self::Active => StateName::Active,
            Self::Retrying { .. } => StateName::Retrying,
            Self::InDoubt { .. } => StateName::InDoubt,
            Self::NeedsReauth { .. } => StateName::NeedsReauth,
            Self::Disconnected => StateName::Disconnected,
        }
    }
}
