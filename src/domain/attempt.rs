//! An attempt: one refresh tried, from intent to verdict.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{access::Unknown, refusal::ErrorClass};

/// Who wanted the refresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub enum Trigger {
    /// The worker, because it was due.
    Schedule,
    /// A person or program asked for it.
    Manual,
    /// A reader of the access token needed more life in it.
    Demand,
    /// Regrant, to see whether a provider goes on refusing.
    Canary,
    /// Regrant, to see whether the client's next secret works.
    Rehearsal,
}

impl Trigger {
    pub const ALL: [Self; 5] =
        [Self::Schedule, Self::Manual, Self::Demand, Self::Canary, Self::Rehearsal];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::Manual => "manual",
            Self::Demand => "demand",
            Self::Canary => "canary",
            Self::Rehearsal => "rehearsal",
        }
    }
}

impl std::str::FromStr for Trigger {
    type Err = Unknown;
    fn from_str(value: &str) -> Result<Self, Unknown> {
        Self::ALL
            .into_iter()
            .find(|trigger| trigger.as_str() == value)
            .ok_or_else(|| Unknown { noun: "trigger", value: value.into() })
    }
}

/// How the attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub enum Verdict {
    /// A new token set is stored.
    Refreshed,
    /// It failed in a way that passes; it is tried again.
    Postponed,
    /// Sent, and its answer lost.
    InDoubt,
    /// The grant is dead; a person is needed.
    Condemned,
    /// It was refused, and so were unusually many others: whether the grant is dead is not decided.
    Suspended,
    /// The client was refused; the connection waits for it.
    ClientRefused,
    /// Someone else's token set was newer; this answer changed nothing.
    Superseded,
}

impl Verdict {
    pub const ALL: [Self; 7] = [
        Self::Refreshed,
        Self::Postponed,
        Self::InDoubt,
        Self::Condemned,
        Self::Suspended,
        Self::ClientRefused,
        Self::Superseded,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refreshed => "refreshed",
            Self::Postponed => "postponed",
            Self::InDoubt => "in_doubt",
            Self::Condemned => "condemned",
            Self::Suspended => "suspended",
            Self::ClientRefused => "client_refused",
            Self::Superseded => "superseded",
        }
    }
}

impl std::str::FromStr for Verdict {
    type Err = Unknown;
    fn from_str(value: &str) -> Result<Self, Unknown> {
        Self::ALL
            .into_iter()
            .find(|verdict| verdict.as_str() == value)
            .ok_or_else(|| Unknown { noun: "verdict", value: value.into() })
    }
}

/// One row of a connection's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Attempt {
    pub id: Uuid,
    pub connection_id: Uuid,
    pub trigger: Trigger,
    #[serde(with = "time::serde::rfc3339")]
    pub started_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    pub finished_at: Option<OffsetDateTime>,
    /// `None` while it runs, or for ever if its holder died.
    pub verdict: Option<Verdict>,
    pub error_class: Option<ErrorClass>,
    /// HTTP status of the provider's answer.
    pub status: Option<u16>,
    /// The provider's error code, e.g. `invalid_grant`.
    pub error_code: Option<String>,
    pub error_description: Option<String>,
    pub generation_before: i64,
    pub generation_after: Option<i64>,
    /// Keyed hash of the refresh token that was sent.
    pub fingerprint_before: Option<String>,
    pub fingerprint_after: Option<String>,
    /// The replica that made it.
    pub replica: String,
}

impl Attempt {
    /// How long the provider took, in milliseconds.
    pub fn latency_ms(&self) -> Option<i64> {
        self.finished_at
            .map(|end| (end - self.started_at).whole_milliseconds())
            .and_then(|ms| i64::try_from(ms).ok())
    }
}
