//! An access token that is shown to a person: for a moment, and once.

use std::fmt;

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// How long it may be looked at.
pub const SHOWN: Duration = Duration::seconds(30);

/// What is shown. The refresh token never is: whoever used it elsewhere would have the provider replace
/// it there, and the connection would be dead here.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevealedToken {
    #[serde(with = "time::serde::rfc3339")]
    pub as_of: OffsetDateTime,
    pub connection_id: Uuid,
    /// What people call the connection.
    pub connection: String,
    pub access_token: String,
    pub token_type: String,
    #[serde(with = "time::serde::rfc3339::option")]
    pub expires_at: Option<OffsetDateTime>,
    pub generation: i64,
}

impl fmt::Debug for RevealedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RevealedToken")
            .field("connection_id", &self.connection_id)
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}
