//! The request that an account's owner carries to the provider (RFC 6749 section 4.1.1), and the
//! mark by which its answer is known (RFC 9207).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use url::Url;

use super::{Error, Registration, guard};
use crate::domain::provider::{Pkce, Place};

/// What one authorization has of its own.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub state: &'a str,
    /// RFC 7636 section 4.1: 43 to 128 unreserved characters.
    pub code_verifier: &'a SecretString,
    /// Sent when the scopes hold `openid`.
    pub nonce: Option<&'a str>,
    pub login_hint: Option<&'a str>,
}

/// The challenge of RFC 7636 section 4.2, and its method.
pub(super) fn challenge(pkce: Pkce, verifier: &SecretString) -> Option<(String, &'static str)> {
    let verifier = verifier.expose_secret();
    match pkce {
        Pkce::S256 => Some((URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)), "S256")),
        Pkce::Plain => Some((verifier.to_owned(), "plain")),
        Pkce::Off => None,
    }
}

/// Where to send the browser.
pub fn url(registration: &Registration<'_>, request: &Request<'_>) -> Result<Url, Error> {
    let profile = registration.profile;
    let dialect = &profile.authorization;
    let mut url =
        registration.endpoint("authorization", profile.endpoints.authorization.as_deref())?;
    guard::vet_link(&url).map_err(Error::Blocked)?;

    let scope = registration.scope();
    let challenge = challenge(dialect.pkce, request.code_verifier);
    let standard = [
        ("response_type", Some("code")),
        ("client_id", Some(registration.client_id)),
        ("redirect_uri", Some(registration.redirect_uri)),
        ("scope", scope.as_deref()),
        ("state", Some(request.state)),
        ("code_challenge", challenge.as_ref().map(|(challenge, _)| challenge.as_str())),
        ("code_challenge_method", challenge.as_ref().map(|(_, method)| *method)),
        ("nonce", request.nonce.filter(|_| registration.asks_for_id_token())),
        ("login_hint", request.login_hint),
    ];
    let mut query = url.query_pairs_mut();
    for (name, value) in standard {
        let Some(value) = value else { continue };
        match dialect.parameters.get(name) {
            None => query.append_pair(name, value),
            Some(parameter) if parameter.place == Place::Omit => continue,
            Some(parameter) => query.append_pair(
                parameter.name.as_deref().unwrap_or(name),
                parameter.value.as_deref().unwrap_or(value),
            ),
        };
    }
    for (name, template) in &dialect.extra {
        if let Some(value) = registration.fill(template)? {
            query.append_pair(name, &value);
        }
    }
    drop(query);
    Ok(url)
}

/// Whether a callback's `iss` is the issuer's, byte for byte (RFC 9207 section 2.4). One that is
/// absent is refused only if the provider promises it; one that is present is ignored when the
/// profile names no issuer to compare it with.
pub fn check_issuer(registration: &Registration<'_>, iss: Option<&str>) -> Result<(), Error> {
    match (registration.issuer()?, iss) {
        (Some(expected), Some(iss)) if expected != iss => {
            Err(Error::Issuer("is not the provider's"))
        }
        (Some(_), None) if registration.profile.authorization.iss_required => {
            Err(Error::Issuer("is missing"))
        }
        _ => Ok(()),
    }
}
