//! Scopes, and the two that are requests for short lives.
//!
//! `ttl:60` asks for access tokens of 60 seconds and `refresh_ttl:600` for refresh tokens of 600,
//! for this grant only. They are scopes, because every grant type and every client library can
//! send a scope.

use time::Duration;

use super::{clients::Client, wire::OAuthError};

const TEN_YEARS: u32 = 10 * 365 * 86_400;

/// The lifetime that `prefix` asks for, if one of the scopes does.
fn asked(scope: &[String], prefix: &str) -> Option<Duration> {
    scope.iter().find_map(|scope| seconds(scope, prefix))
}

fn seconds(scope: &str, prefix: &str) -> Option<Duration> {
    let seconds: u32 = scope.strip_prefix(prefix)?.parse().ok()?;
    (1..=TEN_YEARS).contains(&seconds).then(|| Duration::seconds(seconds.into()))
}

pub fn access_ttl(client: &Client, scope: &[String]) -> Duration {
    asked(scope, "ttl:").unwrap_or(client.access_ttl)
}

pub fn refresh_ttl(client: &Client, scope: &[String]) -> Option<Duration> {
    asked(scope, "refresh_ttl:").or(client.refresh.lifetime)
}

/// Splits a scope parameter and refuses what the client may not have. None asked for: all that is
/// registered, save `offline_access`, which must be asked for.
pub fn allow(client: &Client, asked: Option<&str>) -> Result<Vec<String>, OAuthError> {
    let Some(asked) = asked else {
        let default = client.scopes.iter().filter(|scope| *scope != "offline_access");
        return Ok(default.cloned().collect());
    };
    let mut scopes = Vec::new();
    for scope in asked.split(' ').filter(|scope| !scope.is_empty()) {
        let known = client.scopes.iter().any(|allowed| allowed == scope)
            || seconds(scope, "ttl:").is_some()
            || seconds(scope, "refresh_ttl:").is_some();
        if !known {
            let text = format!("scope {scope} is not registered for this client");
            return Err(OAuthError::new("invalid_scope", text));
        }
        if !scopes.iter().any(|had| had == scope) {
            scopes.push(scope.to_owned());
        }
    }
    Ok(scopes)
}

/// The scope of a refresh: what was granted, or less (RFC 6749 section 6).
pub fn narrow(granted: &[String], asked: Option<&str>) -> Result<Vec<String>, OAuthError> {
    let Some(asked) = asked else { return Ok(granted.to_vec()) };
    let asked: Vec<String> =
        asked.split(' ').filter(|scope| !scope.is_empty()).map(str::to_owned).collect();
    match asked.iter().find(|scope| !granted.contains(scope)) {
        Some(scope) => {
            let text = format!("scope {scope} was not granted");
            Err(OAuthError::new("invalid_scope", text))
        }
        None => Ok(asked),
    }
}
