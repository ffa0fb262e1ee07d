//! How far a relink is: what its visitor did, and what came of it.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::Relink;
use crate::domain::{access::Unknown, refusal::ErrorClass};

/// Where asking for consent ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "ssr", schema(as = RelinkOutcome))]
pub enum Outcome {
    Done,
    /// Another account than the connection's gave consent; nothing was changed.
    WrongAccount,
    /// The person said no.
    Denied,
    /// Consent came without a permission that the connection had; nothing was changed.
    MissingScope,
    /// The provider gave what another connection holds; nothing was changed.
    AlreadyConnected,
    /// The provider refused the client, not the person; nothing was changed.
    ClientRefused,
    /// The provider refused, or could not be understood; the audit log says more.
    Failed,
    /// The flow is unknown, used, too old, or another browser's.
    Expired,
}

impl Outcome {
    pub const ALL: [Self; 8] = [
        Self::Done,
        Self::WrongAccount,
        Self::Denied,
        Self::MissingScope,
        Self::AlreadyConnected,
        Self::ClientRefused,
        Self::Failed,
        Self::Expired,
    ];

    /// What a refused token request leads to.
    pub fn of_refusal(class: ErrorClass) -> Self {
        match class {
            ErrorClass::ClientRefused => Self::ClientRefused,
            _ => Self::Failed,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::WrongAccount => "wrong_account",
            Self::Denied => "denied",
            Self::MissingScope => "missing_scope",
            Self::AlreadyConnected => "already_connected",
            Self::ClientRefused => "client_refused",
            Self::Failed => "failed",
            Self::Expired => "expired",
        }
    }
}

impl FromStr for Outcome {
    type Err = Unknown;
    fn from_str(value: &str) -> Result<Self, Unknown> {
        Self::ALL
            .into_iter()
            .find(|outcome| outcome.as_str() == value)
            .ok_or_else(|| Unknown { noun: "outcome", value: value.into() })
    }
}

/// Why a link ended before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "ssr", schema(as = RelinkEnded))]
pub enum Ended {
    /// A newer link of the same connection took its place.
    Replaced,
    /// Somebody called it off.
    Revoked,
}

impl Ended {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Replaced => "replaced",
            Self::Revoked => "revoked",
        }
    }
}

impl FromStr for Ended {
    type Err = Unknown;
    fn from_str(value: &str) -> Result<Self, Unknown> {
        [Self::Replaced, Self::Revoked]
            .into_iter()
            .find(|ended| ended.as_str() == value)
            .ok_or_else(|| Unknown { noun: "end of a relink", value: value.into() })
    }
}

/// How far a relink is. Where a try failed, the link still works until it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "ssr", schema(as = RelinkStage))]
pub enum Stage {
    /// Nobody has opened it yet.
    Sent,
    Opened,
    /// Its visitor is at the provider, or types a code.
    Away,
    /// Consent was given and is being redeemed.
    Consented,
    Done,
    WrongAccount,
    Denied,
    MissingScope,
    AlreadyConnected,
    ClientRefused,
    Failed,
    /// The time at the provider's page ran out.
    TookTooLong,
    Expired,
    Replaced,
    Revoked,
}

/// Redeeming consent takes seconds. After so long it is taken to have failed.
const REDEEMED: Duration = Duration::minutes(2);

impl Stage {
    pub const ALL: [Self; 15] = [
        Self::Sent,
        Self::Opened,
        Self::Away,
        Self::Consented,
        Self::Done,
        Self::WrongAccount,
        Self::Denied,
        Self::MissingScope,
        Self::AlreadyConnected,
        Self::ClientRefused,
        Self::Failed,
        Self::TookTooLong,
        Self::Expired,
        Self::Replaced,
        Self::Revoked,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Opened => "opened",
            Self::Away => "away",
            Self::Consented => "consented",
            Self::Done => "done",
            Self::WrongAccount => "wrong_account",
            Self::Denied => "denied",
            Self::MissingScope => "missing_scope",
            Self::AlreadyConnected => "already_connected",
            Self::ClientRefused => "client_refused",
            Self::Failed => "failed",
            Self::TookTooLong => "took_too_long",
            Self::Expired => "expired",
            Self::Replaced => "replaced",
            Self::Revoked => "revoked",
        }
    }

    pub fn of(relink: &Relink, as_of: OffsetDateTime) -> Self {
        if relink.used_at.is_some() {
            return Self::Done;
        }
        match relink.ended {
            Some(Ended::Replaced) => return Self::Replaced,
            Some(Ended::Revoked) => return Self::Revoked,
            None if relink.expires_at <= as_of => return Self::Expired,
            None => {}
        }
        match (relink.outcome, relink.returned_at) {
            (Some(outcome), _) => outcome.into(),
            (None, Some(at)) if as_of - at > REDEEMED => Self::Failed,
            (None, Some(_)) => Self::Consented,
            (None, None) if relink.left_at.is_some() => Self::Away,
            (None, None) if relink.opened_at.is_some() => Self::Opened,
            (None, None) => Self::Sent,
        }
    }

    /// Whether the link works no longer.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Expired | Self::Replaced | Self::Revoked)
    }
}

impl FromStr for Stage {
    type Err = Unknown;
    fn from_str(value: &str) -> Result<Self, Unknown> {
        Self::ALL
            .into_iter()
            .find(|stage| stage.as_str() == value)
            .ok_or_else(|| Unknown { noun: "stage", value: value.into() })
    }
}

impl From<Outcome> for Stage {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done => Self::Done,
            Outcome::WrongAccount => Self::WrongAccount,
            Outcome::Denied => Self::Denied,
            Outcome::MissingScope => Self::MissingScope,
            Outcome::AlreadyConnected => Self::AlreadyConnected,
            Outcome::ClientRefused => Self::ClientRefused,
            Outcome::Failed => Self::Failed,
            Outcome::Expired => Self::TookTooLong,
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;
    use uuid::Uuid;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-03-01 12:00 UTC);

    fn sent() -> Relink {
        Relink {
            id: Uuid::nil(),
            connection_id: Uuid::nil(),
            created_by: "support@people.test".into(),
            created_at: NOW,
            expires_at: NOW + super::super::LIFETIME,
            opened_at: None,
            left_at: None,
            returned_at: None,
            used_at: None,
            outcome: None,
            detail: None,
            ended: None,
        }
    }

    #[test]
    fn a_link_goes_from_step_to_step() {
        let mut relink = sent();
        let at = |relink: &Relink| Stage::of(relink, NOW + Duration::minutes(1));
        assert_eq!(at(&relink), Stage::Sent);
        relink.opened_at = Some(NOW);
        assert_eq!(at(&relink), Stage::Opened);
        relink.left_at = Some(NOW);
        assert_eq!(at(&relink), Stage::Away);
        relink.returned_at = Some(NOW);
        assert_eq!(at(&relink), Stage::Consented);
        assert_eq!(Stage::of(&relink, NOW + Duration::minutes(3)), Stage::Failed);
        relink.outcome = Some(Outcome::WrongAccount);
        assert_eq!(at(&relink), Stage::WrongAccount);
        assert_eq!(Stage::of(&relink, relink.expires_at), Stage::Expired);
        relink.used_at = Some(NOW);
        assert_eq!(Stage::of(&relink, relink.expires_at), Stage::Done);
    }

    #[test]
    fn what_was_called_off_is_not_said_to_have_expired() {
        for (ended, stage) in [(Ended::Replaced, Stage::Replaced), (Ended::Revoked, Stage::Revoked)]
        {
            let relink = Relink { ended: Some(ended), expires_at: NOW, ..sent() };
            assert_eq!(Stage::of(&relink, NOW), stage);
            assert_eq!(ended.as_str().parse(), Ok(ended));
        }
        assert!(Stage::ALL.into_iter().filter(|stage| stage.is_over()).count() == 4);
    }
}
