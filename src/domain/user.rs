//! People who sign in.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::access::Role;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct User {
    pub id: Uuid,
    pub email: String,
    pub role: Role,
    #[serde(with = "time::serde::rfc3339::option")]
    pub disabled_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_login_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

/// What the address at which the first admin is made is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SetupLink {
    /// Whoever holds it can become the first admin.
    Open,
    /// There is nobody yet, and this is not the newest link.
    Unknown,
    /// There are users.
    Over,
}

/// What can be changed on a user; absent fields stay.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct UserPatch {
    pub role: Option<Role>,
    pub disabled: Option<bool>,
}

/// Whether it is a password that whoever knows the address tries first.
pub fn is_guessed(password: &str, email: &str) -> bool {
    password.trim().eq_ignore_ascii_case(email.trim())
}

/// Passwords have at least this many characters (NIST SP 800-63B section 5.1.1.2 asks for 8).
pub const PASSWORD_MIN: usize = 12;
/// And at most this many bytes, so that hashing one cannot be made a burden.
pub const PASSWORD_MAX: usize = 1024;
