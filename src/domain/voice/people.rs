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

/// What is said of a password that somebody gives to another.
pub const HAND_OVER: &str = "Hand it over by a safe way; they can change it in their profile.";

/// What stands above the login where nobody can sign in yet.
pub const NOBODY_YET: &str = "Nobody can sign in yet. Regrant's log shows, at each start, an address at \
                              which the first admin is made.";

/// What is behind a set-up link that is not the newest.
pub const SETUP_UNKNOWN: &str = "This link makes nobody an admin: it is not the newest. Regrant's log shows \
                                 the newest at each start, as long as there are no users.";

/// And where there are users.
pub const SETUP_OVER: &str = "This link makes nobody an admin any more: Regrant has users. If you are none of \
                              them, ask an admin to add you.";
