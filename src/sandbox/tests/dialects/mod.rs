//! A whole life in each dialect, and what each refuses.

mod apiax;
mod cronofy;
mod eventix;
mod partner;
mod wetix;

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

#[tokio::test]
async fn a_token_response_can_be_had_without_a_page_in_every_realm() {
    let world = World::new();
    for (realm, client) in [
        (Realm::Standard, "demo"),
        (Realm::Eventix, "eventix-demo"),
        (Realm::Wetix, "1612417576451877743"),
        (Realm::Apiax, "integration-api"),
        (Realm::Cronofy, "cronofy-demo"),
        (Realm::Partner, "1001"),
    ] {
        let response = world.sandbox.grant(realm, client, "bob", Some("ttl:60")).expect("granted");
        assert!(response["refresh_token"].is_string(), "{realm:?}");
    }
    let form = world.sandbox.grant(Realm::Standard, "demo", "bob", None).expect("granted");
    let token = form["refresh_token"].as_str().expect("a token");
    assert_eq!(world.refresh(token).await.status, StatusCode::OK);
    assert!(world.sandbox.grant(Realm::Standard, "nobody", "bob", None).is_err());
}
