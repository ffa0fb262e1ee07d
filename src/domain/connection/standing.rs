//! What a person sees of a connection: its own state, or its client's trouble over it.

use serde::{Deserialize, Serialize};

use crate::domain::access::Unknown;

/// How long before *needs a human by* a connection is shown as *soon*.
pub const SOON: time::Duration = time::Duration::days(7);

/// The few words a person sees for a connection: its client's trouble over its own state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "ssr", schema(as = ConnectionStanding))]
pub enum Standing {
    /// It works, and nobody is needed within seven days.
    Alive,
    /// It works, and a person is needed within seven days.
    Soon,
    /// The last refresh came to nothing, and is tried again.
    Retrying,
    /// Only a person can bring it back.
    NeedsPerson,
    /// It waits for its client, which the provider refuses.
    ClientRefused,
    /// It, or its client, was switched off by a person.
    Paused,
    /// Nobody has consented yet.
    Pending,
    Disconnected,
}

impl Standing {
    pub const ALL: [Self; 8] = [
        Self::Alive,
        Self::Soon,
        Self::Retrying,
        Self::NeedsPerson,
        Self::ClientRefused,
        Self::Paused,
        Self::Pending,
        Self::Disconnected,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Soon => "soon",
            Self::Retrying => "retrying",
            Self::NeedsPerson => "needs-person",
            Self::ClientRefused => "client-refused",
            Self::Paused => "paused",
            Self::Pending => "pending",
            Self::Disconnected => "disconnected",
        }
    }

    /// The word on the badge.
    pub fn word(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Soon => "soon",
            Self::Retrying => "retrying",
            Self::NeedsPerson => "needs a person",
            Self::ClientRefused => "client refused",
            Self::Paused => "paused",
            Self::Pending => "waiting for consent",
            Self::Disconnected => "disconnected",
        }
    }
}

impl std::str::FromStr for Standing {
    type Err = Unknown;
    fn from_str(value: &str) -> Result<Self, Unknown> {
        Self::ALL
            .into_iter()
            .find(|standing| standing.as_str() == value)
            .ok_or_else(|| Unknown { noun: "standing", value: value.into() })
    }
}
