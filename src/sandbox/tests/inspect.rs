//! Userinfo, introspection, revocation.

use axum::http::{StatusCode, header};

use super::{World, get, post, redemption};

#[tokio::test]
async fn userinfo_tells_what_the_scope_allows() {
    let world = World::new();
    let tokens = world.tokens("openid profile").await;
    let access = tokens.text_of("access_token");
    let info = world.userinfo(&access).await;
    assert_eq!(info.json["sub"], "acc_a11ce");
    assert_eq!(info.json["name"], "Alice Adler");
    assert_eq!(info.json.get("email"), None);
    world.pass(600);
    let late = world.userinfo(&access).await;
    assert_eq!(late.status, StatusCode::UNAUTHORIZED);
    assert_eq!(late.headers[header::WWW_AUTHENTICATE], "Bearer error=\"invalid_token\"");
    let naked = world.send(get("/userinfo")).await;
    assert_eq!(naked.headers[header::WWW_AUTHENTICATE], "Bearer");
    let without = world.tokens("api:read").await.text_of("access_token");
    assert_eq!(world.userinfo(&without).await.status, StatusCode::FORBIDDEN);
    let refresh = tokens.text_of("refresh_token");
    assert_eq!(world.userinfo(&refresh).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn introspection_is_for_the_client_the_token_is_for() {
    let world = World::new();
    let tokens = world.tokens("openid").await;
    let (access, refresh) = (tokens.text_of("access_token"), tokens.text_of("refresh_token"));
    let ask =
        |token: &str| post("/introspect").basic("demo", "demo-secret").form(&[("token", token)]);
    let answer = world.send(ask(&access)).await;
    assert_eq!(answer.json["active"], true);
    assert_eq!(answer.json["client_id"], "demo");
    assert_eq!(answer.json["token_type"], "Bearer");
    assert_eq!(world.send(ask(&refresh)).await.json["active"], true);
    assert_eq!(world.send(ask("nonsense")).await.text, r#"{"active":false}"#);

    let foreign =
        [("token", access.as_str()), ("client_id", "demo-post"), ("client_secret", "demo-secret")];
    let answer = world.send(post("/introspect").form(&foreign)).await;
    assert_eq!(answer.text, r#"{"active":false}"#);
    let public = [("token", access.as_str()), ("client_id", "demo-public")];
    let answer = world.send(post("/introspect").form(&public)).await;
    assert_eq!(answer.error(), (401, "invalid_client"));

    world.refresh(&refresh).await;
    assert_eq!(world.send(ask(&refresh)).await.json["active"], false, "it was rotated");
}

#[tokio::test]
async fn revoking_a_refresh_token_ends_the_grant() {
    let world = World::new();
    let tokens = world.tokens("openid").await;
    let (access, refresh) = (tokens.text_of("access_token"), tokens.text_of("refresh_token"));
    let ask = |token: &str| post("/revoke").basic("demo", "demo-secret").form(&[("token", token)]);
    let foreign = [("token", refresh.as_str()), ("client_id", "demo-public")];
    let answer = world.send(post("/revoke").form(&foreign)).await;
    assert_eq!(answer.error(), (400, "invalid_grant"));
    assert_eq!(world.send(post("/revoke").form(&foreign[..1])).await.error().0, 401);
    let answer = world.send(post("/revoke").basic("demo", "demo-secret").form(&[])).await;
    assert_eq!(answer.error(), (400, "invalid_request"));
    assert_eq!(world.userinfo(&access).await.status, StatusCode::OK, "so far nothing happened");

    assert_eq!(world.send(ask(&refresh)).await.status, StatusCode::OK);
    assert_eq!(world.userinfo(&access).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(world.refresh(&refresh).await.error(), (400, "invalid_grant"));
    assert_eq!(world.send(ask(&refresh)).await.status, StatusCode::OK, "twice is no error");
    assert_eq!(world.send(ask("unknown")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn revoking_an_access_token_ends_nothing_else() {
    let world = World::new();
    let code = world.code("demo-public", "openid");
    let mut form = redemption(&code).to_vec();
    form.push(("client_id", "demo-public"));
    let tokens = world.send(post("/token").form(&form)).await;
    let access = tokens.text_of("access_token");
    let ask = [("token", access.as_str()), ("client_id", "demo-public")];
    assert_eq!(world.send(post("/revoke").form(&ask)).await.status, StatusCode::OK);
    assert_eq!(world.userinfo(&access).await.status, StatusCode::UNAUTHORIZED);
    let refresh = tokens.text_of("refresh_token");
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh.as_str()),
        ("client_id", "demo-public"),
    ];
    assert_eq!(world.send(post("/token").form(&form)).await.status, StatusCode::OK);
}
