//! A connection: one grant, one account at a provider authorized for one client.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{access::Unknown, client, refusal::ErrorClass};

mod drift;
pub mod filter;
mod standing;
mod state;
mod told;
mod upkeep;

pub use drift::{Drift, is_seldom_told};
pub use filter::{ConnectionFilter, End, Sort, filter_or_none};
pub use standing::{SOON, Standing};
pub use state::{Reason, State, StateName};
pub use told::Told;

/// How the grant was obtained, and so how it is renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "ssr", schema(as = ConnectionGrantType))]
pub enum GrantType {
    /// A person consented (RFC 6749 section 4.1).
    AuthorizationCode,
    /// The client itself was granted access (RFC 6749 section 4.4); renewed by asking again.
    ClientCredentials,
    /// A token response obtained elsewhere was handed in.
    Import,
    /// A person consented on another device (RFC 8628).
    DeviceCode,
    /// Another token was exchanged (RFC 8693).
    TokenExchange,
}

impl GrantType {
    pub const ALL: [Self; 5] = [
        Self::AuthorizationCode,
        Self::ClientCredentials,
        Self::Import,
        Self::DeviceCode,
        Self::TokenExchange,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::ClientCredentials => "client_credentials",
            Self::Import => "import",
            Self::DeviceCode => "device_code",
            Self::TokenExchange => "token_exchange",
        }
    }
}

impl std::str::FromStr for GrantType {
    type Err = Unknown;
    fn from_str(value: &str) -> Result<Self, Unknown> {
        Self::ALL
            .into_iter()
            .find(|grant| grant.as_str() == value)
            .ok_or_else(|| Unknown { noun: "grant type", value: value.into() })
    }
}

/// A connection as people and programs see it: everything but the tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "ssr", schema(as = ConnectionFacts))]
pub struct Connection {
    pub id: Uuid,
    pub client_id: Uuid,
    /// The client's name, so that a list needs no second question.
    pub client_name: String,
    pub client_state: client::StateName,
    /// The provider asked the client for a pause (`Retry-After`) that ends then, or ended: no token is
    /// asked for before.
    #[serde(with = "time::serde::rfc3339::option")]
    pub client_paused_until: Option<OffsetDateTime>,
    /// The provider's slug.
    pub provider: String,
    /// What people call the connection.
    pub label: String,
    /// The operator's own key for it, unique per client.
    pub external_id: Option<String>,
    pub tags: Vec<String>,
    /// Values of the provider's variables that each connection fills (shop, subdomain …).
    pub variables: BTreeMap<String, String>,
    /// The account at the provider, once known.
    pub account_id: Option<String>,
    pub account_label: Option<String>,
    pub grant_type: GrantType,
    pub state: State,
    /// Grows by one with each token set; 0 before the first.
    pub generation: i64,
    pub scopes_requested: Vec<String>,
    pub scopes_granted: Vec<String>,
    pub has_refresh_token: bool,
    /// When the current token set was obtained.
    #[serde(with = "time::serde::rfc3339::option")]
    pub obtained_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub access_expires_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub refresh_expires_at: Option<OffsetDateTime>,
    /// When the worker looks at it next: to refresh it; or, where nothing renews it, to see that its access
    /// token has ended.
    #[serde(with = "time::serde::rfc3339::option")]
    pub due_at: Option<OffsetDateTime>,
    /// Since when it rests: it is not refreshed by itself.
    #[serde(with = "time::serde::rfc3339::option")]
    pub paused_at: Option<OffsetDateTime>,
    /// The earliest moment at which only a person can keep it alive; in the past where it has died.
    /// `None`: not in sight. It is `None` too while the connection is `pending`: a person is needed
    /// for its first consent, but nothing lives yet that could die, however long that takes. And it may be `None`
    /// while the connection rests, though it ends with its refresh token then, at `refresh_expires_at`.
    #[serde(with = "time::serde::rfc3339::option")]
    pub needs_human_by: Option<OffsetDateTime>,
    /// What the provider said last, if that was not a token.
    pub last_error: Option<LastError>,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

/// The provider's last refusal, redacted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct LastError {
    pub class: ErrorClass,
    pub status: Option<u16>,
    pub code: Option<String>,
    pub description: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

impl Connection {
    /// The name a person recognises it by.
    pub fn name(&self) -> &str {
        if self.label.is_empty() {
            let known = [&self.account_label, &self.account_id, &self.external_id];
            let none = match self.grant_type {
                GrantType::ClientCredentials => "(the client's own)",
                _ => "(no name yet)",
            };
            known.into_iter().flatten().next().map_or(none, String::as_str)
        } else {
            &self.label
        }
    }

    /// Whose it is at the provider, once known, as a person says it.
    pub fn account(&self) -> Option<&str> {
        self.account_label.as_deref().or(self.account_id.as_deref())
    }

    /// What a person sees: the client's trouble over the connection's own state.
    pub fn standing(&self, as_of: OffsetDateTime) -> Standing {
        match (&self.state, self.client_state) {
            (State::Disconnected, _) => Standing::Disconnected,
            (_, client::StateName::Disabled) => Standing::Paused,
            _ if self.rests() => Standing::Paused,
            (_, client::StateName::CredentialsRejected | client::StateName::Incident) => {
                Standing::ClientRefused
            }
            _ if self.held_until(as_of).is_some() => Standing::Paused,
            (State::Pending, _) => Standing::Pending,
            (State::NeedsReauth { .. }, _) => Standing::NeedsPerson,
            (State::Retrying { .. } | State::InDoubt { .. }, _) => Standing::Retrying,
            (State::Active, _) => match self.needs_human_by {
                Some(by) if by <= as_of + SOON => Standing::Soon,
                _ => Standing::Alive,
            },
        }
    }

    /// Whether somebody paused it. What is dead does not rest: nothing is kept from being refreshed, and it needs
    /// a person whether or not it was paused.
    pub fn rests(&self) -> bool {
        self.paused_at.is_some() && !matches!(self.state, State::NeedsReauth { .. })
    }

    /// By when a person is needed, as it stands: what nothing refreshes runs on to the end of its refresh token. Lists
    /// are put in order by what is stored, which takes for granted that it goes on being refreshed.
    pub fn person_by(&self) -> Option<OffsetDateTime> {
        let held = self.rests() || self.client_state != client::StateName::Ready;
        let end = self.refresh_expires_at.filter(|_| held && self.has_refresh_token);
        self.needs_human_by.or(end)
    }

    /// Until when its provider has asked its client to wait, while that goes on.
    pub fn pause_ends(&self, as_of: OffsetDateTime) -> Option<OffsetDateTime> {
        self.client_paused_until
            .filter(|until| *until > as_of && self.client_state == client::StateName::Ready)
    }

    /// Until when a refresh that is due, or comes due, waits because the provider asked for a pause.
    pub fn held_until(&self, as_of: OffsetDateTime) -> Option<OffsetDateTime> {
        let is_kept =
            matches!(self.state, State::Active | State::Retrying { .. } | State::InDoubt { .. });
        self.pause_ends(as_of).filter(|until| {
            is_kept && self.paused_at.is_none() && self.due_at.is_some_and(|due| due < *until)
        })
    }

    /// Whether it can be brought back by consent given anew, in place.
    pub fn can_reauthorize(&self) -> bool {
        self.grant_type != GrantType::ClientCredentials
    }

    /// Whether other scopes can be asked for: a person's first consent is still to come.
    pub fn can_ask_anew(&self) -> bool {
        self.state == State::Pending
            && matches!(self.grant_type, GrantType::AuthorizationCode | GrantType::DeviceCode)
    }

    /// Whether it holds a token set.
    pub fn holds_tokens(&self) -> bool {
        self.generation > 0 && self.state != State::Disconnected
    }
}

/// What can be changed on a connection by hand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct ConnectionPatch {
    pub label: Option<String>,
    /// An empty string takes it away.
    pub external_id: Option<String>,
    pub tags: Option<Vec<String>>,
    /// All values anew. They say where requests are sent, so others are refused while the connection
    /// holds tokens.
    pub variables: Option<BTreeMap<String, String>>,
    /// What consent is asked for, while nobody has given any; later the client's scopes count, with the
    /// next relink that asks for them. Empty: what the client asks for.
    pub scopes: Option<Vec<String>>,
}

/// A page of connections and the moment it was true.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionList {
    #[serde(with = "time::serde::rfc3339")]
    pub as_of: OffsetDateTime,
    pub count: super::page::Count,
    pub page: super::page::Page<Connection>,
    /// The providers whose access tokens have no end, of what on the page would otherwise have an end that is not
    /// known.
    pub endless: BTreeSet<String>,
}

/// All that the connection's own page shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConnectionDetail {
    #[serde(with = "time::serde::rfc3339")]
    pub as_of: OffsetDateTime,
    pub connection: Connection,
    /// The provider's name as people know it.
    pub provider_name: String,
    /// What the connection fills in itself.
    pub variables: Vec<super::provider::Variable>,
    /// The newest attempts first.
    pub attempts: super::page::Page<super::attempt::Attempt>,
    /// The newest consents that brought it tokens.
    pub consents: Vec<super::lineage::Consent>,
    pub relinks: Vec<super::relink::Relink>,
    /// Whoever read its token, the last one first.
    pub readers: super::page::Page<super::token_reader::TokenReader>,
    /// What was done with it, the newest first, for whoever may read the audit log.
    pub audit: super::page::Page<super::audit::AuditEntry>,
    /// Whether consent can be given anew on a page of the provider's.
    pub offers_page: bool,
    /// Whether consent can be given anew with a code on another device.
    pub offers_device: bool,
    /// Whether the provider can be asked for new tokens: what it says of renewal counts.
    pub can_be_refreshed: bool,
    /// Whether access tokens of the provider end.
    pub access_tokens: super::provider::AccessTokens,
    /// Whether there are tokens, and the provider can be asked about them (RFC 7662).
    pub can_be_asked: bool,
    /// What the provider said beside the tokens and is no secret, by name.
    pub extras: Vec<(String, String)>,
    /// Whether the provider knows, once it is disconnected.
    pub told: Option<Told>,
    /// How long the provider lets tokens live.
    pub lifetimes: super::provider::Lifetimes,
    /// The newest device authorization, for whoever may begin one.
    pub device: Option<super::device::DeviceAuthorization>,
}
