//! A relink: a one-time link by which a dead connection is authorized again, in place.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

mod stage;

use super::{
    access::Unknown,
    client,
    connection::{Connection, Standing, State},
    device::DeviceAuthorization,
    page::Page,
};

pub use stage::{Ended, Outcome, Stage};

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
    /// When its visitor last left for the provider.
    #[serde(with = "time::serde::rfc3339::option")]
    pub left_at: Option<OffsetDateTime>,
    /// When they came back from there, in the same try.
    #[serde(with = "time::serde::rfc3339::option")]
    pub returned_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub used_at: Option<OffsetDateTime>,
    /// What the last try came to.
    pub outcome: Option<Outcome>,
    /// What there is to say of it beside that, for the staff.
    pub detail: Option<String>,
    /// Why it ended before its time.
    pub ended: Option<Ended>,
}

/// A relink and what it is for, as the desk shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct RelinkEntry {
    pub relink: Relink,
    pub stage: Stage,
    /// The connection's name.
    pub connection: String,
    /// Whose consent is wanted, and once it is done, who gave it. Null: not known; whoever gives consent
    /// becomes the connection's account.
    pub account: Option<String>,
    /// Your own key for the connection.
    pub external_id: Option<String>,
    /// The client's name.
    pub client: String,
    /// While it is refused or switched off no link of its connections can work.
    pub client_state: client::StateName,
    /// The provider's name as people know it.
    pub service: String,
}

/// Which relinks to list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub enum RelinkShow {
    /// Those that can be used.
    Open,
    /// Those, and what ended within a day.
    #[default]
    Recent,
    All,
}

impl RelinkShow {
    pub const ALL: [Self; 3] = [Self::Open, Self::Recent, Self::All];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Recent => "recent",
            Self::All => "all",
        }
    }
}

impl std::str::FromStr for RelinkShow {
    type Err = Unknown;
    fn from_str(value: &str) -> Result<Self, Unknown> {
        Self::ALL
            .into_iter()
            .find(|show| show.as_str() == value)
            .ok_or_else(|| Unknown { noun: "choice of relinks", value: value.into() })
    }
}

/// A page of relinks and the moment it was true.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelinkList {
    #[serde(with = "time::serde::rfc3339")]
    pub as_of: OffsetDateTime,
    pub page: Page<RelinkEntry>,
}

/// One relink and the moment it was true.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelinkDetail {
    #[serde(with = "time::serde::rfc3339")]
    pub as_of: OffsetDateTime,
    pub entry: RelinkEntry,
}

/// Another connection of the same account and the same client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Twin {
    pub id: Uuid,
    /// The connection's name.
    pub name: String,
    pub standing: Standing,
}

/// The others of a connection's account, and what that is called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Twins {
    pub account: String,
    pub others: Vec<Twin>,
}

/// A relink just made: the only moment at which its address can be seen.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct CreatedRelink {
    pub id: Uuid,
    pub url: String,
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
    /// Whose consent is wanted, masked (`a…@example.com`) for a key that may not read connections. Null: not
    /// known; whoever gives consent becomes the connection's account.
    #[serde(default)]
    pub account: Option<String>,
}

/// A relink just made, and ways to hand it over.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedRelink {
    pub made: CreatedRelink,
    /// The provider's name as people know it.
    pub service: String,
    /// The account, masked.
    pub account: Option<String>,
    pub need: Need,
    /// Who asks, as its brand says.
    pub house: Option<String>,
    /// Who helps.
    pub contact: Option<String>,
    pub picture: Option<Picture>,
}

/// What a link is for, as far as its visitor is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Need {
    /// Nobody has given consent yet.
    First,
    /// Consent has to be given again, for it works no longer.
    Again,
    /// It works, and consent is asked for anew.
    Anew,
}

impl Need {
    pub fn of(connection: &Connection) -> Self {
        match connection.state {
            State::Pending => Self::First,
            State::Active | State::Retrying { .. } => Self::Anew,
            State::NeedsReauth { .. } | State::InDoubt { .. } | State::Disconnected => Self::Again,
        }
    }
}

/// A QR code: the path of its dark squares, in a field so many squares wide with a margin around it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picture {
    pub width: usize,
    pub path: String,
}

/// What whoever opens the link is told before consent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Invitation {
    /// The link works: which service, which account (masked), and how consent is given.
    Open {
        service: String,
        account: Option<String>,
        need: Need,
        consent: Consent,
    },
    /// It works, but consent could not be made good: something has to be mended first, by the house.
    NotNow,
    /// It has just brought the connection back, by a code.
    Done,
    /// It was used; the connection lives again if nothing went wrong.
    Used,
    Expired,
    /// A newer link took its place, or somebody called it off.
    Ended(Ended),
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
