//! What goes wrong before a provider has a say.

use crate::domain::provider::FieldError;

/// No request was made, or none of a token endpoint. Its text holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The issuer's metadata can't be had or contradicts itself.
    #[error("{0}")]
    Discovery(String),
    /// The address is one that Regrant does not call.
    #[error("{0}")]
    Blocked(String),
    /// A callback came from another authorization server (RFC 9207).
    #[error("the callback's issuer {0}")]
    Issuer(&'static str),
    /// A profile or a variable's value makes no sense.
    #[error("{}", list(.0))]
    Invalid(Vec<FieldError>),
    /// The profile has no such endpoint, or its variable is empty.
    #[error("the provider has no {0} endpoint")]
    NoEndpoint(&'static str),
    /// A preset can't be read.
    #[error("{0}")]
    Catalog(String),
    /// The client's secret is missing or unfit for the way it is to be used.
    #[error("{0}")]
    Credentials(String),
    /// The outbound client can't be built.
    #[error("the outbound HTTP client can't be built: {0}")]
    Client(String),
}

fn list(errors: &[FieldError]) -> String {
    errors
        .iter()
        .map(|error| format!("{}: {}", error.field, error.message))
        .collect::<Vec<_>>()
        .join("; ")
}
