//! The authorization endpoint and its page.

use axum::http::{StatusCode, header};

use super::{BASE, CALLBACK, World, authorization_url, code_of, get, parameter, post};
use crate::sandbox::{Client, RedirectUri};

#[tokio::test]
async fn errors_go_back_to_the_client_with_state_and_issuer() {
    let world = World::new();
    for (name, value, error) in [
        ("response_type", "token", "unsupported_response_type"),
        ("response_type", "", "invalid_request"),
        ("response_mode", "form_post", "invalid_request"),
        ("code_challenge", "", "invalid_request"),
        ("code_challenge", "short", "invalid_request"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("code_challenge_method", "", "invalid_request"),
        ("scope", "api:everything", "invalid_scope"),
        ("prompt", "none", "login_required"),
        ("prompt", "dance", "invalid_request"),
        ("request", "eyJ", "request_not_supported"),
        ("request_uri", "urn:x", "request_uri_not_supported"),
    ] {
        let url = authorization_url("/authorize", "demo", &[(name, value)]);
        let answer = world.send(get(&url)).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{name}={value}: {}", answer.text);
        let back = answer.headers[header::LOCATION].to_str().expect("an address");
        assert!(back.starts_with(CALLBACK), "{back}");
        assert_eq!(parameter(back, "error").as_deref(), Some(error), "{name}={value}");
        assert_eq!(parameter(back, "state").as_deref(), Some("st&te"));
        assert_eq!(parameter(back, "iss").as_deref(), Some(BASE));
    }
    let url = authorization_url("/authorize", "demo", &[]);
    let back = world.sandbox.deny(&url).expect("a way back");
    assert_eq!(parameter(&back, "error").as_deref(), Some("access_denied"));
    assert_eq!(parameter(&back, "state").as_deref(), Some("st&te"));
}

#[tokio::test]
async fn nobody_is_sent_to_an_address_that_is_not_registered() {
    let world = World::new();
    let mut exact = Client::confidential("exact", "secret");
    exact.redirect_uris = vec![RedirectUri::Exact("https://app.example/cb".to_owned())];
    let mut native = Client::public("native");
    native.redirect_uris = vec![RedirectUri::AnyLoopbackPort("http://127.0.0.1/cb".to_owned())];
    world.sandbox.add_client(exact);
    world.sandbox.add_client(native);
    for (client, uri, ok) in [
        ("exact", "https://app.example/cb", true),
        ("exact", "https://app.example/cb/", false),
        ("exact", "https://app.example/cb?x=1", false),
        ("exact", "https://APP.example/cb", false),
        ("exact", "http://app.example/cb", false),
        ("native", "http://127.0.0.1:49152/cb", true),
        ("native", "http://127.0.0.1:49152/other", false),
        ("native", "http://localhost:49152/cb", false),
        ("native", "http://app.example:49152/cb", false),
        ("demo", "https://regrant.example/base/oauth/callback", true),
        ("demo", "https://regrant.example/oauth/callback?next=/", false),
        ("demo", "https://regrant.example/oauth/callback#x", false),
        ("demo", "https://u:p@regrant.example/oauth/callback", false),
        ("demo", "javascript:alert(1)//oauth/callback", false),
        ("demo", "", false),
        ("nobody", CALLBACK, false),
    ] {
        let url = authorization_url("/authorize", client, &[("redirect_uri", uri)]);
        let answer = world.send(get(&url)).await;
        let expected = if ok { StatusCode::OK } else { StatusCode::BAD_REQUEST };
        assert_eq!(answer.status, expected, "{client} {uri}");
        assert!(!answer.headers.contains_key(header::LOCATION));
    }
    let twice = authorization_url("/authorize", "demo", &[]) + "&state=other";
    assert_eq!(world.send(get(&twice)).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_person_consents_on_the_page_and_only_once() {
    let world = World::new();
    let mut client = Client::confidential("shop", "secret");
    client.name = "<b>Shop</b> & Co".to_owned();
    world.sandbox.add_client(client);
    let url = authorization_url(
        "/authorize",
        "shop",
        &[("scope", "openid ttl:60"), ("login_hint", "bob")],
    );
    let page = world.send(get(&url)).await;
    assert!(page.text.contains("&lt;b&gt;Shop&lt;/b&gt; &amp; Co"), "names are escaped");
    assert!(!page.text.contains("<script"));
    assert!(page.text.contains("<li>ttl:60</li>"));
    assert!(page.text.contains("value=\"bob@example.com\" checked"), "the hint preselects");
    let policy = page.headers[header::CONTENT_SECURITY_POLICY].to_str().expect("text");
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));

    let ticket = page.text.split("name=\"ticket\" value=\"").nth(1).expect("a ticket");
    let ticket = ticket.split('"').next().expect("its end");
    let answer = |account, decision| {
        post("/decision").form(&[("ticket", ticket), ("account", account), ("decision", decision)])
    };
    let unknown = world.send(answer("mallory@example.com", "allow")).await;
    assert_eq!(unknown.status, StatusCode::BAD_REQUEST);
    let elsewhere = post("/eventix/decision").form(&[("ticket", ticket), ("decision", "deny")]);
    assert_eq!(world.send(elsewhere).await.status, StatusCode::BAD_REQUEST);

    let allowed = world.send(answer("carol@example.com", "allow")).await;
    assert_eq!(allowed.status, StatusCode::SEE_OTHER);
    let back = allowed.headers[header::LOCATION].to_str().expect("an address");
    assert!(!code_of(back).is_empty());
    let again = world.send(answer("carol@example.com", "allow")).await;
    assert_eq!(again.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_page_left_open_expires() {
    let world = World::new();
    let page = world.send(get(&authorization_url("/authorize", "demo", &[]))).await;
    let ticket = page.text.split("name=\"ticket\" value=\"").nth(1).expect("a ticket");
    let ticket = ticket.split('"').next().expect("its end");
    world.pass(600);
    let form = [("ticket", ticket), ("account", "alice"), ("decision", "allow")];
    let answer = world.send(post("/decision").form(&form)).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn the_request_may_also_be_posted() {
    let world = World::new();
    let url = authorization_url("/authorize", "demo", &[]);
    let query = url.split_once('?').expect("a query").1.to_owned();
    let ask = post("/authorize").body("application/x-www-form-urlencoded", query);
    let page = world.send(ask).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text.contains("asks for access"));
}

/// Whoever began one by hand finds here what a client is registered with.
#[tokio::test]
async fn the_first_page_says_what_this_is_and_what_to_enter() {
    let page = World::new().send(get("/")).await;
    assert_eq!(page.status, StatusCode::OK);
    for part in [BASE, "demo-secret", "demo-public", "alice@example.com", "/accounts", "in memory"]
    {
        assert!(page.text.contains(part), "{part} in {}", page.text);
    }
}

#[tokio::test]
async fn consent_can_be_withdrawn_by_its_owner() {
    let world = World::new();
    let tokens = world.tokens("openid").await;
    let page = world.send(get("/accounts")).await;
    assert!(page.text.contains("<li>demo</li>"));
    let form = [("withdraw", "alice@example.com")];
    assert_eq!(world.send(post("/accounts").form(&form)).await.status, StatusCode::SEE_OTHER);
    let refused = world.refresh(&tokens.text_of("refresh_token")).await;
    assert_eq!(refused.error(), (400, "invalid_grant"));
    assert!(!world.send(get("/accounts")).await.text.contains("<li>demo</li>"));
}
