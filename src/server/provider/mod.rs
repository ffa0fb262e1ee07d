//! All outbound OAuth traffic.
//!
//! A profile (`domain::provider`) says how a provider wants to be spoken to; this room speaks. It
//! builds each request from the profile ([`dialect`]), sends it through the one guarded client
//! ([`guard`]), reads what comes back ([`response`]) and says of a refusal what it means
//! ([`classify`]). It stores nothing and decides nothing.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use secrecy::SecretString;
use serde_json::Value;
use time::OffsetDateTime;

use crate::{
    domain::{provider::Profile, refusal::ErrorClass},
    server::clock::{Clock, Rng},
};

pub mod account;
pub(in crate::server) mod assertion;
pub mod authorize;
mod bounds;
pub mod catalog;
pub mod check;
mod classify;
pub mod device;
mod dialect;
pub mod discovery;
pub mod dry_run;
mod error;
mod expiry;
mod fill;
pub mod guard;
pub mod introspect;
mod jwt;
mod oddity;
pub mod profile;
pub(super) mod redact;
mod response;
pub mod revoke;
pub mod token;
pub mod unread;

#[cfg(any(test, feature = "probe"))]
mod golden;
#[cfg(any(test, feature = "probe"))]
#[doc(hidden)]
pub mod probe;
#[cfg(test)]
mod tests;

pub use catalog::Catalog;
pub use error::Error;

/// How long a whole call may take, from the first DNS query to the last byte. A refresh lease must
/// be longer.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// The guarded outbound client, with the time and randomness its requests need. Cheap to clone.
#[derive(Clone)]
pub struct Http(Arc<Inner>);

struct Inner {
    client: guard::Client,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
}

impl Http {
    /// Fails when TLS can't be set up.
    pub fn new(
        policy: guard::Policy,
        clock: Arc<dyn Clock>,
        rng: Arc<dyn Rng>,
    ) -> Result<Self, Error> {
        Ok(Self(Arc::new(Inner { client: guard::Client::new(policy)?, clock, rng })))
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").finish_non_exhaustive()
    }
}

/// One client at one provider: what every call begins from.
#[derive(Clone, Copy, Debug)]
pub struct Registration<'a> {
    pub profile: &'a Profile,
    /// Values of the profile's variables; an absent one has its default.
    pub variables: &'a BTreeMap<String, String>,
    pub client_id: &'a str,
    /// The client's secret; for `private_key_jwt` its private key in PEM.
    pub client_secret: Option<&'a SecretString>,
    pub scopes: &'a [String],
    pub redirect_uri: &'a str,
}

/// What a token response gave.
#[derive(Clone)]
pub struct Grant {
    pub access_token: SecretString,
    /// None: the response brought none, and the one we have stays valid.
    pub refresh_token: Option<SecretString>,
    pub id_token: Option<SecretString>,
    /// As the provider wrote it; `Bearer` when it said nothing.
    pub token_type: String,
    /// None: the response is silent, so what was asked for (or what we have) is what was granted.
    pub scopes: Option<Vec<String>>,
    /// From the response, else the token's own `exp`, else the profile's lifetime.
    pub access_expires_at: Option<OffsetDateTime>,
    /// From the response, else the token's own `exp`, else the profile's lifetime; a fixed
    /// lifetime is counted only when a grant begins. None after a refresh: what was known stays.
    /// The idle limit (`lifetimes.refresh_idle_seconds`) is not in it.
    pub refresh_expires_at: Option<OffsetDateTime>,
    pub account: Option<Account>,
    /// What the profile names as extras, by their names.
    pub extras: serde_json::Map<String, Value>,
    /// When the request was sent; for an import, when the response was obtained.
    pub obtained_at: OffsetDateTime,
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant")
            .field("refresh_token", &self.refresh_token.is_some())
            .field("scopes", &self.scopes)
            .field("access_expires_at", &self.access_expires_at)
            .field("refresh_expires_at", &self.refresh_expires_at)
            .field("account", &self.account)
            .field("obtained_at", &self.obtained_at)
            .finish_non_exhaustive()
    }
}

/// Whose account a grant is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Tells two accounts of one provider apart, and never changes.
    pub id: String,
    /// What its owner would recognise.
    pub label: Option<String>,
}

/// Why a call did not give what was asked of it.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{}", self.said())]
pub struct Refusal {
    pub class: ErrorClass,
    pub status: Option<u16>,
    /// The provider's own code, redacted, at most 100 characters.
    pub code: Option<String>,
    /// The provider's own words or ours; any echo of a secret we sent is replaced. At most 500
    /// characters.
    pub description: Option<String>,
    pub retry_after: Option<time::Duration>,
    /// The request reached the wire.
    pub sent: bool,
}

impl Refusal {
    /// The provider's words, or ours, with its code where it has one.
    fn said(&self) -> String {
        match (&self.description, &self.code) {
            (Some(said), Some(code)) if !said.contains(code.as_str()) => format!("{said} ({code})"),
            (Some(said), _) => said.clone(),
            (None, Some(code)) => code.clone(),
            (None, None) => "it gave no reason".into(),
        }
    }

    /// That `provider` did not give `what`, in words for whoever waits for it. What is wrong here is not said
    /// of the provider: it was not asked.
    pub fn told(&self, provider: &str, what: &str) -> String {
        let said = self.said();
        let said = said.trim_end_matches('.');
        match (self.sent, self.class) {
            (false, ErrorClass::RequestRefused) => format!("{provider} was not asked: {said}."),
            (false, _) => format!("{provider} could not be reached: {said}."),
            (true, _) => format!("{provider} did not give {what}: {said}."),
        }
    }

    /// A refusal of our own, before anything was sent.
    fn unsent(class: ErrorClass, description: impl Into<String>) -> Self {
        Self {
            class,
            status: None,
            code: None,
            description: Some(description.into()),
            retry_after: None,
            sent: false,
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::unsent(ErrorClass::RequestRefused, error.to_string())
    }
}
