//! The token endpoint: client authentication, encoding, codes, client credentials.

use axum::http::{StatusCode, header};
use jsonwebtoken::{DecodingKey, Validation, jwk::JwkSet};
use serde_json::Value;

use super::{World, authorization_url, code_of, get, parameter, post, redemption};
use crate::sandbox::{Client, ClientAuth, ExpiryForm, RateLimit};

const CREDENTIALS: [(&str, &str); 1] = [("grant_type", "client_credentials")];

#[tokio::test]
async fn a_code_becomes_tokens_once_and_its_second_use_kills_them() {
    let world = World::new();
    let code = world.code("demo", "openid email");
    let first = world.redeem(&code).await;
    assert_eq!(first.status, StatusCode::OK);
    assert_eq!(first.json["token_type"], "Bearer");
    assert_eq!(first.json["expires_in"], 600);
    assert_eq!(first.json["scope"], "openid email");
    assert_eq!(first.json["refresh_token_expires_in"], 30 * 86_400);
    let access = first.text_of("access_token");
    assert_eq!(world.userinfo(&access).await.json["email"], "alice@example.com");

    assert_eq!(world.redeem(&code).await.error(), (400, "invalid_grant"));
    assert_eq!(world.userinfo(&access).await.status, StatusCode::UNAUTHORIZED);
    let refreshed = world.refresh(&first.text_of("refresh_token")).await;
    assert_eq!(refreshed.error(), (400, "invalid_grant"));
}

#[tokio::test]
async fn a_code_fits_only_its_request() {
    let world = World::new();
    let ask = |form: Vec<(&str, &str)>| post("/token").basic("demo", "demo-secret").form(&form);
    let change = |code: &str, name: &str, value: &str| {
        let mut form: Vec<(String, String)> =
            redemption(code).iter().map(|(a, b)| (a.to_string(), b.to_string())).collect();
        form.retain(|(had, _)| had != name);
        form.push((name.to_owned(), value.to_owned()));
        form
    };
    for (name, value, error) in [
        ("redirect_uri", "http://127.0.0.1:3001/oauth/callback", "invalid_grant"),
        ("redirect_uri", "", "invalid_grant"),
        ("code_verifier", "", "invalid_grant"),
        ("code_verifier", "short", "invalid_request"),
        ("code_verifier", "xBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "invalid_grant"),
        ("code", "", "invalid_request"),
        ("code", "unknown", "invalid_grant"),
        ("grant_type", "", "invalid_request"),
        ("grant_type", "implicit", "unsupported_grant_type"),
    ] {
        let code = world.code("demo", "openid");
        let form = change(&code, name, value);
        let form = form.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        let answer = world.send(ask(form)).await;
        assert_eq!(answer.error(), (400, error), "{name}={value}: {}", answer.text);
        // A refused attempt does not burn the code.
        assert_eq!(world.redeem(&code).await.status, StatusCode::OK);
    }
    let code = world.code("demo", "openid");
    world.pass(60);
    assert_eq!(world.redeem(&code).await.error(), (400, "invalid_grant"));

    let foreign = world.code("demo-post", "openid");
    assert_eq!(world.redeem(&foreign).await.error(), (400, "invalid_grant"));
}

#[tokio::test]
async fn a_client_authenticates_in_its_own_way_or_not_at_all() {
    let world = World::new();
    let mut raw = Client::confidential("raw", "p@ss %2B");
    raw.auth = ClientAuth::BasicRaw;
    world.sandbox.add_client(raw);
    world.sandbox.add_client(Client::confidential("od d:id", "p@ss +%:/?&= secret"));

    let token = || post("/token");
    let by_post =
        |id, secret| token().form(&[CREDENTIALS[0], ("client_id", id), ("client_secret", secret)]);
    let by_basic = |id: &str, secret: &str| token().basic(id, secret).form(&CREDENTIALS);
    let form_encoded = "p%40ss+%2B%25%3A%2F%3F%26%3D+secret";
    let rfc3986_encoded = "p%40ss%20%2B%25%3A%2F%3F%26%3D%20secret";
    for (what, ask) in [
        ("basic", by_basic("demo", "demo-secret")),
        ("post", by_post("demo-post", "demo-secret")),
        ("form-urlencoded", by_basic("od+d%3Aid", form_encoded)),
        ("percent-encoded", by_basic("od%20d%3Aid", rfc3986_encoded)),
        ("raw", by_basic("raw", "p@ss %2B")),
        (
            "the same id in the body",
            token().basic("demo", "demo-secret").form(&[CREDENTIALS[0], ("client_id", "demo")]),
        ),
    ] {
        assert_eq!(world.send(ask).await.status, StatusCode::OK, "{what}");
    }
    for (what, ask, status, error, challenge) in [
        ("wrong secret", by_basic("demo", "nonsense"), 401, "invalid_client", true),
        ("unknown client", by_basic("nobody", "demo-secret"), 401, "invalid_client", true),
        ("post, registered for basic", by_post("demo", "demo-secret"), 401, "invalid_client", true),
        (
            "basic, registered for post",
            by_basic("demo-post", "demo-secret"),
            401,
            "invalid_client",
            true,
        ),
        ("wrong secret by post", by_post("demo-post", "nonsense"), 401, "invalid_client", false),
        ("secret of a public client", by_post("demo-public", "x"), 401, "invalid_client", false),
        (
            "raw where encoding is due",
            by_basic("od d:id", "p@ss +%:/?&= secret"),
            401,
            "invalid_client",
            true,
        ),
        (
            "raw secret only",
            by_basic("od+d%3Aid", "p@ss +%:/?&= secret"),
            401,
            "invalid_client",
            true,
        ),
        ("encoded where raw is due", by_basic("raw", "p%40ss+%252B"), 401, "invalid_client", true),
        ("no authentication", token().form(&CREDENTIALS), 401, "invalid_client", false),
        (
            "both ways at once",
            token().basic("demo", "demo-secret").form(&[
                CREDENTIALS[0],
                ("client_id", "demo"),
                ("client_secret", "demo-secret"),
            ]),
            400,
            "invalid_request",
            false,
        ),
        (
            "two ids",
            token()
                .basic("demo", "demo-secret")
                .form(&[CREDENTIALS[0], ("client_id", "demo-post")]),
            400,
            "invalid_request",
            false,
        ),
        (
            "broken Base64",
            token().header("authorization", "Basic §").form(&CREDENTIALS),
            400,
            "invalid_request",
            false,
        ),
        (
            "no colon",
            token().header("authorization", "Basic ZGVtbw==").form(&CREDENTIALS),
            401,
            "invalid_client",
            true,
        ),
        ("another scheme", token().bearer("demo").form(&CREDENTIALS), 401, "invalid_client", true),
        (
            "an assertion",
            token().form(&[CREDENTIALS[0], ("client_id", "demo"), ("client_assertion", "x")]),
            401,
            "invalid_client",
            false,
        ),
    ] {
        let answer = world.send(ask).await;
        assert_eq!(answer.error(), (status, error), "{what}: {}", answer.text);
        let challenged = answer.headers.contains_key(header::WWW_AUTHENTICATE);
        assert_eq!(challenged, challenge, "{what}: challenge");
    }
}

#[tokio::test]
async fn the_request_must_be_a_form_in_the_body() {
    let world = World::new();
    let refused = |ask| async {
        let answer = world.send(ask).await;
        assert_eq!(answer.error(), (400, "invalid_request"), "{}", answer.text);
    };
    let ask = |path: &str| post(path).basic("demo", "demo-secret");
    let form = "application/x-www-form-urlencoded";
    refused(ask("/token").json(&serde_json::json!({ "grant_type": "client_credentials" }))).await;
    refused(ask("/token").body("text/plain", "grant_type=client_credentials".into())).await;
    refused(ask("/token?grant_type=client_credentials").form(&[])).await;
    refused(ask("/token?x=1").form(&CREDENTIALS)).await;
    refused(ask("/token").body(form, "grant_type=client_credentials&scope=a&scope=b".into())).await;
    refused(ask("/token").body(form, "grant_type=client_%zzcredentials".into())).await;
    refused(ask("/token").body(form, "grant_type=client_credentials&x=%ff".into())).await;

    let charset = "application/x-www-form-urlencoded; charset=UTF-8";
    let spelled = ask("/token").body(charset, "grant_type=client_credentials&scope=&x=1".into());
    let answer = world.send(spelled).await;
    assert_eq!(answer.status, StatusCode::OK, "unknown and empty parameters are ignored");
    assert_eq!(world.send(get("/token")).await.status, StatusCode::METHOD_NOT_ALLOWED);
    let large = ask("/token").body(form, "x".repeat(70_000));
    assert_eq!(world.send(large).await.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn client_credentials_have_no_account_and_no_refresh_token() {
    let world = World::new();
    let ask = |form: &[(&str, &str)]| post("/token").basic("demo", "demo-secret").form(form);
    let answer = world.send(ask(&[CREDENTIALS[0], ("scope", "api:read ttl:60")])).await;
    assert_eq!(answer.json["expires_in"], 60);
    assert_eq!(answer.json.get("refresh_token"), None);
    assert_eq!(answer.json.get("id_token"), None);
    assert_eq!(world.userinfo(&answer.text_of("access_token")).await.status, 403);

    let answer = world.send(ask(&[CREDENTIALS[0], ("scope", "api:everything")])).await;
    assert_eq!(answer.error(), (400, "invalid_scope"));
    for scope in ["ttl:0", "ttl:-5", "ttl:x", "ttl:99999999999"] {
        let answer = world.send(ask(&[CREDENTIALS[0], ("scope", scope)])).await;
        assert_eq!(answer.error(), (400, "invalid_scope"), "{scope}");
    }
    let form = [CREDENTIALS[0], ("client_id", "demo-public")];
    let answer = world.send(post("/token").form(&form)).await;
    assert_eq!(answer.error(), (400, "unauthorized_client"));
    let form = [("grant_type", "password"), ("username", "alice"), ("password", "sandbox")];
    assert_eq!(world.send(ask(&form)).await.error(), (400, "unauthorized_client"));
}

#[tokio::test]
async fn the_id_token_can_be_checked_with_the_published_key() {
    let world = World::new();
    let url = authorization_url(
        "/authorize",
        "demo",
        &[("scope", "openid profile email"), ("nonce", "n-0S6")],
    );
    let back = world.sandbox.consent(&url, "bob@example.com").expect("consent");
    assert_eq!(parameter(&back, "iss").as_deref(), Some(super::BASE));
    let answer = world.redeem(&code_of(&back)).await;

    let keys = world.send(get("/jwks")).await.text;
    let keys: JwkSet = serde_json::from_str(&keys).expect("a JWK set");
    let token = answer.text_of("id_token");
    let head = jsonwebtoken::decode_header(&token).expect("a JWT");
    let key = keys.find(&head.kid.expect("a key id")).expect("the key");
    assert!(key.common.public_key_use.is_some());
    let mut validation = Validation::new(head.alg);
    validation.validate_exp = false;
    validation.set_audience(&["demo"]);
    validation.set_issuer(&[super::BASE]);
    let key = DecodingKey::from_jwk(key).expect("a public key");
    let claims = jsonwebtoken::decode::<Value>(&token, &key, &validation).expect("signed").claims;
    assert_eq!(claims["sub"], "acc_b0b");
    assert_eq!(claims["nonce"], "n-0S6");
    assert_eq!(claims["email"], "bob@example.com");
    assert_eq!(claims["name"], "Bob Brandt");
}

#[tokio::test]
async fn expiry_is_told_in_any_form() {
    let world = World::new();
    for (form, expected) in [
        (ExpiryForm::Seconds, serde_json::json!(600)),
        (ExpiryForm::SecondsText, serde_json::json!("600")),
        (ExpiryForm::EpochSeconds, serde_json::json!(1_772_367_000)),
        (ExpiryForm::EpochMillis, serde_json::json!(1_772_367_000_000_i64)),
        (ExpiryForm::Rfc3339, serde_json::json!("2026-03-01T12:10:00Z")),
        (ExpiryForm::Absent, Value::Null),
    ] {
        let mut client = Client::confidential("form", "secret");
        client.expiry_form = form;
        world.sandbox.add_client(client);
        let answer = world.send(post("/token").basic("form", "secret").form(&CREDENTIALS)).await;
        assert_eq!(answer.json["expires_in"], expected, "{form:?}");
    }
}

#[tokio::test]
async fn a_rate_limit_says_when_to_come_back() {
    let world = World::new();
    let mut client = Client::confidential("busy", "secret");
    client.rate_limit = Some(RateLimit { requests: 2, per: time::Duration::minutes(1) });
    world.sandbox.add_client(client);
    let ask = || world.send(post("/token").basic("busy", "secret").form(&CREDENTIALS));
    assert_eq!(ask().await.status, StatusCode::OK);
    world.pass(20);
    assert_eq!(ask().await.status, StatusCode::OK);
    let late = ask().await;
    assert_eq!(late.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(late.headers[header::RETRY_AFTER], "40");
    world.pass(40);
    assert_eq!(ask().await.status, StatusCode::OK);
}
