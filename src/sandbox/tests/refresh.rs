//! Rotation, reuse, grace and the ends of lifetimes.

use axum::http::StatusCode;
use time::Duration;

use super::{World, post};
use crate::sandbox::{Client, Issue, OnReuse, Realm, RefreshPolicy, Rotation};

fn demo_with(change: impl FnOnce(&mut RefreshPolicy)) -> World {
    let world = World::new();
    let mut client = Client::confidential("demo", "demo-secret");
    change(&mut client.refresh);
    world.sandbox.add_client(client);
    world
}

#[tokio::test]
async fn a_refresh_token_is_used_once_and_reuse_ends_the_family() {
    let world = World::new();
    let first = world.tokens("openid").await.text_of("refresh_token");
    let second = world.refresh(&first).await;
    assert_eq!(second.status, StatusCode::OK);
    let third = world.refresh(&second.text_of("refresh_token")).await;
    assert_eq!(third.status, StatusCode::OK);
    let access = third.text_of("access_token");
    assert_eq!(world.userinfo(&access).await.status, StatusCode::OK);

    assert_eq!(world.refresh(&first).await.error(), (400, "invalid_grant"));
    let newest = world.refresh(&third.text_of("refresh_token")).await;
    assert_eq!(newest.error(), (400, "invalid_grant"));
    assert_eq!(world.userinfo(&access).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn another_family_of_the_same_account_survives() {
    let world = World::new();
    let one = world.tokens("openid").await.text_of("refresh_token");
    let other = world.tokens("openid").await.text_of("refresh_token");
    world.refresh(&one).await;
    world.refresh(&one).await;
    assert_eq!(world.refresh(&other).await.status, StatusCode::OK);
}

#[tokio::test]
async fn within_the_grace_window_the_old_token_gives_its_successor() {
    let world = demo_with(|refresh| refresh.grace = Duration::seconds(30));
    let first = world.tokens("openid").await.text_of("refresh_token");
    let second = world.refresh(&first).await.text_of("refresh_token");
    world.pass(29);
    let again = world.refresh(&first).await;
    assert_eq!(again.text_of("refresh_token"), second);
    // Only the token just rotated has grace, not the one before it.
    let third = world.refresh(&second).await.text_of("refresh_token");
    assert_eq!(world.refresh(&first).await.error(), (400, "invalid_grant"));
    assert_eq!(world.refresh(&third).await.error(), (400, "invalid_grant"));

    let world = demo_with(|refresh| refresh.grace = Duration::seconds(30));
    let first = world.tokens("openid").await.text_of("refresh_token");
    world.refresh(&first).await;
    world.pass(30);
    assert_eq!(world.refresh(&first).await.error(), (400, "invalid_grant"));
}

#[tokio::test]
async fn rotation_follows_the_policy() {
    let world = demo_with(|refresh| refresh.rotation = Rotation::Never);
    let first = world.tokens("openid").await.text_of("refresh_token");
    for _ in 0..3 {
        assert_eq!(world.refresh(&first).await.text_of("refresh_token"), first);
    }
    let world = demo_with(|refresh| {
        refresh.rotation = Rotation::Every(3);
        refresh.on_reuse = OnReuse::Refuse;
    });
    let first = world.tokens("openid").await.text_of("refresh_token");
    for _ in 0..2 {
        assert_eq!(world.refresh(&first).await.text_of("refresh_token"), first);
    }
    let next = world.refresh(&first).await.text_of("refresh_token");
    assert_ne!(next, first);
    assert_eq!(world.refresh(&first).await.error(), (400, "invalid_grant"));
    assert_eq!(world.refresh(&next).await.status, StatusCode::OK, "the family lives on");
}

#[tokio::test]
async fn lifetimes_are_fixed_or_slide_and_idleness_ends_them() {
    let world = demo_with(|refresh| refresh.sliding = false);
    let first = world.tokens("refresh_ttl:100").await;
    assert_eq!(first.json["refresh_token_expires_in"], 100);
    world.pass(60);
    let second = world.refresh(&first.text_of("refresh_token")).await;
    assert_eq!(second.json["refresh_token_expires_in"], 40);
    world.pass(40);
    let late = world.refresh(&second.text_of("refresh_token")).await;
    assert_eq!(late.error(), (400, "invalid_grant"));

    let world = demo_with(|refresh| refresh.idle = Some(Duration::seconds(50)));
    let first = world.tokens("refresh_ttl:100 ttl:10").await;
    assert_eq!(first.json["expires_in"], 10);
    world.pass(49);
    let second = world.refresh(&first.text_of("refresh_token")).await;
    assert_eq!(second.json["refresh_token_expires_in"], 100, "it slides");
    world.pass(50);
    let idle = world.refresh(&second.text_of("refresh_token")).await;
    assert_eq!(idle.error(), (400, "invalid_grant"));
}

#[tokio::test]
async fn a_refresh_token_is_issued_as_registered() {
    let world = demo_with(|refresh| refresh.issue = Issue::OfflineAccess);
    assert_eq!(world.tokens("openid").await.json.get("refresh_token"), None);
    let offline = world.tokens("openid offline_access").await;
    assert!(!offline.text_of("refresh_token").is_empty());
    let world = demo_with(|refresh| refresh.issue = Issue::Never);
    assert_eq!(world.tokens("offline_access").await.json.get("refresh_token"), None);
}

#[tokio::test]
async fn scope_may_shrink_and_never_grow() {
    let world = World::new();
    let first = world.tokens("api:read api:write").await.text_of("refresh_token");
    let ask = |token: &str, scope: &str| {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token), ("scope", scope)];
        post("/token").basic("demo", "demo-secret").form(&form)
    };
    let wide = world.send(ask(&first, "api:read openid")).await;
    assert_eq!(wide.error(), (400, "invalid_scope"));
    let less = world.send(ask(&first, "api:read")).await;
    assert_eq!(less.json["scope"], "api:read", "a refused scope does not use the token up");
    let all = world.refresh(&less.text_of("refresh_token")).await;
    assert_eq!(all.json["scope"], "api:read api:write", "the grant itself is as wide as before");
}

#[tokio::test]
async fn a_token_is_bound_to_its_client_and_realm() {
    let world = World::new();
    let token = world.tokens("openid").await.text_of("refresh_token");
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", token.as_str()),
        ("client_id", "demo-post"),
        ("client_secret", "demo-secret"),
    ];
    let stolen = world.send(post("/token").form(&form)).await;
    assert_eq!(stolen.error(), (400, "invalid_grant"));
    let body = serde_json::json!({
        "grant_type": "refresh_token",
        "refresh_token": token,
        "client_id": "cronofy-demo",
        "client_secret": "cronofy-demo-secret",
    });
    let stolen = world.send(post("/cronofy/oauth/token").json(&body)).await;
    assert_eq!(stolen.error(), (400, "invalid_grant"));
    assert_eq!(world.refresh(&token).await.status, StatusCode::OK, "neither used it up");
}

#[tokio::test]
async fn consent_withdrawn_and_secret_replaced() {
    let world = World::new();
    let token = world.tokens("openid").await.text_of("refresh_token");
    assert_eq!(world.sandbox.revoke_account("bob"), 0);
    assert_eq!(world.sandbox.revoke_account("alice@example.com"), 1);
    assert_eq!(world.refresh(&token).await.error(), (400, "invalid_grant"));

    let token = world.tokens("openid").await.text_of("refresh_token");
    assert!(world.sandbox.replace_secret(Realm::Standard, "demo", "new"));
    assert_eq!(world.refresh(&token).await.error(), (401, "invalid_client"));
    assert!(world.sandbox.replace_secret(Realm::Standard, "demo", "demo-secret"));
    assert_eq!(world.refresh(&token).await.status, StatusCode::OK, "the grant lived on");
}
