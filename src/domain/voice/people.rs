//! What roles and keys are for.

use crate::domain::access::{Role, Scope};

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
