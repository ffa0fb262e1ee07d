//! What roles and keys are for.

use crate::domain::{
    access::{Role, Scope},
    user::User,
};

pub fn role(role: Role) -> &'static str {
    match role {
        Role::Admin => "May do everything.",
        Role::Support => {
            "Sees connections, refreshes them and creates relinks. Never sees a token or a secret."
        }
        Role::Auditor => "Reads everything but secrets, and changes nothing.",
    }
}

/// What a key with this scope may do.
pub fn scope(scope: Scope) -> &'static str {
    scope.meaning()
}

/// What a new password does to whoever gets it.
pub fn new_password(user: &User) -> String {
    let after = match user.disabled_at {
        None => {
            "They sign in with the new one from then on, also if they were kept waiting for too many \
                 wrong ones."
        }
        Some(_) => "They are shut out, and stay so until they are let in again.",
    };
    format!(
        "The old password no longer works, and all sessions of {} end at once. {after}",
        user.email
    )
}

/// What is said when that is done.
pub const PASSWORD_SET: &str = "Set. Their sessions have ended; give them the new password.";
