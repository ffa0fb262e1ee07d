//! The one error of the use cases.

use crate::{
    domain::{
        access::Permission,
        connection::Reason,
        problem::{Code, FieldProblem, Obstacle, Problem},
        voice,
    },
    server::{provider, secret, store},
};

use super::refresh::save::is_absence;

/// Why a use case did not do what was asked. Two adapters turn it into a status and words.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("nobody is signed in")]
    Unauthenticated,
    /// The caller is known and may not do this; what it would take, where that is for an API key.
    #[error("not allowed")]
    Forbidden(Option<Permission>),
    /// There is no such thing; the word names it.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// It can't be done in the present state; the sentence says why and what to do.
    #[error("{0}")]
    Conflict(Conflict),
    #[error("some of what was given is not valid")]
    Invalid(Vec<FieldProblem>),
    /// The grant is dead; a person is needed.
    #[error("the connection needs a person: {}", .0.as_str())]
    ReauthRequired(Reason),
    /// The provider does not answer, or not in a way we can use; the sentence says more.
    #[error("{why}")]
    ProviderUnavailable {
        why: String,
        /// When another try makes sense, where that is known.
        retry_after: Option<time::Duration>,
    },
    /// Too many tries.
    #[error("too many tries; wait {} minutes", .0.whole_minutes().max(1))]
    RateLimited(time::Duration),
    /// There is too much to do at once; the sentence says what.
    #[error("{0}")]
    Busy(String),
    /// Our own fault. Logged; never shown.
    #[error(transparent)]
    Internal(#[from] anyhow::Error),
}

/// Why it can't be done, for programs and for people.
#[derive(Debug)]
pub struct Conflict {
    pub obstacle: Obstacle,
    pub why: String,
}

impl std::fmt::Display for Conflict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.why)
    }
}

pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub fn invalid(field: &str, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldProblem::new(field, message)])
    }

    pub fn conflict(obstacle: Obstacle, why: impl Into<String>) -> Self {
        Self::Conflict(Conflict { obstacle, why: why.into() })
    }

    /// For what can't be done to a connection that somebody ended.
    pub fn disconnected() -> Self {
        Self::conflict(Obstacle::Disconnected, "This connection was disconnected on purpose.")
    }

    /// [`Error::ProviderUnavailable`], and nobody knows for how long.
    pub fn unavailable(why: impl Into<String>) -> Self {
        Self::ProviderUnavailable { why: why.into(), retry_after: None }
    }

    pub fn code(&self) -> Code {
        match self {
            Self::Unauthenticated => Code::Unauthenticated,
            Self::Forbidden(_) => Code::Forbidden,
            Self::NotFound(_) => Code::NotFound,
            Self::Conflict(_) => Code::Conflict,
            Self::Invalid(_) => Code::Invalid,
            Self::ReauthRequired(_) => Code::ReauthRequired,
            Self::ProviderUnavailable { .. } => Code::ProviderUnavailable,
            Self::RateLimited(_) => Code::RateLimited,
            Self::Busy(_) => Code::Unavailable,
            Self::Internal(error) if is_absence(error) => Code::Unavailable,
            Self::Internal(_) => Code::Internal,
        }
    }

    /// What the caller is told: nothing internal.
    pub fn problem(&self) -> Problem {
        let message = match self {
            Self::Unauthenticated => "Sign in first.".into(),
            Self::Forbidden(_) => "You are not allowed to do this.".into(),
            Self::NotFound(noun) => format!("There is no such {noun}."),
            Self::Conflict(Conflict { why, .. })
            | Self::ProviderUnavailable { why, .. }
            | Self::Busy(why) => why.clone(),
            Self::Invalid(fields) => match fields.as_slice() {
                [one] if one.field.is_empty() => one.message.clone(),
                [one] => format!("{}: {}", one.field, one.message),
                _ => "Some fields need another look.".into(),
            },
            Self::ReauthRequired(_) => {
                "This connection must be authorized again by a person before it gives tokens."
                    .into()
            }
            Self::RateLimited(wait) => format!(
                "Too many tries. Wait {} minutes and try again.",
                wait.whole_minutes().max(1)
            ),
            Self::Internal(error) if is_absence(error) => voice::AWAY.into(),
            Self::Internal(_) => "Something went wrong in Regrant. It was logged.".into(),
        };
        let fields = match self {
            Self::Invalid(fields) => fields.clone(),
            _ => Vec::new(),
        };
        Problem { code: self.code(), message, fields, request_id: None }
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Constraint(name) => constraint(&name),
            store::Error::Nul => Self::invalid("", "A text holds a NUL character."),
            other => Self::Internal(other.into()),
        }
    }
}

pub(super) const SLUG_TAKEN: &str = "a provider of this slug exists already";
pub(super) const EXTERNAL_ID_TAKEN: &str = "another connection of this client has it already";

/// Database constraints by name, as the field errors they are.
fn constraint(name: &str) -> Error {
    match name {
        "users_email_unique" => Error::invalid("email", "someone with this address exists already"),
        "clients_name_unique" => Error::invalid("name", "a client of this name exists already"),
        "providers_pkey" => Error::invalid("slug", SLUG_TAKEN),
        "api_keys_name_filled" => Error::invalid("name", "must be filled in"),
        "connections_external_id_unique" => Error::invalid("external_id", EXTERNAL_ID_TAKEN),
        "saved_filters_name_unique" => {
            Error::invalid("name", "you have a filter of this name already")
        }
        "connections_client_exists" => {
            Error::conflict(Obstacle::InUse, "The client has connections. Disconnect them first.")
        }
        other => Error::Internal(anyhow::anyhow!("constraint {other} is violated")),
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        store::Error::from(error).into()
    }
}

impl From<secret::seal::Error> for Error {
    fn from(error: secret::seal::Error) -> Self {
        Self::Internal(error.into())
    }
}

impl From<secret::password::Error> for Error {
    fn from(error: secret::password::Error) -> Self {
        Self::Internal(error.into())
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Internal(error.into())
    }
}

impl From<Vec<crate::domain::provider::FieldError>> for Error {
    fn from(errors: Vec<crate::domain::provider::FieldError>) -> Self {
        Self::Invalid(
            errors.into_iter().map(|error| FieldProblem::new(error.field, error.message)).collect(),
        )
    }
}

impl From<provider::Error> for Error {
    fn from(error: provider::Error) -> Self {
        match error {
            provider::Error::Invalid(fields) => fields.into(),
            other => Self::unavailable(other.to_string()),
        }
    }
}
