//! Token exchange.

use axum::http::StatusCode;

use super::{Answer, World, post};

const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

async fn exchange(world: &World, token: &str, changes: &[(&str, &str)]) -> Answer {
    let mut form = vec![
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("subject_token", token),
        ("subject_token_type", ACCESS_TOKEN),
    ];
    for (name, value) in changes {
        form.retain(|(had, _)| had != name);
        form.push((*name, *value));
    }
    world.send(post("/token").basic("demo", "demo-secret").form(&form)).await
}

#[tokio::test]
async fn a_live_token_becomes_one_of_the_callers_own() {
    let world = World::new();
    let subject = world.tokens("openid email api:read").await.text_of("access_token");
    let made = exchange(&world, &subject, &[("scope", "openid"), ("audience", "demo-post")]).await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.text);
    assert_eq!(made.json["issued_token_type"], ACCESS_TOKEN);
    assert_eq!(made.json["scope"], "openid");
    let access = made.text_of("access_token");
    assert_ne!(access, subject);
    assert_eq!(world.userinfo(&access).await.status, StatusCode::OK);
    assert_eq!(world.userinfo(&subject).await.status, StatusCode::OK, "still alive");
    assert_eq!(world.refresh(&made.text_of("refresh_token")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn what_does_not_fit_is_refused() {
    let world = World::new();
    let tokens = world.tokens("openid").await;
    let subject = tokens.text_of("access_token");
    for (changes, code) in [
        ([("subject_token_type", "urn:ietf:params:oauth:token-type:jwt")], "invalid_request"),
        ([("subject_token_type", "")], "invalid_request"),
        ([("subject_token", "nonsense")], "invalid_request"),
        ([("requested_token_type", "urn:x")], "invalid_request"),
        ([("actor_token", "x")], "invalid_request"),
        ([("audience", "nobody")], "invalid_target"),
        ([("resource", "https://elsewhere.example")], "invalid_target"),
        ([("scope", "openid api:read")], "invalid_scope"),
    ] {
        assert_eq!(exchange(&world, &subject, &changes).await.error(), (400, code), "{changes:?}");
    }
    let refresh = tokens.text_of("refresh_token");
    assert_eq!(exchange(&world, &refresh, &[]).await.error(), (400, "invalid_request"));
    world.sandbox.revoke_account("alice");
    assert_eq!(exchange(&world, &subject, &[]).await.error(), (400, "invalid_request"));
}
