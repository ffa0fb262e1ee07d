//! Jobs: one action on many connections, which outlives whoever asked for it.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    access::{Permission, Unknown},
    connection::{ConnectionFilter, Standing, filter_or_none},
    relink::Stage,
};

/// What is done with each connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "ssr", schema(as = JobAction))]
pub enum Action {
    /// Refreshes now.
    Refresh,
    /// Makes a one-time link; the outcomes hold the links.
    Relink,
    /// Is not refreshed by itself any more.
    Pause,
    /// Is kept alive again.
    Resume,
    /// Gets a tag.
    Tag,
    /// Loses a tag.
    Untag,
    /// Its tokens are forgotten.
    Disconnect,
}

impl Action {
    pub const ALL: [Self; 7] = [
        Self::Refresh,
        Self::Relink,
        Self::Pause,
        Self::Resume,
        Self::Tag,
        Self::Untag,
        Self::Disconnect,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refresh => "refresh",
            Self::Relink => "relink",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Tag => "tag",
            Self::Untag => "untag",
            Self::Disconnect => "disconnect",
        }
    }

    /// What the action asks for where one connection is concerned, and so a job of it.
    pub fn permission(self) -> Permission {
        match self {
            Self::Refresh => Permission::ConnectionsRefresh,
            Self::Relink => Permission::ConnectionsRelink,
            Self::Pause | Self::Resume | Self::Tag | Self::Untag | Self::Disconnect => {
                Permission::ConnectionsWrite
            }
        }
    }

    pub fn takes_tag(self) -> bool {
        matches!(self, Self::Tag | Self::Untag)
    }
}

impl std::str::FromStr for Action {
    type Err = Unknown;
    fn from_str(value: &str) -> Result<Self, Unknown> {
        Self::ALL
            .into_iter()
            .find(|action| action.as_str() == value)
            .ok_or_else(|| Unknown { noun: "action", value: value.into() })
    }
}

/// A job to be done: on the connections of `ids`, on all that `filter` lets through, or on the
/// stragglers of another job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct NewJob {
    pub action: Action,
    /// These connections, at most 1000.
    #[serde(default)]
    pub ids: Option<Vec<Uuid>>,
    /// All connections that it lets through when the job is made.
    #[serde(default, deserialize_with = "filter_or_none")]
    pub filter: Option<ConnectionFilter>,
    /// Those of this job of relinks whose link was not used, also if it expired or was revoked; but
    /// nobody who is at the provider just now. One of this, `ids` and `filter`.
    #[serde(default)]
    pub stragglers_of: Option<Uuid>,
    /// What to call it.
    #[serde(default)]
    pub name: Option<String>,
    /// With `tag` and `untag`: the tag.
    #[serde(default)]
    pub tag: Option<String>,
    /// With `disconnect`: revoke the tokens at the provider too (RFC 7009).
    #[serde(default)]
    pub revoke: bool,
    /// With `relink`: ask for the scopes that the client asks for today, too, and not only for those
    /// that the connection asked for when it was made. A job on stragglers does as theirs did.
    #[serde(default)]
    pub client_scopes: bool,
    /// How many connections its maker has in mind. When it would work on another number, no job is
    /// made (409, `changed`).
    #[serde(default)]
    pub expected_total: Option<i64>,
    /// The `digest` of the selection that its maker was shown, by a preview. When it would work on
    /// others, no job is made (409, `changed`).
    #[serde(default)]
    pub expected: Option<String>,
    /// Of its maker's choice, one for each job they mean: when they send the same once more, no second
    /// job is made, and the first is the answer. Sent with another action, tag or choice, it is refused
    /// (409, `changed`).
    #[serde(default)]
    pub key: Option<Uuid>,
}

impl NewJob {
    /// A job on nothing yet.
    pub fn of(action: Action) -> Self {
        Self {
            action,
            ids: None,
            filter: None,
            stragglers_of: None,
            name: None,
            tag: None,
            revoke: false,
            client_scopes: false,
            expected_total: None,
            expected: None,
            key: None,
        }
    }
}

/// What a job would work on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Selection {
    /// How many connections.
    pub total: i64,
    /// Of which clients, the most first.
    pub clients: Vec<Share>,
    /// Another one when others are chosen, also if they are as many. A job with it as `expected` is made
    /// only while it is the same.
    pub digest: String,
    /// For links: the names of those clients that are refused or switched off. No link of theirs can work
    /// before that is mended, so none is made.
    pub refused: Vec<String>,
    /// How many stand how; those standings in which there are any.
    pub standings: Vec<StandingCount>,
    /// For how many it can be done as they stand now. Why the others are left out stands in their outcomes.
    pub possible: i64,
    /// For links: of how many of those that can get one nobody knows whose account it is. Whoever gives consent
    /// by such a link becomes the connection's account.
    pub unknown_accounts: i64,
}

/// How many of what is chosen stand in one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "ssr", schema(as = SelectionStanding))]
pub struct StandingCount {
    pub standing: Standing,
    pub count: i64,
}

/// What a person is asked to confirm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    pub selection: Selection,
    /// Makes the job that follows the only one, however often the form is sent.
    pub key: Uuid,
}

/// How many of a job's connections are one client's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "ssr", schema(as = SelectionShare))]
pub struct Share {
    pub client_id: Uuid,
    pub client: String,
    pub count: i64,
    /// For how many of them it can be done as they stand now.
    pub possible: i64,
    /// For links: of how many of those nobody knows whose account it is.
    pub unknown_accounts: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub enum JobState {
    /// Under way, or waiting for a worker. One whose worker died is taken up by another.
    Running,
    /// Every connection has its outcome.
    Done,
    /// Somebody stopped it, or whoever asked for it may do so no longer. What was done stays.
    Stopped,
}

impl std::str::FromStr for JobState {
    type Err = Unknown;
    fn from_str(value: &str) -> Result<Self, Unknown> {
        match value {
            "running" => Ok(Self::Running),
            "done" => Ok(Self::Done),
            "stopped" => Ok(Self::Stopped),
            other => Err(Unknown { noun: "job state", value: other.into() }),
        }
    }
}

/// A job, under way or over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Job {
    pub id: Uuid,
    pub action: Action,
    pub name: Option<String>,
    pub tag: Option<String>,
    pub revoke: bool,
    pub client_scopes: bool,
    /// The job whose stragglers it works on.
    pub stragglers_of: Option<Uuid>,
    pub state: JobState,
    /// On how many connections.
    pub total: i64,
    /// For how many it was done,
    pub done: i64,
    /// how many were left out: there was nothing to do, or it is not for a job to do (`detail` of each
    /// outcome says which),
    pub skipped: i64,
    /// and for how many it could not be done.
    pub failed: i64,
    /// Why it was stopped.
    pub detail: Option<String>,
    /// Who asked for it.
    pub created_by: String,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    pub ended_at: Option<OffsetDateTime>,
}

impl Job {
    pub fn is_running(&self) -> bool {
        self.state == JobState::Running
    }

    /// How many have their outcome.
    pub fn worked(&self) -> i64 {
        self.done + self.skipped + self.failed
    }
}

/// What came of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "ssr", schema(as = JobOutcomeKind))]
pub enum Outcome {
    Done,
    /// It was left out: there was nothing to do, or it can't be done as it stands, such as where a person has
    /// to do something first. `detail` says which.
    Skipped,
    /// It could not be done.
    Failed,
}

impl Outcome {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
        }
    }
}

impl std::str::FromStr for Outcome {
    type Err = Unknown;
    fn from_str(value: &str) -> Result<Self, Unknown> {
        [Self::Done, Self::Skipped, Self::Failed]
            .into_iter()
            .find(|outcome| outcome.as_str() == value)
            .ok_or_else(|| Unknown { noun: "outcome", value: value.into() })
    }
}

/// One connection of a job, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct JobOutcome {
    /// Counted from 1.
    pub number: i64,
    pub connection_id: Uuid,
    /// What it and its client were called when the job was made.
    pub label: String,
    pub client: String,
    /// Whose account it is, and your own key for it, as they are now.
    pub account: Option<String>,
    pub external_id: Option<String>,
    /// `null`: not yet.
    pub outcome: Option<Outcome>,
    /// A sentence on it.
    pub detail: Option<String>,
    /// The one-time link that was made, for whoever may make one, while it works.
    pub link: Option<String>,
    /// How far the link that was made is, or how it ended. `null`: none was made, or its connection is gone.
    pub link_state: Option<Stage>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub at: Option<OffsetDateTime>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::Role;

    #[test]
    fn support_refreshes_and_relinks_and_auditors_only_look() {
        let may = |role: Role| {
            Action::ALL.into_iter().filter(|action| role.allows(action.permission())).collect()
        };
        let support: Vec<Action> = may(Role::Support);
        assert_eq!(support, [Action::Refresh, Action::Relink]);
        let admin: Vec<Action> = may(Role::Admin);
        assert_eq!(admin, Action::ALL);
        let auditor: Vec<Action> = may(Role::Auditor);
        assert_eq!(auditor, []);
    }
}
