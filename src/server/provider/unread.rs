//! What a token response holds where its profile does not look: whoever hands one over can mend it, or the
//! profile, before a token is lost or counts as living for ever.

use serde_json::Value;
use time::OffsetDateTime;

use super::{
    Grant, Registration,
    expiry::{self, Expiry},
};

/// What was looked for and not found.
#[derive(Clone, Copy)]
struct Missing {
    access: bool,
    refresh: bool,
    expiry: bool,
    refresh_expiry: bool,
}

impl Missing {
    /// Whether something of this name may be it.
    fn fits(self, name: &str, value: &Value) -> bool {
        let says = match value {
            Value::String(text) => !text.is_empty() && text != "0",
            Value::Number(number) => number.as_f64() != Some(0.0),
            _ => false,
        };
        let name: String = name
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .map(|char| char.to_ascii_lowercase())
            .collect();
        let (refresh, ends) = (name.contains("refresh"), name.contains("expir"));
        let is_token = value.is_string() && name.contains("token") && !ends;
        let other =
            name.ends_with("type") || name.contains("idtoken") || name.contains("csrftoken");
        says && (self.refresh && is_token && name.contains("refreshtoken")
            || self.access && !refresh && !other && (is_token || name == "jwt")
            || self.expiry && !refresh && (name.starts_with("expir") || name == "exp")
            || self.refresh_expiry && refresh && ends)
    }

    /// Where something of that kind stands, at the top and one step below, as JSON pointers.
    fn places(self, response: &Value) -> impl Iterator<Item = String> {
        let fields = response.as_object();
        let at_top = fields
            .into_iter()
            .flatten()
            .filter(move |(name, value)| self.fits(name, value))
            .map(|(name, _)| step(name));
        let below = fields.into_iter().flatten().flat_map(move |(outer, value)| {
            let inner = value.as_object().into_iter().flatten();
            let fitting = inner.filter(move |(name, value)| self.fits(name, value));
            fitting.map(move |(name, _)| format!("{}{}", step(outer), step(name)))
        });
        at_top.chain(below)
    }
}

/// RFC 6901.
fn step(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// Where a token response that is to be kept holds a refresh token or an expiry by a name at which the profile
/// does not look, as what other programs keep often does. `expires`: whether an expiry was found.
pub fn first(response: &Value, given: &Grant, expires: bool) -> Option<String> {
    let missing = Missing {
        access: false,
        refresh: given.refresh_token.is_none(),
        expiry: !expires,
        refresh_expiry: false,
    };
    let found = missing.places(response).next()?;
    Some(found.trim_start_matches('/').to_owned())
}

/// Where a sample holds what looks like a token or its end, and nothing of that kind was read. `given`: what was
/// read.
pub(super) fn all(
    registration: &Registration<'_>,
    response: &Value,
    given: Option<&Grant>,
    now: OffsetDateTime,
) -> Vec<String> {
    let dialect = &registration.profile.response;
    let silent = |sources: &[_]| expiry::read(response, sources, now) == Expiry::Silent;
    let missing = Missing {
        access: given.is_none(),
        refresh: given.is_none_or(|given| given.refresh_token.is_none()),
        expiry: silent(&dialect.expiry),
        refresh_expiry: silent(&dialect.refresh_expiry),
    };
    let pointers = [&dialect.access_token, &dialect.refresh_token, &dialect.id_token];
    let sources = dialect.expiry.iter().chain(&dialect.refresh_expiry);
    let looked_at: Vec<&str> = pointers
        .into_iter()
        .flatten()
        .map(String::as_str)
        .chain(sources.map(|source| source.pointer.as_str()))
        .chain(dialect.extras.iter().map(|extra| extra.pointer.as_str()))
        .collect();
    missing.places(response).filter(|place| !looked_at.contains(&place.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::server::provider::tests::{NOW, Owned};

    #[test]
    fn what_looks_like_a_token_or_its_end_is_named_where_nothing_was_read() {
        let owned = Owned::at("https://service.example");
        let registration = owned.registration();
        let seen = |response: Value| all(&registration, &response, None, NOW);
        for (response, wanted) in [
            (json!({ "accessToken": "a" }), vec!["/accessToken"]),
            (json!({ "data": { "authToken": "a" } }), vec!["/data/authToken"]),
            (json!({ "a/b": { "token": "a" } }), vec!["/a~1b/token"]),
            (json!({ "expiresAt": 7, "refreshToken": "a" }), vec!["/expiresAt", "/refreshToken"]),
            (json!({ "refresh_token_expiry": 7 }), vec!["/refresh_token_expiry"]),
            // What is no token, what is read, and what says that there is none.
            (json!({ "token_type": "Bearer", "tokenType": "b", "id_token": "c" }), vec![]),
            (json!({ "expires_in": 3600, "expires_at": 7 }), vec![]),
            (json!({ "expiresAt": null, "refreshToken": "", "expiry": 0 }), vec![]),
            (json!(["access_token"]), vec![]),
        ] {
            assert_eq!(seen(response.clone()), wanted, "{response}");
        }
    }
}
