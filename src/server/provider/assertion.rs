//! Clients that sign who they are (RFC 7523 section 3, OpenID Connect Core section 9).

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use time::OffsetDateTime;

use super::{Error, Registration};
use crate::{
    domain::provider::{Authentication, AuthenticationMethod},
    server::clock::Rng,
};

/// The type of the assertions made here.
pub const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How long an assertion is good for: long enough for clocks that disagree.
const LIFETIME_SECONDS: i64 = 120;

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    jti: String,
    iat: i64,
    exp: i64,
}

/// A fresh assertion for the token endpoint at `endpoint`.
pub fn sign(
    registration: &Registration<'_>,
    authentication: &Authentication,
    secret: &SecretString,
    endpoint: &str,
    now: OffsetDateTime,
    rng: &dyn Rng,
) -> Result<SecretString, Error> {
    let unfit = || {
        let why = misfit(authentication, secret);
        let why = why.as_deref().unwrap_or("does not sign as the profile wants it");
        // Says nothing of the key itself.
        Error::Credentials(format!("the client can't sign who it is, for its key {why}"))
    };
    let (algorithm, key) = key(authentication, secret).ok_or_else(unfit)?;
    let named = match &authentication.audience {
        Some(template) => registration.fill(template)?,
        None => registration.issuer()?,
    };
    let issued = now.unix_timestamp();
    let claims = Claims {
        iss: registration.client_id,
        sub: registration.client_id,
        aud: named.as_deref().unwrap_or(endpoint),
        jti: rng.uuid(now).to_string(),
        iat: issued,
        exp: issued + LIFETIME_SECONDS,
    };
    let mut header = Header::new(algorithm);
    if let Some(template) = &authentication.key_id {
        header.kid = registration.fill(template)?;
    }
    jsonwebtoken::encode(&header, &claims, &key).map(SecretString::from).map_err(|_| unfit())
}

fn key(authentication: &Authentication, secret: &SecretString) -> Option<(Algorithm, EncodingKey)> {
    let private = authentication.method == AuthenticationMethod::PrivateKeyJwt;
    let named = authentication.algorithm.as_deref();
    let algorithm: Algorithm =
        named.unwrap_or(if private { "RS256" } else { "HS256" }).parse().ok()?;
    let secret = secret.expose_secret().as_bytes();
    let key = match algorithm {
        _ if !private => Ok(EncodingKey::from_secret(secret)),
        Algorithm::ES256 | Algorithm::ES384 => EncodingKey::from_ec_pem(secret),
        Algorithm::EdDSA => EncodingKey::from_ed_pem(secret),
        _ => EncodingKey::from_rsa_pem(secret),
    };
    Some((algorithm, key.ok()?))
}

/// Why a client can't sign with this, if it can't: whoever hands a key over is told at once, and not by the
/// first request.
pub fn misfit(authentication: &Authentication, secret: &SecretString) -> Option<String> {
    if authentication.method != AuthenticationMethod::PrivateKeyJwt {
        return None;
    }
    let signs = key(authentication, secret).is_some_and(|(algorithm, key)| {
        jsonwebtoken::encode(&Header::new(algorithm), &serde_json::json!({}), &key).is_ok()
    });
    let text = secret.expose_secret();
    let algorithm = authentication.algorithm.as_deref().unwrap_or("RS256");
    (!signs).then(|| match text {
        _ if !text.contains("-----BEGIN ") => "must be a private key in PEM form".into(),
        _ if text.contains("PUBLIC KEY-----") => {
            "is a public key; the private one is needed".into()
        }
        _ if text.contains("ENCRYPTED") => {
            "is protected by a passphrase; hand it over without one".into()
        }
        _ => format!("is no private key that signs with {algorithm}"),
    })
}
