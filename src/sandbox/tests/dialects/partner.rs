//! The whole life, and each refusal, in the dialect `partner`.

use super::*;

#[tokio::test]
async fn headers_and_camel_case() {
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
