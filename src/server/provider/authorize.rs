//! The request that an account's owner carries to the provider (RFC 6749 section 4.1.1).

use secrecy::SecretString;
use url::Url;

use super::{Error, Registration};

/// What one authorization has of its own.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub state: &'a str,
    pub code_verifier: &'a SecretString,
    pub nonce: Option<&'a str>,
    pub login_hint: Option<&'a str>,
}

/// Where to send the browser.
pub fn url(_registration: &Registration<'_>, _request: &Request<'_>) -> Result<Url, Error> {
    Err(Error::NoEndpoint("authorization"))
}

/// Whether the `iss` of a callback is the issuer's (RFC 9207 section 2.4).
pub fn check_issuer(_registration: &Registration<'_>, _iss: Option<&str>) -> Result<(), Error> {
    Err(Error::NoEndpoint("authorization"))
}
