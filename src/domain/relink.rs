//! A relink: a one-time link by which a dead connection is authorized again, in place.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::device::DeviceAuthorization;

/// How long a relink can be opened.
pub const LIFETIME: time::Duration = time::Duration::hours(72);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Relink {
    pub id: Uuid,
    pub connection_id: Uuid,
    /// Who made it.
    pub created_by: String,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    pub opened_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub used_at: Option<OffsetDateTime>,
}

/// A relink just made: the only moment at which its address can be seen.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct CreatedRelink {
    pub url: String,
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
}

/// What whoever opens the link is told before consent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Invitation {
    /// The link works: which service, which account (masked), and how consent is given.
    Open {
        service: String,
        account: Option<String>,
        consent: Consent,
    },
    /// It has just brought the connection back, by a code.
    Done,
    /// It was used; the connection lives again if nothing went wrong.
    Used,
    Expired,
    /// No such link was ever made, or its connection is gone.
    Unknown,
}

/// How whoever opens the link gives consent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Consent {
    /// On a page of the provider's.
    Page,
    /// With a code on any device, which has to be asked for.
    Code,
    /// With this code, or what came of it.
    Asked {
        device: DeviceAuthorization,
        #[serde(with = "time::serde::rfc3339")]
        as_of: OffsetDateTime,
    },
}

/// Hides most of an account's name, so that its owner recognises it and a stranger learns little:
/// `alice@example.com` becomes `a…@example.com`.
pub fn mask(account: &str) -> String {
    match account.split_once('@') {
        Some((local, host)) => format!("{}…@{host}", first(local)),
        None => format!("{}…", first(account)),
    }
}

fn first(text: &str) -> String {
    text.chars().take(1).collect()
}

#[cfg(test)]
mod tests {
    use super::mask;

    #[test]
    fn a_masked_account_shows_one_letter_and_the_host() {
        assert_eq!(mask("alice@example.com"), "a…@example.com");
        assert_eq!(mask("élodie"), "é…");
        assert_eq!(mask(""), "…");
    }
}
