use serde_json::{Value, json};

use super::*;
use crate::server::provider::{
    guard::Policy,
    tests::{Act, Server, http, http_with},
};

fn metadata(issuer: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut metadata = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/auth"),
        "token_endpoint": format!("{issuer}/token"),
        "revocation_endpoint": format!("{issuer}/revoke"),
        "userinfo_endpoint": format!("{issuer}/me"),
        "scopes_supported": ["openid", "offline_access", "email", "api:read"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "none"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
    });
    change(&mut metadata);
    metadata.to_string()
}

async fn discovered(change: impl FnOnce(&mut Value)) -> Result<Profile, Error> {
    let server =
        Server::new(|origin| vec![Act::json(200, &metadata(origin, change)), Act::json(404, "{}")])
            .await;
    discover(&http(), &server.origin).await
}

#[tokio::test]
async fn an_issuers_metadata_becomes_a_profile() {
    let server = Server::new(|origin| vec![Act::json(200, &metadata(origin, |_| {}))]).await;
    let profile = discover(&http(), &server.origin).await.unwrap();
    assert_eq!(profile.issuer.as_ref(), Some(&server.origin));
    assert_eq!(profile.endpoints.token, Some(format!("{}/token", server.origin)));
    assert_eq!(profile.grants, [GrantType::AuthorizationCode, GrantType::ClientCredentials]);
    assert_eq!(profile.request.authentication.method, AuthenticationMethod::Post);
    assert_eq!(profile.authorization.pkce, Pkce::S256);
    assert_eq!(profile.authorization.default_scopes, ["openid", "email", "offline_access"]);
    assert_eq!(profile.authorization.extra["prompt"], "consent");
    assert!(profile.authorization.iss_required);
    assert_eq!(profile.slug, "127-0-0-1");
    assert_eq!(profile.validate(), []);
    assert!(server.seen()[0].starts_with("GET /.well-known/openid-configuration HTTP/1.1"));
}

#[tokio::test]
async fn silence_means_the_rfcs_defaults() {
    let profile = discovered(|metadata| {
        let keep = ["issuer", "authorization_endpoint", "token_endpoint"];
        metadata.as_object_mut().unwrap().retain(|name, _| keep.contains(&name.as_str()));
    })
    .await
    .unwrap();
    assert_eq!(profile.grants, [GrantType::AuthorizationCode]);
    assert_eq!(profile.request.authentication.method, AuthenticationMethod::Basic);
    assert_eq!(profile.authorization.pkce, Pkce::S256);
    assert!(!profile.authorization.iss_required);
    assert!(profile.response.account.label.iter().all(|s| s.from != IdentityOrigin::Userinfo));
}

#[tokio::test]
async fn the_issuer_is_compared_byte_for_byte() {
    let error = discovered(|metadata| {
        metadata["issuer"] = format!("{}/", metadata["issuer"].as_str().unwrap()).into();
    })
    .await
    .unwrap_err();
    assert!(matches!(&error, Error::Discovery(why) if why.contains("last character")), "{error}");
}

#[tokio::test]
async fn both_places_of_metadata_are_tried() {
    let server = Server::new(|origin| {
        let issuer = format!("{origin}/realm");
        vec![Act::json(404, "{}"), Act::json(200, &metadata(&issuer, |_| {}))]
    })
    .await;
    let issuer = format!("{}/realm", server.origin);
    let profile = discover(&http(), &issuer).await.unwrap();
    assert_eq!(profile.issuer, Some(issuer));
    let seen = server.seen();
    assert!(seen[0].starts_with("GET /realm/.well-known/openid-configuration "), "{}", seen[0]);
    assert!(
        seen[1].starts_with("GET /.well-known/oauth-authorization-server/realm "),
        "{}",
        seen[1]
    );
}

/// People paste the address that they have at hand.
#[tokio::test]
async fn the_address_of_the_metadata_leads_to_its_issuer() {
    let oauth = "/.well-known/oauth-authorization-server";
    for (pasted, path) in [
        ("/.well-known/openid-configuration", ""),
        ("/.well-known/openid-configuration", "/"),
        ("/realm/.well-known/openid-configuration", "/realm"),
        ("/.well-known/oauth-authorization-server/realm", "/realm"),
        (oauth, ""),
    ] {
        let server = Server::new(|origin| {
            let issuer = format!("{origin}{path}");
            let found = Act::json(200, &metadata(&issuer, |_| {}));
            vec![found.clone(), found]
        })
        .await;
        let profile = discover(&http(), &format!("{}{pasted}", server.origin)).await.unwrap();
        assert_eq!(profile.issuer, Some(format!("{}{path}", server.origin)), "{pasted}");
    }
    // It is compared all the same.
    let other = |_: &str| vec![Act::json(200, &metadata("https://other.example", |_| {})); 3];
    let server = Server::new(other).await;
    let pasted = format!("{}/.well-known/openid-configuration", server.origin);
    let error = discover(&http(), &pasted).await.unwrap_err();
    assert!(matches!(&error, Error::Discovery(why) if why.contains("last character")), "{error}");
}

#[tokio::test]
async fn what_is_no_metadata_is_told_without_the_parsers_words() {
    for (body, told) in [
        ("<!doctype html><p>Welcome", "a page for people (HTML)"),
        ("welcome", "it is not JSON"),
        ("{\"token_endpoint\":\"https://a.example\"}", "it does not say its \"issuer\""),
        ("[]", "are not those of RFC 8414"),
    ] {
        let server = Server::new(|_| vec![Act::json(200, body); 3]).await;
        let error = discover(&http(), &server.origin).await.unwrap_err().to_string();
        assert!(error.contains(told) && !error.contains("line 1"), "{error}");
    }
}

/// Many sites answer any address with a page for people, or break off.
#[tokio::test]
async fn what_stands_in_one_place_keeps_nobody_from_the_next() {
    let other = r#"{"issuer":"https://other.example","token_endpoint":"https://other.example/t"}"#;
    for first in [
        Act::with(200, "Content-Type: text/html", "<!doctype html><p>Welcome"),
        Act::json(200, "[]"),
        Act::json(200, other),
        Act::raw(b""),
        Act::raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"),
    ] {
        let server =
            Server::new(|origin| vec![first, Act::json(200, &metadata(origin, |_| {}))]).await;
        let profile = discover(&http(), &server.origin).await.unwrap();
        assert_eq!(profile.issuer.as_ref(), Some(&server.origin));
        assert_eq!(server.seen().len(), 2);
    }
}

#[tokio::test]
async fn if_no_place_fits_the_first_reason_that_says_something_is_told() {
    let page = || Act::with(200, "Content-Type: text/html", "<p>Welcome");
    for (acts, told) in [
        (vec![page(), Act::json(404, "{}")], "openid-configuration holds no metadata"),
        (vec![Act::json(404, "{}"), page()], "oauth-authorization-server holds no metadata"),
        (vec![Act::json(404, "{}"), Act::json(500, "{}")], "openid-configuration answered 404"),
    ] {
        let server = Server::new(|_| acts).await;
        let error = discover(&http(), &server.origin).await.unwrap_err();
        assert!(matches!(&error, Error::Discovery(why) if why.contains(told)), "{error}");
    }
}

#[tokio::test]
async fn metadata_that_leads_astray_is_refused() {
    let error = discovered(|m| m["token_endpoint"] = "http://evil.example/token".into()).await;
    assert!(
        matches!(&error, Err(Error::Invalid(errors)) if errors[0].field == "endpoints.token"),
        "{error:?}"
    );
    let error = discovered(|m| m["authorization_endpoint"] = "javascript:alert(1)".into()).await;
    assert!(matches!(error, Err(Error::Invalid(_))), "{error:?}");
    let error = discovered(|m| m["token_endpoint"] = Value::Null).await;
    assert!(matches!(error, Err(Error::Invalid(_))), "{error:?}");
    let error = discovered(|m| m["scopes_supported"] = 1.into()).await;
    assert!(matches!(error, Err(Error::Discovery(_))), "{error:?}");
}

#[tokio::test]
async fn what_is_no_issuer_is_told() {
    for issuer in
        ["", "accounts.example.com", "https://a.example?x=1", "https://a.example#x", "mailto:a@b"]
    {
        assert!(matches!(discover(&http(), issuer).await, Err(Error::Discovery(_))), "{issuer}");
    }
    for (issuer, told) in [
        ("accounts.example.com", "is no address; one looks like https://"),
        ("https://a.example/.well-known/security.txt", "something else than metadata"),
    ] {
        let error = discover(&http(), issuer).await.unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
    let closed = http_with(Policy::default());
    let blocked = discover(&closed, "https://169.254.169.254/latest").await;
    assert!(matches!(blocked, Err(Error::Blocked(_))), "{blocked:?}");
}
