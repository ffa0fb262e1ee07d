//! The whole life, and each refusal, in the dialect `eventix`.

use super::*;

#[tokio::test]
async fn tokens_are_used_once_and_everything_is_json() {
    let world = World::new();
    let body = |extra: &[(&str, &str)]| {
        let mut body = json!({
            "client_id": "eventix-demo",
            "client_secret": "eventix-demo-secret",
        });
        for (name, value) in extra {
            body[*name] = json!(value);
        }
        body
    };
    let code = code(&world, "/eventix/authorize", "eventix-demo");
    let first =
        body(&[("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", CALLBACK)]);
    let first = world.send(post("/eventix/tokens").json(&first)).await;
    let names = [
        "access_token",
        "expires_in",
        "info",
        "refresh_token",
        "refresh_token_expires_in",
        "token_type",
    ];
    assert_eq!(fields(&first), names);
    assert_eq!(first.json["token_type"], "Bearer");
    assert_eq!(first.json["expires_in"], 259_200);
    assert_eq!(first.json["refresh_token_expires_in"], 31_535_999);
    assert_eq!(first.json["info"]["email"], "alice@example.com");

    let token = first.text_of("refresh_token");
    let refresh = body(&[("grant_type", "refresh_token"), ("refresh_token", &token)]);
    let with = |name: &str, value: Value| {
        let mut body = refresh.clone();
        body[name] = value;
        body
    };
    let at = || post("/eventix/tokens");
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", token.as_str()),
        ("client_id", "eventix-demo"),
        ("client_secret", "eventix-demo-secret"),
    ];
    let multipart = "--x\r\ncontent-disposition: form-data; name=\"grant_type\"\r\n\r\nrefresh_token\r\n--x--\r\n";
    let basic = json!({ "grant_type": "refresh_token", "refresh_token": token });
    for (what, ask, status, error) in [
        ("a form", at().form(&form), 400, "invalid_request"),
        (
            "multipart under JSON",
            at().body("application/json", multipart.into()),
            400,
            "invalid_request",
        ),
        (
            "JSON without its type",
            at().body("text/plain", refresh.to_string()),
            400,
            "invalid_request",
        ),
        (
            "in the address",
            post("/eventix/tokens?grant_type=refresh_token").json(&refresh),
            400,
            "invalid_request",
        ),
        (
            "Basic",
            at().basic("eventix-demo", "eventix-demo-secret").json(&basic),
            401,
            "invalid_client",
        ),
        ("wrong secret", at().json(&with("client_secret", json!("x"))), 401, "invalid_client"),
        ("no secret", at().json(&with("client_secret", json!(null))), 401, "invalid_client"),
        ("no token", at().json(&with("refresh_token", json!(null))), 400, "invalid_request"),
        ("a number", at().json(&with("refresh_token", json!(1))), 400, "invalid_request"),
        (
            "another grant",
            at().json(&with("grant_type", json!("client_credentials"))),
            400,
            "unauthorized_client",
        ),
        ("another token", at().json(&with("refresh_token", json!("x"))), 400, "invalid_grant"),
    ] {
        refused(&world, what, ask, status, error).await;
    }
    let second = world.send(at().json(&refresh)).await;
    assert_eq!(fields(&second), names);
    assert_ne!(second.text_of("refresh_token"), token);
    refused(&world, "reuse", at().json(&refresh), 400, "invalid_grant").await;
}
