use std::time::Duration;

use proptest::prelude::*;
use secrecy::ExposeSecret;
use serde_json::json;
use time::macros::datetime;

use super::*;
use crate::{
    domain::provider::{AccountSource, ExpiryForm, Extra, IdentityOrigin},
    server::provider::{
        Account, Catalog, account, guard,
        revoke::revoke,
        tests::{Act, NOW, Owned, Server, http, http_with, jwt},
    },
};

fn secret(text: &str) -> SecretString {
    SecretString::from(text)
}

fn preset(slug: &str) -> Owned {
    Owned::new(Catalog::load(None).unwrap().find(slug).unwrap().clone())
}

async fn refreshed(act: Act) -> (Result<Grant, Refusal>, String) {
    let server = Server::new(|_| vec![act]).await;
    let owned = Owned::at(&server.origin);
    let grant = refresh(&http(), &owned.registration(), &secret("the-refresh-token-0815")).await;
    (grant, server.seen().concat())
}

#[tokio::test]
async fn a_refresh_goes_over_the_wire_and_comes_back() {
    let (grant, seen) = refreshed(Act::json(
        200,
        r#"{"access_token":"a2","refresh_token":"r2","expires_in":3600,"scope":"a b","token_type":"bearer"}"#,
    ))
    .await;
    let grant = grant.unwrap();
    assert_eq!(grant.access_token.expose_secret(), "a2");
    assert_eq!(grant.refresh_token.unwrap().expose_secret(), "r2");
    assert_eq!(grant.access_expires_at, Some(datetime!(2026-11-20 13:00:00 UTC)));
    assert_eq!(grant.refresh_expires_at, None);
    assert_eq!(grant.scopes, Some(vec!["a".into(), "b".into()]));
    assert_eq!(grant.token_type, "bearer");
    assert_eq!(grant.obtained_at, NOW);
    let (head, body) = seen.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /token HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("user-agent: Regrant/"), "{head}");
    assert_eq!(body, "grant_type=refresh_token&refresh_token=the-refresh-token-0815");
}

#[tokio::test]
async fn a_response_that_says_little_is_enough() {
    let (grant, _) = refreshed(Act::json(200, r#"{"access_token":"a2"}"#)).await;
    let grant = grant.unwrap();
    assert!(grant.refresh_token.is_none() && grant.scopes.is_none());
    assert_eq!((grant.access_expires_at, grant.token_type.as_str()), (None, "Bearer"));
}

#[tokio::test]
async fn odd_bodies_cost_no_tokens() {
    let latin1 = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"access_token\":\"a2\",\"name\":\"Ren\xe9\"}";
    for act in [
        Act::json(200, "\u{feff}{\"access_token\":\"a2\"}"),
        Act::json(200, r#"{"access_token":"a2","refresh_token":null,"expires_in":{},"scope":7}"#),
        Act::json(
            200,
            r#"{"access_token":"a2","refresh_token":"","error":"","expires_in":"soon"}"#,
        ),
        Act::json(201, r#"{"access_token":"a2"}"#),
        Act::with(200, "Content-Type: text/html", r#"{"access_token":"a2"}"#),
        Act::with(200, "Content-Type: application/x-www-form-urlencoded", "access_token=a2&scope="),
        Act::with(200, "Content-Type: text/plain", "access_token=a2&expires=5"),
        Act::raw(latin1),
    ] {
        let (grant, _) = refreshed(act).await;
        assert_eq!(grant.unwrap().access_token.expose_secret(), "a2");
    }
}

#[tokio::test]
async fn what_was_sent_and_not_answered_is_in_doubt() {
    for act in [
        Act::raw(b""),
        Act::raw(b"HTTP/1.1 200 OK\r\nContent-Le"),
        Act::raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"access_token\":"),
        Act::raw(b"not http at all\r\n\r\n"),
        Act::Stall,
        Act::with(200, "Content-Type: text/html", "<html>maintenance</html>"),
        Act::json(200, &format!("{{\"a\":\"{}\"}}", "x".repeat(guard::BODY_LIMIT))),
        Act::json(200, "{"),
    ] {
        let (grant, seen) = refreshed(act).await;
        let refusal = grant.unwrap_err();
        assert_eq!(refusal.class, ErrorClass::AnswerLost, "{refusal:?}");
        assert!(refusal.sent && !seen.is_empty());
    }
}

#[tokio::test]
async fn a_cut_refusal_is_no_answer_lost() {
    for (status, class) in [(429, ErrorClass::RateLimited), (502, ErrorClass::Transient)] {
        let head = format!("HTTP/1.1 {status} X\r\nContent-Length: 100\r\n\r\n{{");
        let (grant, _) = refreshed(Act::raw(head.as_bytes())).await;
        assert_eq!(grant.unwrap_err().class, class);
    }
}

#[tokio::test]
async fn what_could_not_be_sent_is_transient() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let plain = Server::new(|_| vec![Act::raw(b"HTTP/1.1 400 X\r\n\r\n")]).await;
    for origin in [origin, plain.origin.replace("http:", "https:")] {
        let owned = Owned::at(&origin);
        let refused = refresh(&http(), &owned.registration(), &secret("the-token")).await;
        let refusal = refused.unwrap_err();
        assert_eq!((refusal.class, refusal.sent), (ErrorClass::Transient, false), "{refusal:?}");
    }
}

#[tokio::test]
async fn private_addresses_are_not_called_unless_allowed() {
    let server = Server::new(|_| vec![]).await;
    let closed = http_with(guard::Policy::default());
    for origin in [server.origin.clone(), server.origin.replace("http:", "https:")] {
        let owned = Owned::at(&origin);
        let refusal = refresh(&closed, &owned.registration(), &secret("t")).await.unwrap_err();
        assert_eq!((refusal.class, refusal.sent), (ErrorClass::RequestRefused, false));
    }
    assert_eq!(server.seen().len(), 0);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let other = Server::new(|_| vec![Act::json(200, r#"{"access_token":"stolen"}"#)]).await;
    let to = format!("Location: {}/token", other.origin);
    for (status, class) in [(307, ErrorClass::Transient), (308, ErrorClass::RequestRefused)] {
        let (grant, _) = refreshed(Act::with(status, &to, "")).await;
        assert_eq!(grant.unwrap_err().class, class);
    }
    assert_eq!(other.seen().len(), 0);
}

#[tokio::test]
async fn an_echo_of_the_request_is_redacted() {
    let body = r#"{"error":"invalid_grant","error_description":
        "the-refresh-token-0815 of client-secret-4711-very-long (Basic dGhlLWNsaWVudDpjbGllbnQtc2VjcmV0LTQ3MTEtdmVyeS1sb25n) is gone"}"#;
    let (grant, seen) = refreshed(Act::json(400, body)).await;
    assert!(seen.contains("Basic dGhlLWNsaWVudDpjbGllbnQtc2VjcmV0LTQ3MTEtdmVyeS1sb25n"));
    let refusal = grant.unwrap_err();
    let expected = "[redacted] of [redacted] (Basic [redacted]) is gone";
    assert_eq!(refusal.description.as_deref(), Some(expected));
    assert_eq!(refusal.class, ErrorClass::GrantRefused);
}

/// An id token as the issuer would write it, with `change` made to it.
fn id_token(change: impl FnOnce(&mut Value)) -> String {
    let mut claims = json!({
        "iss": "https://issuer.example", "aud": "the-client", "sub": "user-1",
        "email": "ada@example.com", "nonce": "the-nonce", "exp": NOW.unix_timestamp() + 300,
    });
    change(&mut claims);
    jwt(&claims)
}

async fn exchanged(id_token: &str) -> Result<Grant, Refusal> {
    let body = json!({ "access_token": "a1", "id_token": id_token }).to_string();
    let server = Server::new(|_| vec![Act::json(200, &body)]).await;
    let mut owned = Owned::at(&server.origin).scopes(&["openid"]);
    owned.profile.issuer = Some("https://issuer.example".into());
    let (code, verifier) = (secret("the-code"), secret("the-verifier"));
    exchange(&http(), &owned.registration(), &code, &verifier, Some("the-nonce")).await
}

#[tokio::test]
async fn an_id_token_names_the_account_if_it_is_the_one_asked_for() {
    let grant = exchanged(&id_token(|_| {})).await.unwrap();
    let account = Account { id: "user-1".into(), label: Some("ada@example.com".into()) };
    assert_eq!(grant.account, Some(account));
    let several = id_token(|claims| claims["aud"] = json!(["other", "the-client"]));
    assert!(exchanged(&several).await.is_ok());
    // The last second there is, 9999-12-31T23:59:59Z.
    let for_ever = id_token(|claims| claims["exp"] = 253_402_300_799_i64.into());
    assert!(exchanged(&for_ever).await.is_ok());

    type Change = fn(&mut Value);
    let spoilt: [Change; 6] = [
        |claims| claims["iss"] = "https://issuer.example/".into(),
        |claims| claims["aud"] = "another-client".into(),
        |claims| claims["azp"] = "another-client".into(),
        |claims| claims["nonce"] = "another-nonce".into(),
        |claims| claims["nonce"] = Value::Null,
        |claims| claims["exp"] = (NOW.unix_timestamp() - 3600).into(),
    ];
    for (at, change) in spoilt.into_iter().enumerate() {
        let refusal = exchanged(&id_token(change)).await.unwrap_err();
        assert_eq!(refusal.code.as_deref(), Some("invalid_id_token"), "{at}");
        assert!(refusal.sent);
    }
    assert!(exchanged("nonsense").await.is_err());
}

#[tokio::test]
async fn a_refresh_keeps_its_tokens_whatever_the_id_token_says() {
    let other = id_token(|claims| claims["aud"] = "another-client".into());
    let body = json!({ "access_token": "a2", "id_token": other }).to_string();
    let (grant, _) = refreshed(Act::json(200, &body)).await;
    assert_eq!(grant.unwrap().account, None);
}

#[tokio::test]
async fn userinfo_completes_the_account_and_its_failure_is_none() {
    let body = r#"{"id": 17, "login": "ada"}"#;
    let acts = vec![Act::json(200, body), Act::json(500, body), Act::json(200, "<")];
    let server = Server::new(|_| acts).await;
    let mut owned = Owned::at(&server.origin);
    owned.profile.response.account =
        Catalog::load(None).unwrap().find("github").unwrap().response.account.clone();
    let registration = owned.registration();
    let grant = import(&registration, &json!({ "access_token": "a1" }), NOW).unwrap();
    assert_eq!(grant.account, None);
    let account = account::identify(&http(), &registration, &grant).await;
    assert_eq!(account, Some(Account { id: "17".into(), label: Some("ada".into()) }));
    assert_eq!(account::identify(&http(), &registration, &grant).await, None);
    assert_eq!(account::identify(&http(), &registration, &grant).await, None);
    let seen = server.seen().concat();
    assert!(seen.starts_with("GET /userinfo HTTP/1.1\r\nauthorization: Bearer a1\r\n"), "{seen}");
}

#[tokio::test]
async fn revocation_takes_both_tokens() {
    let server = Server::new(|_| vec![Act::json(200, ""), Act::json(400, "{}")]).await;
    let owned = Owned::at(&server.origin);
    let (refresh, access) = (secret("r1"), secret("a1"));
    let registration = owned.registration();
    assert_eq!(revoke(&http(), &registration, Some(&refresh), Some(&access)).await, Ok(true));
    let seen = server.seen();
    assert!(seen[0].ends_with("\r\n\r\ntoken=r1&token_type_hint=refresh_token"), "{}", seen[0]);
    assert!(seen[1].ends_with("\r\n\r\ntoken=a1&token_type_hint=access_token"), "{}", seen[1]);
}

#[tokio::test]
async fn a_refused_revocation_is_told_and_an_unknown_token_is_gone() {
    let acts = vec![
        Act::json(503, ""),
        Act::json(400, r#"{"error":"invalid_token"}"#),
        Act::json(400, r#"{"error":"unsupported_token_type"}"#),
        Act::json(200, ""),
        Act::json(200, r#"{"ok":false,"error":"not_allowed"}"#),
    ];
    let server = Server::new(|_| acts).await;
    let owned = Owned::at(&server.origin);
    let (http, registration) = (http(), owned.registration());
    let (refresh, access) = (secret("r1"), secret("a1"));
    let refusal = revoke(&http, &registration, Some(&refresh), Some(&access)).await.unwrap_err();
    assert_eq!(refusal.class, ErrorClass::Transient);
    assert_eq!(revoke(&http, &registration, Some(&refresh), None).await, Ok(true));
    assert_eq!(revoke(&http, &registration, Some(&refresh), Some(&access)).await, Ok(true));
    assert!(revoke(&http, &registration, None, Some(&access)).await.is_err());

    let mut owned = Owned::at(&server.origin);
    owned.profile.endpoints.revocation = None;
    let revoked = revoke(&http, &owned.registration(), Some(&refresh), None).await;
    assert_eq!(revoked, Ok(false));
}

#[test]
fn eventix_response() {
    let response = json!({
        "token_type": "Bearer", "expires_in": 259200, "access_token": "NEW_ACCESS_TOKEN",
        "refresh_token": "NEW_REFRESH_TOKEN", "refresh_token_expires_in": 31535999,
        "info": { "any": "thing" },
    });
    let grant = import(&preset("eventix").registration(), &response, NOW).unwrap();
    assert_eq!(grant.access_expires_at, Some(NOW + time::Duration::days(3)));
    let almost_a_year = time::Duration::days(365) - time::Duration::SECOND;
    assert_eq!(grant.refresh_expires_at, Some(NOW + almost_a_year));
    assert_eq!(grant.extras["info"]["any"], "thing");
}

/// The tokens are the document's; their `exp` is `iat` plus what the response says.
#[test]
fn wetix_response() {
    let token = |payload: &str| format!("eyJhbGciOiJIUzI1NiJ9.{payload}.c2ln");
    let access = token(
        "eyJhdWQiOlsiaHR0cHM6Ly9zYi1vcGVuLndldGl4Lm15IiwiaHR0cHM6Ly9zYi1vcGVuLndldGl4Lm15L2dyYXBocWwiXSwiY2xpZW50X2tleSI6IkVndFBRWFYwYUVOc2FXVnVkQmp2MW9yUTRxZWRzQlkiLCJleHAiOjE2Mzk4ODM3MjAsImlhdCI6MTYzNDY5OTcyMCwiaXNzIjoiaHR0cDovL2xvY2FsLW9hdXRoLndldGl4Lm15OjUwMDQiLCJuYmYiOjE2MzQ2OTk3MjAsInRva2VuVHlwZSI6IkFDQ0VTU19UT0tFTiJ9",
    );
    let refresh = token(
        "eyJhdWQiOlsiaHR0cHM6Ly9zYi1vcGVuLndldGl4Lm15IiwiaHR0cHM6Ly9zYi1vcGVuLndldGl4Lm15L2dyYXBocWwiXSwiY2xpZW50X2tleSI6IkVndFBRWFYwYUVOc2FXVnVkQmp2MW9yUTRxZWRzQlkiLCJleHAiOjE2NjYyMzU3MjAsImlhdCI6MTYzNDY5OTcyMCwiaXNzIjoiaHR0cDovL2xvY2FsLW9hdXRoLndldGl4Lm15OjUwMDQiLCJuYmYiOjE2MzQ2OTk3MjAsInRva2VuVHlwZSI6IlJFRlJFU0hfVE9LRU4ifQ",
    );
    let owned = preset("wetix");
    let obtained_at = OffsetDateTime::from_unix_timestamp(1_634_699_720).unwrap();
    let mut response = json!({
        "access_token": access, "expires_in": 5184000, "refresh_token": refresh,
        "refresh_token_expires_in": 31536000, "token_type": "Bearer",
    });
    let spoken = import(&owned.registration(), &response, obtained_at).unwrap();
    assert_eq!(spoken.access_expires_at, Some(obtained_at + time::Duration::days(60)));
    assert_eq!(spoken.refresh_expires_at, Some(obtained_at + time::Duration::days(365)));

    response.as_object_mut().unwrap().retain(|name, _| !name.contains("expires"));
    let silent = import(&owned.registration(), &response, obtained_at).unwrap();
    assert_eq!(silent.access_expires_at, spoken.access_expires_at, "the JWT's own exp");
    assert_eq!(silent.refresh_expires_at, spoken.refresh_expires_at, "the JWT's own exp");
}

#[test]
fn apiax_response() {
    let expires = NOW + time::Duration::minutes(30);
    let millis = expires.unix_timestamp() * 1000;
    for expires_in in [json!(millis), json!(1800), Value::Null] {
        let response = json!({
            "access_token": "ACCESS_TOKEN", "expires_in": expires_in,
            "refresh_expires_in": 1209600, "refresh_token": "REFRESH_TOKEN",
            "token_type": "bearer", "not-before-policy": millis,
            "session_state": "b1f1d9f0-1111-4222-8333-444455556666",
            "scope": "TOKEN_VALIDITY_SCOPES",
        });
        let grant = import(&preset("apiax").registration(), &response, NOW).unwrap();
        assert_eq!(grant.access_expires_at, Some(expires), "{expires_in}");
        assert_eq!(grant.refresh_expires_at, Some(NOW + time::Duration::days(14)));
        assert_eq!(grant.extras["not_before_policy"], millis);
        assert_eq!(grant.scopes, Some(vec!["TOKEN_VALIDITY_SCOPES".into()]));
    }
}

#[test]
fn keycloak_says_zero_for_never() {
    let response = json!({ "access_token": "a", "refresh_token": "r", "refresh_expires_in": 0 });
    let grant = import(&preset("apiax").registration(), &response, NOW).unwrap();
    assert_eq!(grant.refresh_expires_at, None);
}

#[test]
fn cronofy_response() {
    let response = json!({
        "token_type": "bearer", "access_token": "P531x88i05Ld2yXHIQ7WjiEyqlmOHsgI",
        "expires_in": 3600, "refresh_token": "REFRESH", "scope": "create_event delete_event",
    });
    let owned = preset("cronofy");
    let grant = import(&owned.registration(), &response, NOW).unwrap();
    assert_eq!(grant.access_expires_at, Some(NOW + time::Duration::hours(1)));
    assert_eq!(grant.refresh_expires_at, None);
    assert_eq!(grant.scopes, Some(vec!["create_event".into(), "delete_event".into()]));
    assert!(owned.profile.policy.refresh_late);
    assert!(owned.profile.policy.replacing_secret_revokes_grants);
}

#[test]
fn partner_response_wins_over_its_documents_text() {
    let mut response = json!({
        "access_token": "eyJhbGciOiJIUzI1NiIsIn...", "refresh_token": "dGhpcyBpcyBhIHJlZnJlc2h...",
        "expires_in": 3600, "token_type": "Bearer",
    });
    let owned = preset("partner-api");
    let read = |response: &Value| {
        import(&owned.registration(), response, NOW).unwrap().access_expires_at.unwrap() - NOW
    };
    assert_eq!(read(&response), time::Duration::hours(1));
    response.as_object_mut().unwrap().remove("expires_in");
    assert_eq!(read(&response), time::Duration::hours(24));
}

#[test]
fn a_fixed_refresh_lifetime_counts_from_the_consent() {
    use crate::domain::provider::RefreshLifetime;
    let mut owned = preset("eventix");
    let value = json!({ "access_token": "a", "refresh_token": "r" });
    for (kind, on_refresh) in [(RefreshLifetime::Sliding, true), (RefreshLifetime::Fixed, false)] {
        owned.profile.lifetimes.refresh_kind = kind;
        let registration = owned.registration();
        let expected = jwt::Expected { issuer: None, client_id: "", nonce: None, now: NOW };
        let read = |origin| {
            let (grant, _) =
                response::grant(&registration, &value, origin, NOW, &expected).unwrap();
            grant.refresh_expires_at
        };
        assert_eq!(read(Origin::Beginning), Some(NOW + time::Duration::days(365)));
        assert_eq!(read(Origin::Refresh).is_some(), on_refresh);
    }
}

#[test]
fn an_import_without_a_token_says_where_it_looked() {
    let refusal = import(&preset("slack").registration(), &json!({ "ok": true }), NOW).unwrap_err();
    assert!(refusal.description.unwrap().contains("/access_token"));
    assert!(!refusal.sent);
}

/// A profile from before it was forbidden, or a provider that says its tokens twice.
#[test]
fn a_token_is_nothing_else_wherever_it_stands() {
    let source =
        |pointer: &str| AccountSource { from: IdentityOrigin::Response, pointer: pointer.into() };
    let mut owned = Owned::at("https://service.example");
    let dialect = &mut owned.profile.response;
    dialect.scope = vec!["/copy".into(), "/scope".into()];
    dialect.token_type = vec!["/copy".into()];
    dialect.account.id = vec![source("/copy"), source("/id")];
    dialect.account.label = vec![source("/inside/quoted"), source("/name")];
    dialect.extras =
        [("open", "/copy", false), ("inside", "/inside", false), ("kept", "/copy", true)]
            .map(|(name, pointer, encrypted)| Extra {
                name: name.into(),
                pointer: pointer.into(),
                encrypted,
            })
            .into();
    // Longer than a label may be, so that a part of it would be one.
    let refresh = "r".repeat(300);
    for token in ["short", refresh.as_str()] {
        let quoted = if token == refresh { format!("Bearer {token}") } else { token.to_owned() };
        let response = json!({
            "access_token": "an-access-token", "refresh_token": token, "copy": token,
            "inside": { "quoted": quoted }, "scope": "a b", "id": 7, "name": "Ada",
        });
        let grant = import(&owned.registration(), &response, NOW).unwrap();
        assert_eq!(grant.token_type, "Bearer");
        assert_eq!(grant.scopes, Some(vec!["a".into(), "b".into()]));
        assert_eq!(grant.account, Some(Account { id: "7".into(), label: Some("Ada".into()) }));
        let extras: Vec<_> = grant.extras.keys().collect();
        assert_eq!(extras, ["kept"]);
    }
}

#[test]
fn no_debug_output_shows_a_token() {
    let response = json!({ "access_token": "tok-a", "refresh_token": "tok-r", "info": "tok-x" });
    let owned = preset("eventix");
    let grant = import(&owned.registration(), &response, NOW).unwrap();
    let shown = format!("{grant:?} {:?}", owned.registration());
    assert!(!shown.contains("tok-") && !shown.contains("client-secret"), "{shown}");
}

/// Each look at this clock finds it ten seconds later.
struct Hurrying(crate::server::clock::ManualClock);

impl crate::server::clock::Clock for Hurrying {
    fn now(&self) -> OffsetDateTime {
        let now = self.0.now();
        self.0.advance(time::Duration::seconds(10));
        now
    }
}

#[tokio::test]
async fn an_expiry_counts_from_when_the_request_was_sent() {
    let clock = Hurrying(crate::server::clock::ManualClock::new(NOW));
    let policy = guard::Policy { allow_private_networks: true, ..Default::default() };
    let rng = std::sync::Arc::new(crate::server::clock::SeededRng::new(1));
    let http = Http::new(policy, std::sync::Arc::new(clock), rng).unwrap();
    let body = r#"{"access_token":"a","expires_in":60,"refresh_expires_in":"120"}"#;
    let server = Server::new(|_| vec![Act::json(200, body)]).await;
    let owned = Owned::at(&server.origin);
    let grant = refresh(&http, &owned.registration(), &secret("t")).await.unwrap();
    assert_eq!(grant.access_expires_at, Some(NOW + time::Duration::minutes(1)));
    assert_eq!(grant.refresh_expires_at, Some(NOW + time::Duration::minutes(2)));
    assert_eq!(grant.obtained_at, NOW);
}

#[tokio::test]
async fn the_deadline_is_over_the_whole_call() {
    let server = Server::new(|_| vec![Act::Stall]).await;
    let owned = Owned::at(&server.origin);
    let deadline = Duration::from_millis(150);
    let http = http_with(guard::Policy { allow_private_networks: true, deadline });
    let refusal = refresh(&http, &owned.registration(), &secret("t")).await.unwrap_err();
    assert_eq!((refusal.class, refusal.sent), (ErrorClass::AnswerLost, true));
}

/// JSON of any shape under the names that are looked at.
fn any_response() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[ -~]{0,40}".prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::from),
        Just(Value::from("eyJhbGciOiJub25lIn0.eyJleHAiOjFlMzAwfQ.x")),
        Just(Value::from("2026-02-30T25:61:00Z")),
    ];
    let value = leaf.prop_recursive(2, 8, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,6}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    });
    let names = "(access_token|refresh_token|id_token|expires_in|refresh_expires_in|scope|\
                 refresh_token_expires_in|token_type|info|error|not-before-policy)";
    prop::collection::btree_map(names, value, 0..8)
        .prop_map(|map| Value::Object(map.into_iter().collect()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    /// Any response: a grant exactly when there is an access token, and never a panic.
    #[test]
    fn any_response_is_read(value in any_response(), epoch in -1_000_000_000_i64..10_000_000_000) {
        thread_local! {
            static PRESETS: Vec<Owned> = ["eventix", "wetix", "apiax", "slack", "google"].map(preset).into();
        }
        let at = OffsetDateTime::from_unix_timestamp(epoch).unwrap();
        PRESETS.with(|presets| {
            for owned in presets {
                let grant = import(&owned.registration(), &value, at);
                let token = value["access_token"].as_str().filter(|token| !token.is_empty());
                prop_assert_eq!(grant.is_ok(), token.is_some());
                if let Ok(grant) = grant {
                    prop_assert_eq!(Some(grant.access_token.expose_secret()), token);
                    let kept = value["refresh_token"].as_str().filter(|token| !token.is_empty());
                    prop_assert_eq!(grant.refresh_token.as_ref().map(|token| token.expose_secret()), kept);
                }
            }
            Ok(())
        })?;
    }

    /// Any bytes as a body: data or none, never a panic.
    #[test]
    fn any_body_is_read(body in prop::collection::vec(any::<u8>(), 0..300), kind in prop::option::of("[ -~]{0,30}")) {
        response::body(&body, kind.as_deref());
    }
}

/// What was kept for a while and says zero is over; a server that answers so says nothing.
#[tokio::test]
async fn zero_is_over_where_it_is_handed_in_and_silence_where_it_is_answered() {
    let body = r#"{"access_token":"a","refresh_token":"r","expires_in":0}"#;
    let (answered, _) = refreshed(Act::json(200, body)).await;
    assert_eq!(answered.unwrap().access_expires_at, None);

    let exp = NOW + time::Duration::hours(2);
    let itself = jwt(&json!({ "exp": exp.unix_timestamp() }));
    let owned = Owned::at("https://service.example");
    let mut ageing = Owned::at("https://service.example");
    ageing.profile.lifetimes.access_seconds = Some(3600);
    let mut dated = Owned::at("https://service.example");
    dated.profile.response.expiry[0].form = ExpiryForm::EpochSeconds;
    let at = Some("/expires_in");
    for (owned, response, end, for_good) in [
        (
            &owned,
            json!({ "access_token": "a", "refresh_token": "r", "expires_in": 0 }),
            Some(NOW),
            None,
        ),
        (
            &owned,
            json!({ "access_token": "a", "refresh_token": "r", "expires_in": "0" }),
            Some(NOW),
            None,
        ),
        (&owned, json!({ "access_token": "a", "refresh_token": "r" }), None, None),
        (&owned, json!({ "access_token": "a", "expires_in": 0 }), None, at),
        (&owned, json!({ "access_token": itself, "expires_in": 0 }), Some(exp), None),
        (
            &ageing,
            json!({ "access_token": "a", "refresh_token": "r", "expires_in": 0 }),
            Some(NOW),
            None,
        ),
        // No date is no end that was.
        (&dated, json!({ "access_token": "a", "refresh_token": "r", "expires_in": 0 }), None, None),
    ] {
        let registration = owned.registration();
        let given = import(&registration, &response, NOW).unwrap();
        assert_eq!(given.access_expires_at, end, "{response}");
        assert_eq!(over_for_good(&registration, &response, &given, NOW), for_good, "{response}");
    }
}

/// Some write it as a number that is no time.
#[test]
fn tokens_without_an_end_are_taken_as_their_provider_gives_them() {
    for (slug, expires_in) in [("mailchimp", json!(0)), ("egnyte", json!(-1))] {
        let owned = preset(slug);
        let registration = owned.registration();
        let response = json!({ "access_token": "a", "expires_in": expires_in });
        let given = import(&registration, &response, NOW).unwrap();
        assert_eq!(given.access_expires_at, None, "{slug}");
        assert_eq!(over_for_good(&registration, &response, &given, NOW), None, "{slug}");
        assert_eq!(unreadable_expiries(&registration, &response, NOW).next(), None, "{slug}");
    }
    let owned = Owned::at("https://service.example");
    let response = json!({ "access_token": "a", "expires_in": -1 });
    let registration = owned.registration();
    let unreadable = unreadable_expiries(&registration, &response, NOW).next();
    assert_eq!(unreadable.map(|source| &*source.pointer), Some("/expires_in"));
}
