//! What was granted beside what was asked for.

use super::Connection;

/// Where the two differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift<'a> {
    /// Asked for and not granted.
    pub missing: Vec<&'a str>,
    /// Granted and not asked for.
    pub more: Vec<&'a str>,
}

/// Whether many providers keep quiet about a scope that they granted: those that ask for an id token (OpenID
/// Connect Core, section 3.1.2.1) or a refresh token (section 11).
pub fn is_seldom_told(scope: &str) -> bool {
    matches!(scope, "openid" | "offline_access")
}

impl Connection {
    /// `None`: they are the same, or the provider has not said what it grants.
    pub fn drift(&self) -> Option<Drift<'_>> {
        if !self.holds_tokens() || self.scopes_granted.is_empty() {
            return None;
        }
        let (asked, granted) = (&self.scopes_requested, &self.scopes_granted);
        // Where nothing renews it, what was to bring a refresh token was not granted in silence.
        let is_tacit = |scope: &str| is_seldom_told(scope) && (scope == "openid" || self.renews());
        let missing: Vec<&str> = asked
            .iter()
            .filter(|scope| !granted.contains(scope) && !is_tacit(scope))
            .map(String::as_str)
            .collect();
        let more: Vec<&str> =
            granted.iter().filter(|scope| !asked.contains(scope)).map(String::as_str).collect();
        (!missing.is_empty() || !more.is_empty()).then_some(Drift { missing, more })
    }
}
