//! Asking the provider how a token is (RFC 7662).

use secrecy::SecretString;
use serde_json::Value;
use time::OffsetDateTime;

use super::{
    Error, Http, Refusal, Registration, classify,
    dialect::{self, Given, Prepared},
    token,
};
use crate::{
    domain::{introspection::TokenStatus, provider::Call, refusal::ErrorClass},
    server::clock::Rng,
};

/// Asks about one token. `hint`: what it is (RFC 7662 section 2.1).
pub async fn introspect(
    http: &Http,
    registration: &Registration<'_>,
    hint: &'static str,
    token: &SecretString,
) -> Result<TokenStatus, Refusal> {
    let (now, rng) = (http.0.clock.now(), http.0.rng.as_ref());
    let prepared = prepare(registration, hint, token, now, rng)?;
    let (answer, redactor, sent_basic) = token::send(http, prepared).await?;
    let (value, now) = (token::data(&answer), http.0.clock.now());
    let well = (200..300).contains(&answer.status);
    if let Some(status) = value.as_ref().filter(|_| well).and_then(read) {
        return Ok(status);
    }
    let errors = &registration.profile.errors;
    let refusal = classify::refusal(errors, &answer, value.as_ref(), sent_basic, &redactor, now);
    if well && refusal.code.is_none() {
        let description = Some("the answer does not say whether the token is active".to_owned());
        return Err(Refusal { class: ErrorClass::RequestRefused, description, ..refusal });
    }
    Err(refusal)
}

/// The request that asks about one token.
pub(super) fn prepare(
    registration: &Registration<'_>,
    hint: &'static str,
    token: &SecretString,
    now: OffsetDateTime,
    rng: &dyn Rng,
) -> Result<Prepared, Error> {
    let template = registration.profile.endpoints.introspection.as_deref();
    let endpoint = registration.endpoint("introspection", template)?;
    let given = [("token", Given::Secret(token)), ("token_type_hint", Given::Plain(hint))];
    dialect::build(registration, Call::Introspection, endpoint, &given, now, rng)
}

/// Reads the answer. None: it does not say the one thing that was asked.
fn read(value: &Value) -> Option<TokenStatus> {
    let active = match value.get("active")? {
        Value::Bool(active) => *active,
        Value::String(text) => text.parse().ok()?,
        _ => return None,
    };
    let expires_at = value.get("exp").and_then(|exp| match exp {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    });
    let scopes = match value.get("scope") {
        Some(Value::String(text)) => text.split_whitespace().map(str::to_owned).collect(),
        Some(Value::Array(all)) => {
            all.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    };
    Some(TokenStatus {
        active,
        expires_at: expires_at
            .filter(|exp| *exp > 0)
            .and_then(|exp| OffsetDateTime::from_unix_timestamp(exp).ok()),
        scopes,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::macros::datetime;

    use super::*;

    #[test]
    fn an_answer_says_whether_or_it_is_none() {
        let full = json!({ "active": true, "exp": 1_767_225_600, "scope": "read write" });
        let status = read(&full).unwrap();
        assert_eq!(status.expires_at, Some(datetime!(2026-01-01 00:00 UTC)));
        assert_eq!((status.active, status.scopes.len()), (true, 2));
        let odd = json!({ "active": "false", "exp": "0", "scope": ["read"] });
        let status = read(&odd).unwrap();
        assert_eq!((status.active, status.expires_at, status.scopes.len()), (false, None, 1));
        for other in [json!({}), json!({ "active": 1 }), json!("true"), json!({ "active": "yes" })]
        {
            assert_eq!(read(&other), None, "{other}");
        }
        assert_eq!(read(&json!({ "active": true, "exp": i64::MAX })).unwrap().expires_at, None);
    }
}
