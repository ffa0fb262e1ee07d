//! A device authorization (RFC 8628): consent that is given on another device, by whoever types a
//! short code there.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::access::Unknown;

/// How a device authorization stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub enum DeviceState {
    /// Nobody has decided yet.
    Waiting,
    /// Consent was given and its tokens are stored.
    Done,
    /// The person said no.
    Denied,
    /// Nobody decided in time.
    Expired,
    /// Another account than the connection's gave consent; nothing was changed.
    WrongAccount,
    /// The provider refused, or an answer of its was lost.
    Failed,
}

impl DeviceState {
    pub const ALL: [Self; 6] =
        [Self::Waiting, Self::Done, Self::Denied, Self::Expired, Self::WrongAccount, Self::Failed];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Done => "done",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::WrongAccount => "wrong_account",
            Self::Failed => "failed",
        }
    }
}

impl std::str::FromStr for DeviceState {
    type Err = Unknown;
    fn from_str(value: &str) -> Result<Self, Unknown> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == value)
            .ok_or_else(|| Unknown { noun: "device state", value: value.into() })
    }
}

/// What is told to the person who gives consent, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct DeviceAuthorization {
    pub state: DeviceState,
    /// What to type there.
    pub user_code: String,
    /// Where to type it.
    pub verification_uri: String,
    /// The same with the code in it, where the provider offers that.
    pub verification_uri_complete: Option<String>,
    /// Every so many seconds Regrant asks whether it is done.
    pub interval_seconds: u32,
    /// What the provider said, when it said no.
    pub detail: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// Until when the code can be typed.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
}
