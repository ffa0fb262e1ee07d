//! All SQL, one file per table. Functions take a connection, never commit, and know neither crypto
//! nor HTTP: ciphertext is bytes here.

use time::OffsetDateTime;
use uuid::Uuid;

pub mod account_question;
pub mod api_key;
pub mod attempt;
pub mod attempt_window;
pub mod audit;
pub mod brand;
pub mod client;
pub mod client_window;
pub mod clock;
pub mod connection;
pub mod data_key;
pub mod demo;
pub mod device;
pub mod flow;
pub mod import;
pub mod incident;
pub mod job;
pub mod live;
pub mod login_failure;
pub mod note;
pub mod overview;
pub mod provider;
pub mod relink;
pub mod saved_filter;
pub mod sealed;
pub mod session;
pub mod setup_token;
pub mod suspect;
pub mod token_reader;
pub mod token_set;
pub mod user;

/// What a table can answer besides rows.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A constraint of this name does not hold.
    #[error("constraint {0} is violated")]
    Constraint(String),
    /// A stored value has a form that this build does not know.
    #[error("a stored value can't be read: {0}")]
    Unreadable(String),
    /// A text holds what PostgreSQL stores in no text: a NUL.
    #[error("a text holds a NUL character")]
    Nul,
    #[error(transparent)]
    Database(sqlx::Error),
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        let Some(refusal) = error.as_database_error() else { return Self::Database(error) };
        // character_not_in_repertoire, untranslatable_character
        let nul = matches!(refusal.code().as_deref(), Some("22021" | "22P05"));
        match refusal.constraint() {
            Some(name) => Self::Constraint(name.to_owned()),
            None if nul => Self::Nul,
            None => Self::Database(error),
        }
    }
}

impl From<crate::domain::access::Unknown> for Error {
    fn from(error: crate::domain::access::Unknown) -> Self {
        Self::Unreadable(error.to_string())
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Unreadable(error.to_string())
    }
}

/// Whose rows are meant.
#[derive(Clone, Copy, Debug)]
pub enum Of {
    Connection(uuid::Uuid),
    /// Those of all connections of a client.
    Client(uuid::Uuid),
}

impl Of {
    fn ids(self) -> (Option<uuid::Uuid>, Option<uuid::Uuid>) {
        match self {
            Self::Connection(id) => (Some(id), None),
            Self::Client(id) => (None, Some(id)),
        }
    }
}

pub type Result<T> = std::result::Result<T, Error>;

/// The least id that a row made at this moment can have (RFC 9562 section 5.7).
pub fn first_id(at: OffsetDateTime) -> Uuid {
    let millis = u64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or_default();
    Uuid::from_u128(u128::from(millis) << 80)
}
