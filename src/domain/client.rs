//! A client: one OAuth client registration at a provider.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{access::Unknown, incident::Incident, rehearsal::NextSecret};

/// The client's own state; it stands over the states of its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "ssr", schema(as = ClientState))]
pub enum StateName {
    Ready,
    /// The provider refused the client's credentials; its connections wait, none is condemned.
    CredentialsRejected,
    /// An unusual share of its connections was refused; verdicts are suspended.
    Incident,
    /// An admin switched it off.
    Disabled,
}

impl StateName {
    pub const ALL: [Self; 4] =
        [Self::Ready, Self::CredentialsRejected, Self::Incident, Self::Disabled];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::CredentialsRejected => "credentials_rejected",
            Self::Incident => "incident",
            Self::Disabled => "disabled",
        }
    }
}

impl std::str::FromStr for StateName {
    type Err = Unknown;
    fn from_str(value: &str) -> Result<Self, Unknown> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == value)
            .ok_or_else(|| Unknown { noun: "client state", value: value.into() })
    }
}

/// A client as people and programs see it. Its secret goes in and never comes out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Client {
    pub id: Uuid,
    /// What people call it.
    pub name: String,
    /// The provider's slug.
    pub provider: String,
    /// `client_id` of RFC 6749 section 2.2.
    pub oauth_client_id: String,
    pub has_secret: bool,
    #[serde(with = "time::serde::rfc3339::option")]
    pub secret_set_at: Option<OffsetDateTime>,
    /// A secret that takes the place of this one as soon as a refresh with it has worked.
    pub next_secret: Option<NextSecret>,
    pub scopes: Vec<String>,
    /// Values of the provider's variables (region, sandbox, partner id …).
    pub variables: BTreeMap<String, String>,
    pub state: StateName,
    #[serde(with = "time::serde::rfc3339")]
    pub state_since: OffsetDateTime,
    /// What the provider said when it refused the credentials, or the connections of an incident.
    pub state_detail: Option<String>,
    /// What is known of the incident, while there is one.
    pub incident: Option<Incident>,
    /// The provider asked for a pause (`Retry-After`): no token is asked for before this moment.
    #[serde(with = "time::serde::rfc3339::option")]
    pub paused_until: Option<OffsetDateTime>,
    /// What to register at the provider.
    pub redirect_uri: String,
    /// How many connections are not disconnected.
    pub connections: i64,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

/// What a client is called, where nothing else of it is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientName {
    pub id: Uuid,
    pub name: String,
    /// The provider's slug.
    pub provider: String,
}

/// What is changed on a client; absent fields stay. A change of `variables` can move the addresses
/// that the secret is sent to, so it demands the secret anew.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClientPatch {
    pub name: Option<String>,
    pub oauth_client_id: Option<String>,
    pub scopes: Option<Vec<String>>,
    pub variables: Option<BTreeMap<String, String>>,
    pub disabled: Option<bool>,
}
