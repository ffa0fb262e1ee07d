//! The whole life, and each refusal, in the dialect `wetix`.

use super::*;

#[tokio::test]
async fn basic_over_json_with_an_address_for_refreshing() {
    let world = World::new();
    let (id, secret) = ("1612417576451877743", "wetix-demo-secret");
    let code = code(&world, "/wetix/authorize", id);
    let first =
        json!({ "grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK });
    refused(
        &world,
        "a code at the refresh address",
        post("/wetix/auth/refresh").basic(id, secret).json(&first),
        400,
        "unsupported_grant_type",
    )
    .await;
    let first = world.send(post("/wetix/auth/token").basic(id, secret).json(&first)).await;
    assert_eq!(first.json["expires_in"], 5_184_000);
    assert_eq!(first.json["refresh_token_expires_in"], 31_536_000);
    let token = first.text_of("refresh_token");
    let about = claims(&token);
    assert_eq!(about["tokenType"], "REFRESH_TOKEN");
    assert_eq!(about["exp"], 1_772_366_400 + 31_536_000);
    assert_eq!(about["client_key"], id);
    assert_eq!(claims(&first.text_of("access_token"))["tokenType"], "ACCESS_TOKEN");

    let refresh = json!({ "grant_type": "refresh_token", "refresh_token": token });
    let mut in_body = refresh.clone();
    in_body["client_id"] = json!(id);
    in_body["client_secret"] = json!(secret);
    let at = || post("/wetix/auth/refresh");
    let form = [("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
    for (what, ask, status, error) in [
        ("a form", at().basic(id, secret).form(&form), 400, "invalid_request"),
        ("no header", at().json(&refresh), 401, "invalid_client"),
        ("secret in the body", at().json(&in_body), 400, "invalid_request"),
        ("both", at().basic(id, secret).json(&in_body), 400, "invalid_request"),
        ("wrong secret", at().basic(id, "x").json(&refresh), 401, "invalid_client"),
        (
            "encoded twice",
            at().basic(id, "wetix%2Ddemo%2Dsecret").json(&refresh),
            401,
            "invalid_client",
        ),
        (
            "no grant_type",
            at().basic(id, secret).json(&json!({ "refresh_token": token })),
            400,
            "invalid_request",
        ),
        (
            "a refresh at the token address",
            post("/wetix/auth/token").basic(id, secret).json(&refresh),
            400,
            "unsupported_grant_type",
        ),
        (
            "the access token",
            at().basic(id, secret).json(&json!({
                "grant_type": "refresh_token",
                "refresh_token": first.text_of("access_token"),
            })),
            400,
            "invalid_grant",
        ),
    ] {
        refused(&world, what, ask, status, error).await;
    }
    world.pass(100);
    let second = world.send(at().basic(id, secret).json(&refresh)).await;
    assert_eq!(second.text_of("refresh_token"), token, "the example repeats it");
    assert_eq!(second.json["refresh_token_expires_in"], 31_535_900);
    assert_ne!(second.text_of("access_token"), first.text_of("access_token"));
    let names =
        ["access_token", "expires_in", "refresh_token", "refresh_token_expires_in", "token_type"];
    assert_eq!(fields(&second), names);
    let own = world
        .send(post("/wetix/auth/token").basic(id, secret).json(&json!({
            "grant_type": "client_credentials",
        })))
        .await;
    assert_eq!(own.status, StatusCode::OK);
    assert_eq!(own.json.get("refresh_token"), None);
}
