//! Who may do what.
//!
//! The rules stand here, beside no transport, so that the page that hides a button and the use case
//! that refuses the call read the same table. Only `server::app` enforces them.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// One thing a caller may be allowed to do. Use cases ask for exactly one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    ConnectionsRead,
    ConnectionsWrite,
    ConnectionsRefresh,
    ConnectionsRelink,
    TokensRead,
    ClientsRead,
    ClientsWrite,
    ProvidersRead,
    ProvidersWrite,
    AuditRead,
    UsersRead,
    UsersWrite,
    ApiKeysRead,
    ApiKeysWrite,
    SettingsWrite,
}

impl Permission {
    pub const ALL: [Self; 15] = [
        Self::ConnectionsRead,
        Self::ConnectionsWrite,
        Self::ConnectionsRefresh,
        Self::ConnectionsRelink,
        Self::TokensRead,
        Self::ClientsRead,
        Self::ClientsWrite,
        Self::ProvidersRead,
        Self::ProvidersWrite,
        Self::AuditRead,
        Self::UsersRead,
        Self::UsersWrite,
        Self::ApiKeysRead,
        Self::ApiKeysWrite,
        Self::SettingsWrite,
    ];

    /// The scope that allows this, and the least besides.
    pub fn scope(self) -> Scope {
        let allowing = Scope::ALL.into_iter().find(|scope| scope.allows(self));
        allowing.unwrap_or(Scope::Admin)
    }
}

/// What a person is here for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub enum Role {
    /// Everything.
    Admin,
    /// Sees connections, refreshes them and creates relinks; never sees a token or a secret.
    Support,
    /// Reads everything but secrets.
    Auditor,
}

impl Role {
    pub const ALL: [Self; 3] = [Self::Admin, Self::Support, Self::Auditor];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Support => "support",
            Self::Auditor => "auditor",
        }
    }

    pub fn allows(self, permission: Permission) -> bool {
        use Permission::*;
        match self {
            Self::Admin => true,
            Self::Support => matches!(
                permission,
                ConnectionsRead
                    | ConnectionsRefresh
                    | ConnectionsRelink
                    | ClientsRead
                    | ProvidersRead
            ),
            Self::Auditor => matches!(
                permission,
                ConnectionsRead | ClientsRead | ProvidersRead | AuditRead | UsersRead | ApiKeysRead
            ),
        }
    }
}

/// What an API key may be used for. A key holds any number of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub enum Scope {
    #[serde(rename = "connections:read")]
    ConnectionsRead,
    #[serde(rename = "connections:write")]
    ConnectionsWrite,
    #[serde(rename = "connections:refresh")]
    ConnectionsRefresh,
    #[serde(rename = "connections:relink")]
    ConnectionsRelink,
    #[serde(rename = "tokens:read")]
    TokensRead,
    #[serde(rename = "clients:write")]
    ClientsWrite,
    #[serde(rename = "providers:write")]
    ProvidersWrite,
    #[serde(rename = "audit:read")]
    AuditRead,
    /// All of the others, and users and API keys.
    #[serde(rename = "admin")]
    Admin,
}

impl Scope {
    pub const ALL: [Self; 9] = [
        Self::ConnectionsRead,
        Self::ConnectionsWrite,
        Self::ConnectionsRefresh,
        Self::ConnectionsRelink,
        Self::TokensRead,
        Self::ClientsWrite,
        Self::ProvidersWrite,
        Self::AuditRead,
        Self::Admin,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::ConnectionsRead => "connections:read",
            Self::ConnectionsWrite => "connections:write",
            Self::ConnectionsRefresh => "connections:refresh",
            Self::ConnectionsRelink => "connections:relink",
            Self::TokensRead => "tokens:read",
            Self::ClientsWrite => "clients:write",
            Self::ProvidersWrite => "providers:write",
            Self::AuditRead => "audit:read",
            Self::Admin => "admin",
        }
    }

    /// What the scope lets its bearer do, in a few words for the person who grants it.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::ConnectionsRead => "see connections, clients and providers",
            Self::ConnectionsWrite => "create, change, authorize and disconnect connections",
            Self::ConnectionsRefresh => "refresh connections now",
            Self::ConnectionsRelink => "create relinks",
            Self::TokensRead => "read live access tokens",
            Self::ClientsWrite => "see, register, change and delete clients",
            Self::ProvidersWrite => "see, add, change and delete providers",
            Self::AuditRead => "read the audit log",
            Self::Admin => "everything, including users and API keys",
        }
    }

    /// Whether a key with this scope may do `permission`. What one must see in order to change it
    /// comes with the right to change it.
    pub fn allows(self, permission: Permission) -> bool {
        use Permission as P;
        match self {
            Self::ConnectionsRead => {
                matches!(permission, P::ConnectionsRead | P::ClientsRead | P::ProvidersRead)
            }
            Self::ConnectionsWrite => permission == P::ConnectionsWrite,
            Self::ConnectionsRefresh => permission == P::ConnectionsRefresh,
            Self::ConnectionsRelink => permission == P::ConnectionsRelink,
            Self::TokensRead => permission == P::TokensRead,
            Self::ClientsWrite => {
                matches!(permission, P::ClientsRead | P::ClientsWrite | P::ProvidersRead)
            }
            Self::ProvidersWrite => matches!(permission, P::ProvidersRead | P::ProvidersWrite),
            Self::AuditRead => permission == P::AuditRead,
            Self::Admin => true,
        }
    }
}

/// A role, scope, state or the like that is none of those we know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} is not a known {noun}")]
pub struct Unknown {
    pub noun: &'static str,
    pub value: String,
}

impl FromStr for Role {
    type Err = Unknown;
    fn from_str(value: &str) -> Result<Self, Unknown> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == value)
            .ok_or_else(|| Unknown { noun: "role", value: value.into() })
    }
}

impl FromStr for Scope {
    type Err = Unknown;
    fn from_str(value: &str) -> Result<Self, Unknown> {
        Self::ALL
            .into_iter()
            .find(|scope| scope.as_str() == value)
            .ok_or_else(|| Unknown { noun: "scope", value: value.into() })
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
