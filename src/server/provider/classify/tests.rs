use proptest::prelude::*;
use reqwest::header::{HeaderName, HeaderValue};
use time::macros::datetime;

use super::*;
use crate::{domain::provider::Profile, server::provider::tests::NOW};

fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> Answer {
    let headers = headers
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
        .collect();
    Answer { status, headers, body: body.as_bytes().to_vec() }
}

fn classified(errors: &Errors, answer: &Answer, sent_basic: bool) -> Refusal {
    let kind = answer.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let value = response::body(&answer.body, kind);
    refusal(errors, answer, value.as_ref(), sent_basic, &Redactor::default(), NOW)
}

type Case = (u16, &'static [(&'static str, &'static str)], &'static str, ErrorClass);

#[test]
fn the_standard_table() {
    use ErrorClass::*;
    const HTML: (&str, &str) = ("content-type", "text/html; charset=utf-8");
    const TABLE: &[Case] = &[
        // RFC 6749 section 5.2, at any status that refuses, and inside a 200.
        (400, &[], r#"{"error":"invalid_grant"}"#, GrantRefused),
        (401, &[], r#"{"error":"invalid_client"}"#, ClientRefused),
        (400, &[], r#"{"error":"invalid_client"}"#, ClientRefused),
        (400, &[], r#"{"error":"unauthorized_client"}"#, ClientRefused),
        (400, &[], r#"{"error":"invalid_scope"}"#, ScopeRefused),
        (403, &[], r#"{"error":"insufficient_scope"}"#, ScopeRefused),
        (400, &[], r#"{"error":"invalid_request"}"#, RequestRefused),
        (400, &[], r#"{"error":"unsupported_grant_type"}"#, RequestRefused),
        (400, &[], r#"{"error":"something_else"}"#, RequestRefused),
        (400, &[], r#"{"error":"interaction_required"}"#, GrantRefused),
        (200, &[], r#"{"error":"invalid_grant"}"#, GrantRefused),
        (200, &[], r#"{"error":{"type":"invalid_grant","message":"gone"}}"#, GrantRefused),
        (200, &[], r#"{"ok":false,"error":"unheard_of"}"#, RequestRefused),
        // As a list of errors.
        (400, &[], r#"{"errors":[{"code":"invalid_grant","title":"Gone"}]}"#, GrantRefused),
        (200, &[], r#"{"errors":[{"code":"invalid_grant"},{"code":"other"}]}"#, GrantRefused),
        (401, &[], r#"{"errors":[{"code":"invalid_client","detail":"no"}]}"#, ClientRefused),
        (400, &[], r#"{"errors":[{"error":"invalid_scope"}]}"#, ScopeRefused),
        (400, &[], r#"{"errors":[{"code":17,"message":"no"}]}"#, RequestRefused),
        (400, &[], r#"{"errors":[]}"#, RequestRefused),
        (400, &[], r#"{"errors":["invalid_grant"]}"#, RequestRefused),
        (500, &[], r#"{"errors":[{"code":"invalid_grant"}]}"#, Transient),
        // What stands at the top says more.
        (
            400,
            &[],
            r#"{"error":"invalid_scope","errors":[{"code":"invalid_grant"}]}"#,
            ScopeRefused,
        ),
        (400, &[], "error=invalid_grant&error_description=gone", GrantRefused),
        (400, &[], r#"{"error":"temporarily_unavailable"}"#, Transient),
        (400, &[], r#"{"error":"slow_down"}"#, RateLimited),
        // The status decides alone.
        (408, &[], "", Transient),
        (425, &[], "", Transient),
        (429, &[], r#"{"error":"invalid_grant"}"#, RateLimited),
        (500, &[], r#"{"error":"invalid_grant"}"#, Transient),
        (502, &[HTML], "<html>", Transient),
        (503, &[], "", Transient),
        (503, &[("retry-after", "5")], "", RateLimited),
        (599, &[], "", Transient),
        // No code: nobody is condemned.
        (400, &[], "", RequestRefused),
        (401, &[], "", RequestRefused),
        (401, &[], "{}", RequestRefused),
        (403, &[], "", RequestRefused),
        (404, &[], "Not Found", RequestRefused),
        (400, &[], r#"{"error":"invalid_gr"#, Transient),
        (403, &[HTML], "<!doctype html><title>Blocked</title>", Transient),
        (401, &[HTML], "Please log in", Transient),
        // Redirects are not followed.
        (301, &[], "", RequestRefused),
        (302, &[HTML], "<a>", Transient),
        // A success that is none: the token may have been used up.
        (200, &[HTML], "<html>", AnswerLost),
        (200, &[], "", AnswerLost),
        (204, &[], "", AnswerLost),
        (200, &[], r#"{"access_tok"#, AnswerLost),
        (200, &[], "{}", AnswerLost),
        (200, &[], "[]", AnswerLost),
        (200, &[], r#"{"access_token":""}"#, AnswerLost),
        (200, &[], r#"{"access_token":17,"error":null}"#, AnswerLost),
    ];
    for (status, headers, body, class) in TABLE {
        let found = classified(&Errors::default(), &answer(*status, headers, body), true);
        assert_eq!(found.class, *class, "{status} {headers:?} {body}");
        assert!(found.sent && found.status == Some(*status));
    }
}

#[test]
fn a_401_that_asks_for_basic_refuses_the_basic_it_was_given() {
    let challenge = answer(401, &[("www-authenticate", "Basic realm=\"x\"")], "");
    let errors = Errors::default();
    assert_eq!(classified(&errors, &challenge, true).class, ErrorClass::ClientRefused);
    assert_eq!(classified(&errors, &challenge, false).class, ErrorClass::RequestRefused);
    let bearer = answer(401, &[("www-authenticate", "Bearer")], "");
    assert_eq!(classified(&errors, &bearer, true).class, ErrorClass::RequestRefused);
}

#[test]
fn a_profiles_rules_come_first() {
    let rules = r#"[
        {"status": 503, "text": "Scheduled Maintenance", "class": "rate_limited"},
        {"status": 401, "code": "E17", "class": "grant_refused"},
        {"pointer": "/result/code", "equals": "42", "class": "client_refused"},
        {"pointer": "/fault", "class": "transient"},
        {"code": "invalid_grant", "text": "client", "class": "client_refused"}
    ]"#;
    let errors = Errors { rules: serde_json::from_str(rules).unwrap(), ..Errors::default() };
    for (status, body, class) in [
        (503, "<h1>scheduled maintenance</h1>", ErrorClass::RateLimited),
        (503, "else", ErrorClass::Transient),
        (401, r#"{"error":"e17"}"#, ErrorClass::GrantRefused),
        (400, r#"{"error":"E17"}"#, ErrorClass::RequestRefused),
        (200, r#"{"result":{"code":42}}"#, ErrorClass::ClientRefused),
        (200, r#"{"result":{"code":43}}"#, ErrorClass::AnswerLost),
        (400, r#"{"fault":{}}"#, ErrorClass::Transient),
        (400, r#"{"fault":null}"#, ErrorClass::RequestRefused),
        (400, r#"{"error":"invalid_grant","x":"bad Client"}"#, ErrorClass::ClientRefused),
        (400, r#"{"error":"invalid_grant"}"#, ErrorClass::GrantRefused),
    ] {
        assert_eq!(classified(&errors, &answer(status, &[], body), false).class, class, "{body}");
    }
}

#[test]
fn retry_after_is_read_in_both_forms() {
    for (text, wait) in [
        ("120", Some(Duration::minutes(2))),
        ("1.5", Some(Duration::milliseconds(1500))),
        ("0", Some(Duration::ZERO)),
        ("-5", Some(Duration::ZERO)),
        ("Fri, 20 Nov 2026 12:05:00 GMT", Some(Duration::minutes(5))),
        ("Fri, 20 Nov 2026 11:00:00 GMT", Some(Duration::ZERO)),
        ("99999999999", Some(LONGEST_WAIT)),
        ("NaN", None),
        ("soon", None),
    ] {
        assert_eq!(NOW, datetime!(2026-11-20 12:00:00 UTC));
        let found =
            classified(&Errors::default(), &answer(429, &[("retry-after", text)], ""), false);
        assert_eq!(found.retry_after, wait, "{text}");
    }
}

#[test]
fn words_of_the_provider_are_kept_for_people() {
    let body = r#"{"error":"invalid_grant","error_description":"Refresh token has expired."}"#;
    let found = classified(&Errors::default(), &answer(400, &[], body), false);
    assert_eq!(found.code.as_deref(), Some("invalid_grant"));
    assert_eq!(found.description.as_deref(), Some("Refresh token has expired."));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Whatever comes back: a verdict, no panic.
    #[test]
    fn anything_is_classified(
        status in 100_u16..1000,
        body in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..400),
            "\\{\"(error|access_token|expires_in|scope)\":[^a-z]{0,20}\\}?".prop_map(String::into_bytes),
        ],
        kind in prop::option::of("(text/html|application/json|text/plain|[ -~]{0,20})"),
        retry in prop::option::of("[ -~]{0,30}"),
        sent_basic in any::<bool>(),
    ) {
        let mut answer = Answer { status, headers: HeaderMap::new(), body };
        if let Some(kind) = kind {
            answer.headers.insert(CONTENT_TYPE, HeaderValue::from_str(&kind).unwrap());
        }
        if let Some(retry) = retry {
            answer.headers.insert(RETRY_AFTER, HeaderValue::from_str(&retry).unwrap());
        }
        let found = classified(&Profile::new("a", "A").errors, &answer, sent_basic);
        prop_assert!(found.sent);
        if let Some(wait) = found.retry_after {
            prop_assert!(wait >= Duration::ZERO && wait <= LONGEST_WAIT);
        }
    }

    /// Whatever a provider does with what it was sent, nothing of it reaches the refusal.
    #[test]
    fn no_secret_is_in_a_refusal(
        secret in "[A-Za-z0-9+/=_.~-]{12,80}",
        status in prop_oneof![Just(200_u16), Just(400), Just(401), Just(429), Just(500)],
        before in "[ -~]{0,600}",
        field in prop_oneof![Just("error"), Just("error_description"), Just("message")],
        form in 0..4,
    ) {
        let echo = match form {
            0 => secret.clone(),
            1 => url::form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
            2 => secret.to_uppercase(),
            _ => secret[..secret.len() - 2].to_owned(),
        };
        let mut body = serde_json::json!({ "error": "invalid_grant" });
        body[field] = format!("{before}{echo} and so on").into();
        let answer = Answer { status, headers: HeaderMap::new(), body: body.to_string().into_bytes() };
        let mut redactor = Redactor::default();
        redactor.hide(&secret);
        let value = response::body(&answer.body, None);
        let found = refusal(&Errors::default(), &answer, value.as_ref(), false, &redactor, NOW);
        let shown = format!("{found} {found:?}").to_lowercase();
        prop_assert!(!shown.contains(&secret.to_lowercase()), "{shown}");
        prop_assert!(!shown.contains(&echo.to_lowercase()), "{shown}");
        prop_assert!(found.description.is_none_or(|text| text.chars().count() <= 500));
        prop_assert!(found.code.is_none_or(|text| text.chars().count() <= 100));
    }
}
