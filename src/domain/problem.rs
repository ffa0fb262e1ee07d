//! What a caller is told when something did not work: the one error of the interface and the API.

use serde::{Deserialize, Serialize};

/// A stable name for the kind of problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub enum Code {
    Unauthenticated,
    Forbidden,
    NotFound,
    Conflict,
    Invalid,
    ReauthRequired,
    ProviderUnavailable,
    RateLimited,
    Unavailable,
    Internal,
}

/// Why something can't be done in the present state. A program tells its refusals apart by this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "ssr", schema(as = ConflictReason))]
pub enum Obstacle {
    AccountUnknown,
    AlreadyConnected,
    AwaitingConsent,
    Changed,
    ClientDisabled,
    ClientIncident,
    ClientRefused,
    CodeWaiting,
    ConsentUnderWay,
    Disconnected,
    HoldsTokens,
    InUse,
    LastAdmin,
    LimitReached,
    LinkOver,
    NoConnection,
    NoTokens,
    NotOffered,
    NotRenewable,
    NothingToDo,
    Preset,
    Refused,
}

impl Obstacle {
    pub const ALL: [Self; 22] = [
        Self::AccountUnknown,
        Self::AlreadyConnected,
        Self::AwaitingConsent,
        Self::Changed,
        Self::ClientDisabled,
        Self::ClientIncident,
        Self::ClientRefused,
        Self::CodeWaiting,
        Self::ConsentUnderWay,
        Self::Disconnected,
        Self::HoldsTokens,
        Self::InUse,
        Self::LastAdmin,
        Self::LimitReached,
        Self::LinkOver,
        Self::NoConnection,
        Self::NoTokens,
        Self::NotOffered,
        Self::NotRenewable,
        Self::NothingToDo,
        Self::Preset,
        Self::Refused,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::AccountUnknown => "account_unknown",
            Self::AlreadyConnected => "already_connected",
            Self::AwaitingConsent => "awaiting_consent",
            Self::Changed => "changed",
            Self::ClientDisabled => "client_disabled",
            Self::ClientIncident => "client_incident",
            Self::ClientRefused => "client_refused",
            Self::CodeWaiting => "code_waiting",
            Self::ConsentUnderWay => "consent_under_way",
            Self::Disconnected => "disconnected",
            Self::HoldsTokens => "holds_tokens",
            Self::InUse => "in_use",
            Self::LastAdmin => "last_admin",
            Self::LimitReached => "limit_reached",
            Self::LinkOver => "link_over",
            Self::NoConnection => "no_connection",
            Self::NoTokens => "no_tokens",
            Self::NotOffered => "not_offered",
            Self::NotRenewable => "not_renewable",
            Self::NothingToDo => "nothing_to_do",
            Self::Preset => "preset",
            Self::Refused => "refused",
        }
    }

    /// What it means, for whoever writes a program.
    pub fn about(self) -> &'static str {
        match self {
            Self::AccountUnknown => {
                "the connection is alive and nobody knows whose account it is, so it is not relinked"
            }
            Self::AlreadyConnected => "another connection holds this refresh token",
            Self::AwaitingConsent => "nobody has given consent to the connection yet",
            Self::Changed => {
                "something changed since it was looked at, or while the provider was asked; ask again"
            }
            Self::ClientDisabled => "the client is switched off",
            Self::ClientIncident => {
                "the provider refuses unusually many connections of the client; an admin decides"
            }
            Self::ClientRefused => "the provider refuses the client's credentials",
            Self::CodeWaiting => "somebody else was given a code that still works",
            Self::ConsentUnderWay => {
                "the provider is being asked about a consent; try again in a moment"
            }
            Self::Disconnected => "the connection was disconnected",
            Self::HoldsTokens => "tokens or secrets that are held belong to what was to be changed",
            Self::InUse => "something else uses it and has to go first",
            Self::LastAdmin => "there would be no admin left",
            Self::LimitReached => "there are as many as there may be",
            Self::LinkOver => "the link was used, has expired or was called off",
            Self::NoConnection => "the client has no connection with which it could be done",
            Self::NoTokens => "the connection holds no token with which it could be done",
            Self::NotOffered => "the provider, or this kind of connection, has no such thing",
            Self::NotRenewable => {
                "the connection holds nothing that it could be refreshed with: its access token lasts as long as \
                 it lasts"
            }
            Self::NothingToDo => "it is so already",
            Self::Preset => "presets can't be changed",
            Self::Refused => "the provider was asked and refuses",
        }
    }
}

/// One field that is wrong, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct FieldProblem {
    /// The field's name, dotted where it is nested; empty for the whole.
    pub field: String,
    pub message: String,
}

impl FieldProblem {
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

/// A problem in words for people, with a code for programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    pub code: Code,
    /// A sentence: what happened and what to do.
    pub message: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldProblem>,
    /// By which the server's log can be searched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl Problem {
    /// The message for one field, if it is wrong.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|field| field.field == name).map(|field| field.message.as_str())
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}
