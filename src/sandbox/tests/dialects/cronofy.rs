//! The whole life, and each refusal, in the dialect `cronofy`.

use super::*;

#[tokio::test]
async fn rotation_comes_now_and_then() {
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
