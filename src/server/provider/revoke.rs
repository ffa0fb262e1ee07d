//! Telling the provider that a grant is over (RFC 7009).

use secrecy::SecretString;

use super::{Http, Refusal, Registration};

/// Revokes a grant. False: the provider has no revocation endpoint.
pub async fn revoke(
    _http: &Http,
    _registration: &Registration<'_>,
    _refresh_token: Option<&SecretString>,
    _access_token: Option<&SecretString>,
) -> Result<bool, Refusal> {
    Ok(false)
}
