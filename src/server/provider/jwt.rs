//! What a JWT says of itself.
//!
//! No signature is checked. The id tokens read here came from the token endpoint in the answer to
//! our own request, over a TLS connection that named the server; that takes the signature's place
//! (OpenID Connect Core section 3.1.3.7, point 6). Of access and refresh tokens only the expiry is
//! read, as a hint.

use base64::{
    Engine,
    alphabet::URL_SAFE,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde_json::Value;
use time::{Duration, OffsetDateTime};

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// How far a provider's clock may be from ours.
const SKEW: Duration = Duration::minutes(5);

/// The claims, if `token` is a signed JWT.
pub(super) fn claims(token: &str) -> Option<Value> {
    let mut parts = token.split('.');
    let (_header, payload, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let claims: Value = serde_json::from_slice(&LENIENT.decode(payload).ok()?).ok()?;
    claims.is_object().then_some(claims)
}

/// Its `exp` (RFC 7519 section 4.1.4).
pub(super) fn expiry(claims: &Value) -> Option<OffsetDateTime> {
    let exp = claims.get("exp")?;
    let seconds = exp.as_i64().or_else(|| exp.as_f64().map(|exp| exp as i64))?;
    // What lies before 1970 no database takes, and no token means.
    let seconds = Some(seconds).filter(|seconds| *seconds >= 0)?;
    OffsetDateTime::from_unix_timestamp(seconds).ok()
}

/// What an id token must say.
pub(super) struct Expected<'a> {
    pub issuer: Option<&'a str>,
    pub client_id: &'a str,
    pub nonce: Option<&'a str>,
    pub now: OffsetDateTime,
}

/// Checks an id token's claims (OpenID Connect Core section 3.1.3.7, points 2 to 5, 9 and 11; and
/// section 12.2 for a refresh, which brings no nonce).
pub(super) fn check_id_token(claims: &Value, expected: &Expected<'_>) -> Result<(), &'static str> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if expected.issuer.is_some_and(|issuer| text("iss") != Some(issuer)) {
        return Err("the id token's issuer is not the provider's");
    }
    let is_client = |value: &Value| value.as_str() == Some(expected.client_id);
    let meant_for_us = match claims.get("aud") {
        Some(Value::Array(several)) => several.iter().any(is_client),
        Some(one) => is_client(one),
        None => false,
    };
    if !meant_for_us {
        return Err("the id token is not meant for this client");
    }
    if text("azp").is_some_and(|party| party != expected.client_id) {
        return Err("the id token was issued to another client");
    }
    // To the last moment there is nothing can be added.
    if expiry(claims).is_some_and(|exp| exp < expected.now - SKEW) {
        return Err("the id token has expired");
    }
    if expected.nonce.is_some_and(|nonce| text("nonce") != Some(nonce)) {
        return Err("the id token's nonce is not the one that was sent");
    }
    Ok(())
}
