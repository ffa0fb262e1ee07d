//! The device authorization grant.

use axum::http::StatusCode;

use super::{Answer, World, get, post};

async fn begin(world: &World) -> Answer {
    let form = [("client_id", "demo-public"), ("scope", "openid email")];
    world.send(post("/device_authorization").form(&form)).await
}

async fn poll(world: &World, code: &str) -> Answer {
    let form = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("device_code", code),
        ("client_id", "demo-public"),
    ];
    world.send(post("/token").form(&form)).await
}

#[tokio::test]
async fn a_device_waits_until_its_owner_has_decided() {
    let world = World::new();
    let begun = begin(&world).await;
    let code = begun.text_of("device_code");
    assert_eq!(poll(&world, &code).await.error(), (400, "authorization_pending"));
    assert_eq!(poll(&world, &code).await.error(), (400, "slow_down"));
    world.pass(5);
    assert_eq!(poll(&world, &code).await.error(), (400, "slow_down"), "the interval grew");

    let typed = begun.text_of("user_code").to_lowercase().replace('-', " ");
    let query = serde_urlencoded::to_string([("user_code", typed)]).expect("text");
    let page = world.send(get(&format!("/device?{query}"))).await;
    assert!(page.text.contains("asks for access"), "{}", page.text);
    let ticket = page.text.split("name=\"ticket\" value=\"").nth(1).expect("a ticket");
    let ticket = ticket.split('"').next().expect("its end");
    let form = [("ticket", ticket), ("account", "carol@example.com"), ("decision", "allow")];
    let done = world.send(post("/decision").form(&form)).await;
    assert!(done.text.contains("Connected"));

    world.pass(60);
    let tokens = poll(&world, &code).await;
    assert_eq!(tokens.status, StatusCode::OK, "{}", tokens.text);
    let access = tokens.text_of("access_token");
    assert_eq!(world.userinfo(&access).await.json["email"], "carol@example.com");
    assert!(!tokens.text_of("refresh_token").is_empty());
    assert_eq!(poll(&world, &code).await.error(), (400, "invalid_grant"), "once");
}

#[tokio::test]
async fn a_device_is_refused_told_to_begin_again_or_unknown() {
    let world = World::new();
    let begun = begin(&world).await;
    let code = begun.text_of("device_code");
    world.pass(600);
    assert_eq!(poll(&world, &code).await.error(), (400, "expired_token"));
    assert!(!world.sandbox.approve_device(&begun.text_of("user_code"), "alice"));
    let complete = begun.text_of("verification_uri_complete");
    let page = world.send(get(&complete)).await;
    assert!(page.text.contains("No device waits with this code"));
    assert_eq!(poll(&world, "nonsense").await.error(), (400, "invalid_grant"));

    let begun = begin(&world).await;
    let page = world.send(get(&begun.text_of("verification_uri_complete"))).await;
    let ticket = page.text.split("name=\"ticket\" value=\"").nth(1).expect("a ticket");
    let ticket = ticket.split('"').next().expect("its end");
    world.send(post("/decision").form(&[("ticket", ticket), ("decision", "deny")])).await;
    let denied = poll(&world, &begun.text_of("device_code")).await;
    assert_eq!(denied.error(), (400, "access_denied"));

    let begun = begin(&world).await;
    assert!(world.sandbox.approve_device(&begun.text_of("user_code"), "bob"));
    assert_eq!(poll(&world, &begun.text_of("device_code")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn another_client_cannot_take_the_device_code() {
    let world = World::new();
    let begun = begin(&world).await;
    world.sandbox.approve_device(&begun.text_of("user_code"), "bob");
    let code = begun.text_of("device_code");
    let form = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("device_code", code.as_str()),
    ];
    let stolen = world.send(post("/token").basic("demo", "demo-secret").form(&form)).await;
    assert_eq!(stolen.error(), (400, "invalid_grant"));
    let wrong = world.send(post("/device_authorization").basic("demo", "x").form(&[])).await;
    assert_eq!(wrong.error(), (401, "invalid_client"));
}
