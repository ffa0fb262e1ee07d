//! The whole life, and each refusal, in the dialect `apiax`.

use super::*;

#[tokio::test]
async fn a_public_client_speaks_in_forms() {
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
