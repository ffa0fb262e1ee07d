//! Who or what read a connection's token.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::access::Unknown;

/// What a reader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub enum ReaderKind {
    /// A program.
    ApiKey,
    /// A person to whom it was revealed.
    User,
}

impl ReaderKind {
    pub const ALL: [Self; 2] = [Self::ApiKey, Self::User];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::ApiKey => "api_key",
            Self::User => "user",
        }
    }
}

impl std::str::FromStr for ReaderKind {
    type Err = Unknown;
    fn from_str(value: &str) -> Result<Self, Unknown> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == value)
            .ok_or_else(|| Unknown { noun: "kind of reader", value: value.into() })
    }
}

/// One reader of a connection's token, and how often it read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct TokenReader {
    pub kind: ReaderKind,
    /// The API key's or the user's. It may be gone by now.
    pub id: Uuid,
    /// What it was called when it last read: the key's name, the person's e-mail.
    pub name: String,
    #[serde(with = "time::serde::rfc3339")]
    pub first_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub last_at: OffsetDateTime,
    pub reads: i64,
}
