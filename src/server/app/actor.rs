//! Who asks. Every use case takes an actor and refuses by it.

use uuid::Uuid;

use super::{Error, Result};
use crate::domain::access::{Permission, Role, Scope};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// Nobody we know.
    Anonymous,
    User {
        id: Uuid,
        email: String,
        role: Role,
    },
    ApiKey {
        id: Uuid,
        name: String,
        scopes: Vec<Scope>,
    },
    /// Whoever holds a one-time link.
    Relink {
        id: Uuid,
        label: String,
    },
    /// The worker.
    System,
    /// Whoever may run our commands on the machine.
    Operator,
}

impl Actor {
    pub fn allows(&self, permission: Permission) -> bool {
        match self {
            Self::Anonymous | Self::Relink { .. } => false,
            Self::User { role, .. } => role.allows(permission),
            Self::ApiKey { scopes, .. } => scopes.iter().any(|scope| scope.allows(permission)),
            Self::System | Self::Operator => true,
        }
    }

    /// Refuses whoever may not do `permission`.
    pub fn require(&self, permission: Permission) -> Result<()> {
        match self {
            Self::Anonymous => Err(Error::Unauthenticated),
            _ if self.allows(permission) => Ok(()),
            _ => Err(Error::Forbidden(Some(permission))),
        }
    }

    /// The person signed in; refuses everyone else.
    pub fn user_id(&self) -> Result<Uuid> {
        match self {
            Self::User { id, .. } => Ok(*id),
            Self::Anonymous => Err(Error::Unauthenticated),
            _ => Err(Error::Forbidden(None)),
        }
    }

    pub fn kind(&self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::User { .. } => "user",
            Self::ApiKey { .. } => "api_key",
            Self::Relink { .. } => "relink",
            Self::System => "system",
            Self::Operator => "operator",
        }
    }

    pub fn id(&self) -> Option<Uuid> {
        match self {
            Self::User { id, .. } | Self::ApiKey { id, .. } | Self::Relink { id, .. } => Some(*id),
            Self::Anonymous | Self::System | Self::Operator => None,
        }
    }

    /// How the history names them.
    pub fn label(&self) -> &str {
        match self {
            Self::Anonymous => "nobody",
            Self::User { email, .. } => email,
            Self::ApiKey { name, .. } => name,
            Self::Relink { label, .. } => label,
            Self::System => "worker",
            Self::Operator => "command line",
        }
    }
}
