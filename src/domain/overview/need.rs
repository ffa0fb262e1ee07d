//! What needs a human, told by its cause where one cause explains many.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::{
    client,
    connection::{ConnectionFilter, Reason, Sort, Standing, StateName},
};

/// So many connections of one client for the same cause are told in one line.
pub const MANY: i64 = 4;

/// Connections of one client that need a human now or soon, all for the same cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct NeedsHumanGroup {
    pub client_id: Uuid,
    pub client_name: String,
    pub client_state: client::StateName,
    /// The state they share; `null`: they wait for their client, whatever state they are in.
    pub state: Option<StateName>,
    /// Why only a person can bring them back, where that is so.
    pub reason: Option<Reason>,
    pub count: i64,
    /// When a human is or was needed first,
    #[serde(with = "time::serde::rfc3339")]
    pub first_at: OffsetDateTime,
    /// and last.
    #[serde(with = "time::serde::rfc3339")]
    pub last_at: OffsetDateTime,
    /// What lists them.
    pub filter: ConnectionFilter,
}

/// What connections have in common that are told together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cause {
    pub client_id: Uuid,
    pub state: Option<StateName>,
    pub reason: Option<Reason>,
}

impl Cause {
    /// What lists them: those that need a human before `soon`.
    pub fn filter(self, soon: OffsetDateTime) -> ConnectionFilter {
        ConnectionFilter {
            client: Some(self.client_id),
            state: self.state,
            reason: self.reason,
            needs_human_before: Some(soon),
            sort: Some(Sort::NeedsHumanBy),
            ..ConnectionFilter::default()
        }
    }
}

impl NeedsHumanGroup {
    /// How each of them stands.
    pub fn standing(&self) -> Standing {
        match self.state {
            None => Standing::ClientRefused,
            Some(StateName::NeedsReauth) => Standing::NeedsPerson,
            Some(StateName::Retrying | StateName::InDoubt) => Standing::Retrying,
            Some(StateName::Pending) => Standing::Pending,
            Some(StateName::Disconnected) => Standing::Disconnected,
            Some(StateName::Active) => Standing::Soon,
        }
    }

    /// Whether consent given anew helps, or would help once it is too late.
    pub fn can_be_relinked(&self) -> bool {
        matches!(self.standing(), Standing::NeedsPerson | Standing::Soon)
    }
}
