//! A whole life in each dialect, and what each refuses.

use axum::http::{StatusCode, header};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{Answer, Ask, CALLBACK, World, authorization_url, code_of, get, parameter, post};
use crate::sandbox::Realm;

/// A code for alice, without PKCE: the five documents know none.
fn code(world: &World, path: &str, client: &str) -> String {
    let extra = [("code_challenge", ""), ("code_challenge_method", "")];
    let url = authorization_url(path, client, &extra);
    let back = world.sandbox.consent(&url, "alice").expect("consent");
    assert_eq!(parameter(&back, "state").as_deref(), Some("st&te"));
    assert_eq!(parameter(&back, "iss"), None);
    code_of(&back)
}

fn fields(answer: &Answer) -> Vec<&str> {
    let mut names: Vec<&str> =
        answer.json.as_object().expect("an object").keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

async fn refused(world: &World, what: &str, ask: Ask, status: u16, error: &str) {
    let answer = world.send(ask).await;
    assert_eq!(answer.error(), (status, error), "{what}: {}", answer.text);
}

fn claims(token: &str) -> Value {
    let middle = token.split('.').nth(1).expect("a JWT");
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(middle).expect("Base64");
    serde_json::from_slice(&bytes).expect("JSON")
}

#[tokio::test]
async fn every_consent_page_opens_in_its_realm_only() {
    let world = World::new();
    for (path, client) in [
        ("/eventix/authorize", "eventix-demo"),
        ("/wetix/authorize", "1612417576451877743"),
        ("/apiax/authorize", "integration-api"),
        ("/apiax/auth/realms/apiax/protocol/openid-connect/auth", "integration-api"),
        ("/cronofy/authorize", "cronofy-demo"),
        ("/cronofy/oauth/authorize", "cronofy-demo"),
        ("/partner/authorize", "1001"),
    ] {
        let page = world.send(get(&authorization_url(path, client, &[]))).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        let prefix = path.split('/').nth(1).expect("a prefix");
        assert!(page.text.contains(&format!("action=\"/{prefix}/decision\"")), "{path}");
        let foreign = world.send(get(&authorization_url(path, "demo", &[]))).await;
        assert_eq!(foreign.status, StatusCode::BAD_REQUEST, "{path}");
    }
}

#[tokio::test]
async fn eventix() {
    let world = World::new();
    let body = |extra: &[(&str, &str)]| {
        let mut body = json!({
            "client_id": "eventix-demo",
            "client_secret": "eventix-demo-secret",
        });
        for (name, value) in extra {
            body[*name] = json!(value);
        }
        body
    };
    let code = code(&world, "/eventix/authorize", "eventix-demo");
    let first =
        body(&[("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", CALLBACK)]);
    let first = world.send(post("/eventix/tokens").json(&first)).await;
    let names = [
        "access_token",
        "expires_in",
        "info",
        "refresh_token",
        "refresh_token_expires_in",
        "token_type",
    ];
    assert_eq!(fields(&first), names);
    assert_eq!(first.json["token_type"], "Bearer");
    assert_eq!(first.json["expires_in"], 259_200);
    assert_eq!(first.json["refresh_token_expires_in"], 31_535_999);
    assert_eq!(first.json["info"]["email"], "alice@example.com");

    let token = first.text_of("refresh_token");
    let refresh = body(&[("grant_type", "refresh_token"), ("refresh_token", &token)]);
    let with = |name: &str, value: Value| {
        let mut body = refresh.clone();
        body[name] = value;
        body
    };
    let at = || post("/eventix/tokens");
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", token.as_str()),
        ("client_id", "eventix-demo"),
        ("client_secret", "eventix-demo-secret"),
    ];
    let multipart = "--x\r\ncontent-disposition: form-data; name=\"grant_type\"\r\n\r\nrefresh_token\r\n--x--\r\n";
    let basic = json!({ "grant_type": "refresh_token", "refresh_token": token });
    for (what, ask, status, error) in [
        ("a form", at().form(&form), 400, "invalid_request"),
        (
            "multipart under JSON",
            at().body("application/json", multipart.into()),
            400,
            "invalid_request",
        ),
        (
            "JSON without its type",
            at().body("text/plain", refresh.to_string()),
            400,
            "invalid_request",
        ),
        (
            "in the address",
            post("/eventix/tokens?grant_type=refresh_token").json(&refresh),
            400,
            "invalid_request",
        ),
        (
            "Basic",
            at().basic("eventix-demo", "eventix-demo-secret").json(&basic),
            401,
            "invalid_client",
        ),
        ("wrong secret", at().json(&with("client_secret", json!("x"))), 401, "invalid_client"),
        ("no secret", at().json(&with("client_secret", json!(null))), 401, "invalid_client"),
        ("no token", at().json(&with("refresh_token", json!(null))), 400, "invalid_request"),
        ("a number", at().json(&with("refresh_token", json!(1))), 400, "invalid_request"),
        (
            "another grant",
            at().json(&with("grant_type", json!("client_credentials"))),
            400,
            "unauthorized_client",
        ),
        ("another token", at().json(&with("refresh_token", json!("x"))), 400, "invalid_grant"),
    ] {
        refused(&world, what, ask, status, error).await;
    }
    let second = world.send(at().json(&refresh)).await;
    assert_eq!(fields(&second), names);
    assert_ne!(second.text_of("refresh_token"), token);
    refused(&world, "reuse", at().json(&refresh), 400, "invalid_grant").await;
}

#[tokio::test]
async fn wetix() {
    let world = World::new();
    let (id, secret) = ("1612417576451877743", "wetix-demo-secret");
    let code = code(&world, "/wetix/authorize", id);
    let first =
        json!({ "grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK });
    refused(
        &world,
        "a code at the refresh address",
        post("/wetix/auth/refresh").basic(id, secret).json(&first),
        400,
        "unsupported_grant_type",
    )
    .await;
    let first = world.send(post("/wetix/auth/token").basic(id, secret).json(&first)).await;
    assert_eq!(first.json["expires_in"], 5_184_000);
    assert_eq!(first.json["refresh_token_expires_in"], 31_536_000);
    let token = first.text_of("refresh_token");
    let about = claims(&token);
    assert_eq!(about["tokenType"], "REFRESH_TOKEN");
    assert_eq!(about["exp"], 1_772_366_400 + 31_536_000);
    assert_eq!(about["client_key"], id);
    assert_eq!(claims(&first.text_of("access_token"))["tokenType"], "ACCESS_TOKEN");

    let refresh = json!({ "grant_type": "refresh_token", "refresh_token": token });
    let mut in_body = refresh.clone();
    in_body["client_id"] = json!(id);
    in_body["client_secret"] = json!(secret);
    let at = || post("/wetix/auth/refresh");
    let form = [("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
    for (what, ask, status, error) in [
        ("a form", at().basic(id, secret).form(&form), 400, "invalid_request"),
        ("no header", at().json(&refresh), 401, "invalid_client"),
        ("secret in the body", at().json(&in_body), 400, "invalid_request"),
        ("both", at().basic(id, secret).json(&in_body), 400, "invalid_request"),
        ("wrong secret", at().basic(id, "x").json(&refresh), 401, "invalid_client"),
        (
            "encoded twice",
            at().basic(id, "wetix%2Ddemo%2Dsecret").json(&refresh),
            401,
            "invalid_client",
        ),
        (
            "no grant_type",
            at().basic(id, secret).json(&json!({ "refresh_token": token })),
            400,
            "invalid_request",
        ),
        (
            "a refresh at the token address",
            post("/wetix/auth/token").basic(id, secret).json(&refresh),
            400,
            "unsupported_grant_type",
        ),
        (
            "the access token",
            at().basic(id, secret).json(&json!({
                "grant_type": "refresh_token",
                "refresh_token": first.text_of("access_token"),
            })),
            400,
            "invalid_grant",
        ),
    ] {
        refused(&world, what, ask, status, error).await;
    }
    world.pass(100);
    let second = world.send(at().basic(id, secret).json(&refresh)).await;
    assert_eq!(second.text_of("refresh_token"), token, "the example repeats it");
    assert_eq!(second.json["refresh_token_expires_in"], 31_535_900);
    assert_ne!(second.text_of("access_token"), first.text_of("access_token"));
    let names =
        ["access_token", "expires_in", "refresh_token", "refresh_token_expires_in", "token_type"];
    assert_eq!(fields(&second), names);
    let own = world
        .send(post("/wetix/auth/token").basic(id, secret).json(&json!({
            "grant_type": "client_credentials",
        })))
        .await;
    assert_eq!(own.status, StatusCode::OK);
    assert_eq!(own.json.get("refresh_token"), None);
}

#[tokio::test]
async fn apiax() {
    let world = World::new();
    let path = "/apiax/auth/realms/apiax/protocol/openid-connect/token";
    let code = code(&world, "/apiax/authorize", "integration-api");
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", "integration-api"),
        ("code", code.as_str()),
        ("redirect_uri", CALLBACK),
    ];
    let first = world.send(post(path).form(&form)).await;
    let names = [
        "access_token",
        "expires_in",
        "not-before-policy",
        "refresh_expires_in",
        "refresh_token",
        "scope",
        "session_state",
        "token_type",
    ];
    assert_eq!(fields(&first), names);
    assert_eq!(first.json["token_type"], "bearer");
    assert_eq!(first.json["expires_in"], (1_772_366_400 + 1800) * 1000_i64);
    assert_eq!(first.json["refresh_expires_in"], 1_209_600);

    let token = first.text_of("refresh_token");
    let refresh = [
        ("grant_type", "refresh_token"),
        ("client_id", "integration-api"),
        ("refresh_token", token.as_str()),
    ];
    let json_body = json!({
        "grant_type": "refresh_token", "client_id": "integration-api", "refresh_token": token,
    });
    let answer = world.send(post(path).json(&json_body)).await;
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let secret = [refresh[0], refresh[1], refresh[2], ("client_secret", "x")];
    for (what, ask, status, error) in [
        ("a secret", post(path).form(&secret), 401, "invalid_client"),
        (
            "Basic",
            post(path).basic("integration-api", "").form(&refresh[..1]),
            401,
            "invalid_client",
        ),
        ("no client", post(path).form(&[refresh[0], refresh[2]]), 401, "invalid_client"),
        ("no token", post(path).form(&refresh[..2]), 400, "invalid_request"),
        (
            "another token",
            post(path).form(&[refresh[0], refresh[1], ("refresh_token", "x")]),
            400,
            "invalid_grant",
        ),
    ] {
        refused(&world, what, ask, status, error).await;
    }
    let second = world.send(post(path).form(&refresh)).await;
    assert_eq!(fields(&second), names);
    assert_ne!(second.text_of("refresh_token"), token);
    assert_eq!(second.json["session_state"], first.json["session_state"]);
    refused(&world, "reuse", post(path).form(&refresh), 400, "invalid_grant").await;

    let direct = |password| {
        post(path).form(&[
            ("grant_type", "password"),
            ("client_id", "integration-api"),
            ("username", "bob@example.com"),
            ("password", password),
        ])
    };
    assert_eq!(world.send(direct("sandbox")).await.status, StatusCode::OK);
    refused(&world, "wrong password", direct("x"), 400, "invalid_grant").await;
}

#[tokio::test]
async fn cronofy() {
    let world = World::new();
    let path = "/cronofy/oauth/token";
    let code = code(&world, "/cronofy/oauth/authorize", "cronofy-demo");
    let body = |grant: Value| {
        let mut body =
            json!({ "client_id": "cronofy-demo", "client_secret": "cronofy-demo-secret" });
        for (name, value) in grant.as_object().expect("an object") {
            body[name] = value.clone();
        }
        body
    };
    let first = body(json!({
        "grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK,
    }));
    let first = world.send(post(path).json(&first)).await;
    assert_eq!(first.json["account_id"], "acc_a11ce");
    assert_eq!(first.text_of("access_token").len(), 32);
    let token = first.text_of("refresh_token");
    assert_eq!(token.len(), 32);

    let refresh = body(json!({ "grant_type": "refresh_token", "refresh_token": token }));
    let with = |name: &str, value: &str| {
        let mut body = refresh.clone();
        body[name] = json!(value);
        post(path).json(&body)
    };
    let grant = json!({ "grant_type": "refresh_token", "refresh_token": token });
    for (what, ask, error) in [
        (
            "Basic",
            post(path).basic("cronofy-demo", "cronofy-demo-secret").json(&grant),
            "invalid_client",
        ),
        ("wrong secret", with("client_secret", "x"), "invalid_client"),
        ("unknown client", with("client_id", "x"), "invalid_client"),
        ("unknown token", with("refresh_token", "x"), "invalid_grant"),
        ("unknown grant", with("grant_type", "x"), "unsupported_grant_type"),
        ("text", post(path).body("text/plain", refresh.to_string()), "invalid_request"),
    ] {
        let answer = world.send(ask).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{what}");
        assert_eq!(answer.text, json!({ "error": error }).to_string(), "{what}");
        assert!(!answer.headers.contains_key(header::WWW_AUTHENTICATE));
    }
    // Both encodings are taken; the token stays the same until the third refresh.
    let json_utf8 = "application/json; charset=utf-8";
    let one = world.send(post(path).body(json_utf8, refresh.to_string())).await;
    assert_eq!(
        fields(&one),
        ["access_token", "expires_in", "refresh_token", "scope", "token_type"]
    );
    assert_eq!(one.json["token_type"], "bearer");
    assert_eq!(one.json["expires_in"], 3600);
    assert_eq!(one.text_of("refresh_token"), token);
    let form: Vec<(String, String)> = refresh
        .as_object()
        .expect("an object")
        .iter()
        .map(|(name, value)| (name.clone(), value.as_str().expect("text").to_owned()))
        .collect();
    let form: Vec<(&str, &str)> = form.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    assert_eq!(world.send(post(path).form(&form)).await.text_of("refresh_token"), token);
    let rotated = world.send(post(path).json(&refresh)).await.text_of("refresh_token");
    assert_ne!(rotated, token);
    refused(&world, "the old one", post(path).json(&refresh), 400, "invalid_grant").await;
    assert_eq!(world.send(with("refresh_token", &rotated)).await.status, StatusCode::OK);

    let revoke = body(json!({ "token": rotated }));
    let revoked = world.send(post("/cronofy/oauth/token/revoke").json(&revoke)).await;
    assert_eq!(revoked.status, StatusCode::OK);
    refused(&world, "revoked", with("refresh_token", &rotated), 400, "invalid_grant").await;
}

#[tokio::test]
async fn a_new_cronofy_secret_ends_every_grant() {
    let world = World::new();
    let code = code(&world, "/cronofy/authorize", "cronofy-demo");
    let ask = |grant: Value| {
        let mut body = json!({ "client_id": "cronofy-demo", "client_secret": "new" });
        for (name, value) in grant.as_object().expect("an object") {
            body[name] = value.clone();
        }
        post("/cronofy/oauth/token").json(&body)
    };
    let first =
        json!({ "grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK });
    assert!(world.sandbox.replace_secret(Realm::Cronofy, "cronofy-demo", "new"));
    let first = world.send(ask(first)).await;
    assert!(world.sandbox.replace_secret(Realm::Cronofy, "cronofy-demo", "new"));
    let refresh =
        json!({ "grant_type": "refresh_token", "refresh_token": first.text_of("refresh_token") });
    refused(&world, "after the new secret", ask(refresh), 400, "invalid_grant").await;
}

#[tokio::test]
async fn partner() {
    let world = World::new();
    let code = code(&world, "/partner/authorize", "1001");
    let at = || post("/partner/v1/auth/token");
    let first = at()
        .header("partnerId", "1001")
        .header("grantType", "authorization_code")
        .json(&json!({ "code": code, "redirectUri": CALLBACK }));
    let first = world.send(first).await;
    assert_eq!(first.json["expires_in"], 86_400);
    assert_eq!(first.json["token_type"], "Bearer");
    assert!(first.text_of("access_token").starts_with("eyJ"));
    let token = first.text_of("refresh_token");

    let refresh = json!({ "refreshToken": token });
    let headed = || at().header("partnerId", "1001").header("grantType", "refresh_token");
    let everything = json!({
        "partnerId": 1001, "grantType": "refresh_token", "refreshToken": token,
    });
    for (what, ask, status, error) in [
        (
            "no partnerId",
            at().header("grantType", "refresh_token").json(&refresh),
            400,
            "invalid_request",
        ),
        ("no grantType", at().header("partnerId", "1001").json(&refresh), 400, "invalid_request"),
        ("both in the body", at().json(&everything), 400, "invalid_request"),
        (
            "no int32",
            at().header("partnerId", "99999999999")
                .header("grantType", "refresh_token")
                .json(&refresh),
            400,
            "invalid_request",
        ),
        (
            "another partner",
            at().header("partnerId", "1002").header("grantType", "refresh_token").json(&refresh),
            401,
            "invalid_client",
        ),
        (
            "another grant",
            at().header("partnerId", "1001").header("grantType", "password").json(&refresh),
            400,
            "unsupported_grant_type",
        ),
        ("a form", headed().form(&[("refreshToken", token.as_str())]), 400, "invalid_request"),
        ("snake case", headed().json(&json!({ "refresh_token": token })), 400, "invalid_request"),
        ("credentials", headed().basic("1001", "x").json(&refresh), 400, "invalid_request"),
        ("twice", headed().header("partnerId", "1001").json(&refresh), 400, "invalid_request"),
    ] {
        refused(&world, what, ask, status, error).await;
    }
    let missing = world.send(headed().json(&json!({}))).await;
    let documented =
        json!({ "error": "invalid_request", "error_description": "Missing refresh token." });
    assert_eq!(missing.json, documented);
    let invalid = world.send(headed().json(&json!({ "refreshToken": "x" }))).await;
    let documented = json!({
        "error": "invalid_grant",
        "error_description": "Refresh token has expired or is invalid.",
    });
    assert_eq!(invalid.json, documented);

    let kept = world.send(headed().json(&refresh)).await;
    assert_eq!(
        fields(&kept),
        ["access_token", "expires_in", "token_type"],
        "none: the old one holds"
    );
    let rotated = world.send(headed().json(&refresh)).await;
    assert_ne!(rotated.text_of("refresh_token"), "");
    assert_ne!(rotated.text_of("refresh_token"), token);
    refused(&world, "the old one", headed().json(&refresh), 400, "invalid_grant").await;
    let next = json!({ "refreshToken": rotated.text_of("refresh_token") });
    assert_eq!(world.send(headed().json(&next)).await.status, StatusCode::OK);
}

#[tokio::test]
async fn every_realm_says_who_the_account_is() {
    let world = World::new();
    let path = "/apiax/auth/realms/apiax/protocol/openid-connect";
    let code = code(&world, "/apiax/authorize", "integration-api");
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", "integration-api"),
        ("code", code.as_str()),
        ("redirect_uri", CALLBACK),
    ];
    let token = world.send(post(&format!("{path}/token")).form(&form)).await;
    let access = token.text_of("access_token");
    let info = world.send(get(&format!("{path}/userinfo")).bearer(&access)).await;
    assert_eq!(info.json["email"], "alice@example.com");
    let elsewhere = world.send(get("/eventix/userinfo").bearer(&access)).await;
    assert_eq!(elsewhere.status, StatusCode::UNAUTHORIZED);
}
