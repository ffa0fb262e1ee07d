//! The calls that end in tokens.

use secrecy::SecretString;
use serde_json::Value;
use time::OffsetDateTime;

use super::{Error, Grant, Http, Refusal, Registration};

pub async fn exchange(
    _http: &Http,
    _registration: &Registration<'_>,
    _code: &SecretString,
    _code_verifier: &SecretString,
    _nonce: Option<&str>,
) -> Result<Grant, Refusal> {
    Err(Error::NoEndpoint("token").into())
}

pub async fn refresh(
    _http: &Http,
    _registration: &Registration<'_>,
    _refresh_token: &SecretString,
) -> Result<Grant, Refusal> {
    Err(Error::NoEndpoint("token").into())
}

pub async fn client_credentials(
    _http: &Http,
    _registration: &Registration<'_>,
) -> Result<Grant, Refusal> {
    Err(Error::NoEndpoint("token").into())
}

pub fn import(
    _registration: &Registration<'_>,
    _response: &Value,
    _obtained_at: OffsetDateTime,
) -> Result<Grant, Refusal> {
    Err(Error::NoEndpoint("token").into())
}
