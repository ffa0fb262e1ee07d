//! What a person sees of a connection: its own state, or its client's trouble over it.

use serde::{Deserialize, Serialize};

/// How long before *needs a human by* a connection is shown as *soon*.
pub const SOON: time::Duration = time::Duration::days(7);

/// The few words a person sees for a connection (DESIGN section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    Alive,
    Soon,
    Retrying,
    NeedsPerson,
    ClientRefused,
    Paused,
    Pending,
    Disconnected,
}

impl Standing {
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
