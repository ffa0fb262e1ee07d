//! A client tried without sending anything: what it says is what would go out, and holds no secret.

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::{
    domain::{
        access::{Role, Scope},
        provider::{AuthenticationMethod, ErrorRule},
        refusal::ErrorClass,
    },
    tests::support::{SECRET, World},
};

fn request<'a>(run: &'a Value, call: &str) -> &'a Value {
    let requests = run["requests"].as_array().unwrap();
    requests.iter().find(|request| request["call"] == call).unwrap_or_else(|| panic!("{call}"))
}

#[sqlx::test]
async fn the_requests_are_shown_as_they_would_go_out(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let program = world.program(&[Scope::ClientsWrite]).await;
    let run = program.post(&format!("/clients/{client}/dry-run"), &json!({})).await.ok();
    let url = world.sandbox.url();
    let refresh = request(&run, "refresh");
    assert_eq!(
        (&refresh["method"], &refresh["url"]),
        (&json!("POST"), &json!(format!("{url}/token")))
    );
    assert_eq!(refresh["body"], "grant_type=refresh_token&refresh_token=REFRESH-TOKEN");
    let headers = refresh["headers"].as_array().unwrap();
    // The credentials of RFC 6749 section 2.3.1: `one:CLIENT-SECRET`.
    let basic = json!({ "name": "authorization", "value": "Basic b25lOkNMSUVOVC1TRUNSRVQ=" });
    assert!(headers.contains(&basic), "{headers:?}");
    let authorize = request(&run, "authorize")["url"].as_str().unwrap();
    assert!(authorize.starts_with(&format!("{url}/authorize?response_type=code&client_id=one")));
    assert!(authorize.contains("state=STATE"));
    for call in ["exchange", "client_credentials", "revoke"] {
        assert_eq!(request(&run, call).get("problem"), None, "{call}");
    }
    assert!(!run.to_string().contains(SECRET));
    assert!(world.sandbox.log().is_empty(), "nothing was sent");
}

#[sqlx::test]
async fn a_request_that_cannot_be_made_says_why(pool: PgPool) {
    let world = World::new(pool).await;
    world.provider("signed", |_| {}).await;
    let client = world.client_of("signed", "one", |_| {}).await;
    // A client of an older time: today its key would be refused.
    world
        .execute(
            "UPDATE providers
             SET profile = profile || '{\"request\": {\"authentication\": {\"method\": \"private_key_jwt\"}}}'
             WHERE slug = 'signed'",
        )
        .await;
    let program = world.program(&[Scope::ClientsWrite]).await;
    let run = program.post(&format!("/clients/{client}/dry-run"), &json!({})).await.ok();
    let refresh = request(&run, "refresh");
    assert!(refresh["problem"].as_str().unwrap().contains("key"), "{refresh}");
    assert!(!run.to_string().contains(SECRET));
}

/// Whoever registers a client is told at once, and the key is not repeated.
#[sqlx::test]
async fn a_key_that_can_not_sign_is_refused_with_the_reason(pool: PgPool) {
    let world = World::new(pool).await;
    world
        .provider("signed", |profile| {
            profile.request.authentication.method = AuthenticationMethod::PrivateKeyJwt;
        })
        .await;
    let program = world.program(&[Scope::Admin]).await;
    for (key, told) in [
        ("garbage", "must be a private key in PEM form"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "is a public key"),
        (
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----",
            "passphrase",
        ),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "signs with RS256"),
    ] {
        let body = json!({
            "provider": "signed", "name": "Signed", "oauth_client_id": "one", "client_secret": key,
        });
        let page = program.post("/clients", &body).await;
        assert_eq!(
            (page.status.as_u16(), page.field()),
            (422, "client_secret".to_owned()),
            "{key}"
        );
        assert!(page.text.contains(told), "{}", page.text);
        assert!(!page.text.contains("AAAA") && !page.text.contains("garbage"), "{}", page.text);
    }
}

/// Only the assertion itself is a word: what else stands there tells nothing of the key.
#[sqlx::test]
async fn a_signed_assertion_is_a_word_and_all_else_is_exact(pool: PgPool) {
    let world = World::new(pool).await;
    let profile = |profile: &mut crate::domain::provider::Profile| {
        profile.request.authentication.method = AuthenticationMethod::ClientSecretJwt;
        profile.request.extra.insert("long".into(), "x".repeat(5000));
        profile.authorization.default_scopes = vec![SECRET.into()];
    };
    world.provider("signed", profile).await;
    let client = world.client_of("signed", "one", |_| {}).await;
    let program = world.program(&[Scope::ClientsWrite]).await;
    let run = program.post(&format!("/clients/{client}/dry-run"), &json!({})).await.ok();
    let body = request(&run, "exchange")["body"].as_str().unwrap();
    let wanted = format!(
        "grant_type=authorization_code&code=CODE\
         &redirect_uri=http%3A%2F%2F127.0.0.1%3A3000%2Foauth%2Fcallback&code_verifier=CODE-VERIFIER\
         &client_id=one\
         &client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer\
         &client_assertion=CLIENT-ASSERTION&long={}",
        "x".repeat(5000)
    );
    assert_eq!(body, wanted);
    let scope = format!("scope={SECRET}");
    assert!(request(&run, "client_credentials")["body"].as_str().unwrap().contains(&scope));
    let authorize = request(&run, "authorize")["url"].as_str().unwrap();
    assert!(authorize.contains("code_challenge=CODE-CHALLENGE&"), "{authorize}");
}

#[sqlx::test]
async fn a_sample_is_read_by_the_profile_and_its_tokens_are_masked(pool: PgPool) {
    let world = World::new(pool).await;
    let profile = |profile: &mut crate::domain::provider::Profile| {
        profile.response.access_token = vec!["/data/accessToken".into()];
        profile.errors.rules.push(ErrorRule {
            status: Some(200),
            code: None,
            pointer: Some("/data/state".into()),
            equals: Some("gone".into()),
            text: None,
            class: ErrorClass::GrantRefused,
        });
    };
    world.provider("nested", profile).await;
    let client = world.client_of("nested", "one", |_| {}).await;
    let program = world.program(&[Scope::ClientsWrite]).await;
    let path = format!("/clients/{client}/dry-run");
    let token = "a-very-long-token-that-nobody-should-see";
    let read = async |body: String, status: u16| {
        let sample = json!({ "sample": { "body": body, "status": status } });
        program.post(&path, &sample).await.ok()["reading"].clone()
    };
    let body = json!({ "data": { "accessToken": token }, "expires_in": "3600", "scope": "a b" });
    let reading = read(body.to_string(), 200).await;
    assert_eq!(reading["outcome"], "grant");
    assert_eq!(reading["access_token"], "a-ve… (40 characters)");
    assert_eq!((&reading["refresh_token"], &reading["scopes"]), (&Value::Null, &json!(["a", "b"])));
    assert!(reading["access_expires_at"].is_string() && reading["due_at"].is_null(), "{reading}");
    assert_eq!(reading["unreadable_expiries"], json!([]));
    let body = json!({ "data": { "accessToken": token }, "expires_in": "soon" });
    let reading = read(body.to_string(), 200).await;
    assert_eq!(reading["unreadable_expiries"], json!(["/expires_in"]));
    let plain = json!({ "data": { "accessToken": token }, "expires_in": 3600 }).to_string();
    for (answers, human) in [("exchange", true), ("refresh", false), ("client_credentials", false)]
    {
        let sample = json!({ "sample": { "body": plain, "answers": answers } });
        let reading = program.post(&path, &sample).await.ok()["reading"].clone();
        assert_eq!(reading["needs_human_by"].is_string(), human, "{answers}");
    }
    let reading = read(r#"{"data":{"state":"gone"}}"#.into(), 200).await;
    assert_eq!(
        (&reading["outcome"], &reading["class"]),
        (&json!("refusal"), &json!("grant_refused"))
    );
    let reading = read("<html>busy</html>".into(), 503).await;
    assert_eq!(reading["class"], "transient");
    let empty = json!({ "sample": { "body": " " } });
    assert_eq!(program.post(&path, &empty).await.field(), "body");
    let odd = json!({ "sample": { "body": "{}", "status": 7 } });
    assert_eq!(program.post(&path, &odd).await.field(), "status");
}

/// A provider's document shows an answer, and nobody notices that half of it is not read.
#[sqlx::test]
async fn what_looks_like_a_token_and_is_not_read_is_named(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let program = world.program(&[Scope::ClientsWrite]).await;
    let path = format!("/clients/{client}/dry-run");
    let read = async |body: Value| {
        let sample = json!({ "sample": { "body": body.to_string() } });
        program.post(&path, &sample).await.ok()["reading"].clone()
    };
    let token = "a-very-long-token-that-nobody-should-see";
    let reading = read(json!({
        "access_token": token, "refreshToken": token, "token": { "expiresAt": "2026-11-27T00:00:00Z" },
        "refresh_token_expiry": 7,
    }))
    .await;
    assert_eq!(reading["outcome"], "grant");
    let wanted = json!(["/refreshToken", "/refresh_token_expiry", "/token/expiresAt"]);
    assert_eq!(reading["unread_fields"], wanted, "{reading}");
    let whole = json!({ "access_token": token, "refresh_token": token, "expires_in": 60, "token_type": "Bearer" });
    assert_eq!(read(whole).await["unread_fields"], json!([]));
    let reading = read(json!({ "data": { "accessToken": token } })).await;
    assert_eq!(
        (&reading["outcome"], &reading["class"]),
        (&json!("refusal"), &json!("answer_lost"))
    );
    assert_eq!(reading["unread_fields"], json!(["/data/accessToken"]));
    assert!(!reading.to_string().contains(token));
    let reading = read(json!({ "error": "invalid_grant", "refreshToken": token })).await;
    assert_eq!(reading["unread_fields"], json!([]), "a refusal has said what it is");

    let mut admin = world.sign_in(Role::Admin).await;
    let body = json!({ "access_token": token, "refreshToken": token }).to_string();
    let form = [("client", &*client.to_string()), ("body", &body), ("answers", "exchange")];
    assert_eq!(admin.submit("dry_run/read", &form).await.status, 302);
    let page = admin.get(&format!("/clients/{client}/dry-run")).await.text;
    assert!(page.contains("What stands at /refreshToken looks like a token"), "{page}");
}

#[sqlx::test]
async fn a_sample_that_is_no_json_is_told_by_what_it_is(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let program = world.program(&[Scope::ClientsWrite]).await;
    let path = format!("/clients/{client}/dry-run");
    for (body, told) in [
        (
            "<!doctype html><title>Sign in</title>",
            "This is HTML, not JSON: a page for people, titled \"Sign in\"",
        ),
        ("{\"access_token\": \"SECRET", "ends too soon"),
        ("access_token=SECRET&expires_in=60", "This is a form"),
        ("[{\"access_token\": \"SECRET\"}]", "This is a JSON list"),
    ] {
        let sample = json!({ "sample": { "body": body } });
        let reading = program.post(&path, &sample).await.ok()["reading"].clone();
        let said = reading["body_problem"].as_str().unwrap();
        assert!(said.contains(told) && !reading.to_string().contains("SECRET"), "{reading}");
    }
    let form = json!({ "sample": {
        "body": "access_token=a&expires_in=60", "content_type": "application/x-www-form-urlencoded"
    } });
    assert_eq!(program.post(&path, &form).await.ok()["reading"]["outcome"], "grant");
    let mut admin = world.sign_in(Role::Admin).await;
    let form =
        [("client", &*client.to_string()), ("body", "<html>busy</html>"), ("answers", "refresh")];
    assert_eq!(admin.submit("dry_run/read", &form).await.status, 302);
    let page = admin.get(&format!("/clients/{client}/dry-run")).await.text;
    assert!(page.contains("This is HTML, not JSON") && page.contains("no token in this"), "{page}");
    // Nothing was sent, so nothing reached anybody.
    assert!(!page.contains("The request reached"), "{page}");
    let body = r#"{"error":"invalid_grant"}"#;
    let form = [("client", &*client.to_string()), ("body", body), ("answers", "exchange")];
    assert_eq!(admin.submit("dry_run/read", &form).await.status, 302);
    let page = admin.get(&format!("/clients/{client}/dry-run")).await.text;
    assert!(page.contains("This refuses the grant: the code"), "{page}");
}

#[sqlx::test]
async fn the_page_shows_what_was_read_once_and_never_the_token(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let mut admin = world.sign_in(Role::Admin).await;
    let page = format!("/clients/{client}/dry-run");
    let body = r#"{"access_token":"a-very-long-token-that-nobody-should-see","expires_in":60}"#;
    let form =
        [("client", &*client.to_string()), ("body", body), ("status", ""), ("answers", "exchange")];
    assert_eq!(admin.submit("dry_run/read", &form).await.status, 302);
    let shown = admin.get(&page).await.text;
    assert!(shown.contains("a-ve… (40 characters)") && !shown.contains("nobody-should"));
    assert!(shown.contains("REFRESH-TOKEN"));
    // The sample stays in the browser, for whoever corrects it.
    assert!(shown.contains("class=\"form is-kept\""), "{shown}");
    assert!(!admin.get(&page).await.text.contains("a-ve…"));
}

/// What tells of no token stands there again, with a script or without.
#[sqlx::test]
async fn what_a_sample_answers_is_chosen_once(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let mut admin = world.sign_in(Role::Admin).await;
    let form = [
        ("client", &*client.to_string()),
        ("body", "{\"error\":\"planted-and-not-shown\"}"),
        ("status", "418"),
        ("content_type", "application/odd+json"),
        ("answers", "refresh"),
    ];
    assert_eq!(admin.submit("dry_run/read", &form).await.status, 302);
    let page = admin.get(&format!("/clients/{client}/dry-run")).await.text;
    let form = page.split("name=\"body\"").nth(1).expect("the form");
    assert!(!form.contains("planted-and"), "{form}");
    for kept in ["value=\"418\"", "value=\"application/odd+json\""] {
        assert!(form.contains(kept), "{kept}: {form}");
    }
    let chosen = form.split("<option").find(|option| option.contains(" selected"));
    assert!(chosen.is_some_and(|option| option.contains("value=\"refresh\"")), "{form}");
}

/// Whoever pastes a refusal may paste a token with it: where the profile says that tokens are, or
/// anywhere in the provider's own words.
#[sqlx::test]
async fn a_token_in_a_refusal_is_masked_too(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let program = world.program(&[Scope::ClientsWrite]).await;
    let path = format!("/clients/{client}/dry-run");
    let (short, long) = ("tok-en-no-1", "9f8e7d6c5b4a39281706fedcba987654");
    for body in [
        json!({ "error": "invalid_grant", "error_description": format!("Token {long} was revoked") }),
        json!({ "error": "invalid_grant", "error_description": format!("Token {short} was revoked"),
                "refresh_token": short }),
        json!({ "error": long, "error_description": "It was revoked" }),
    ] {
        let sample = json!({ "sample": { "body": body.to_string(), "status": 400 } });
        let reading = program.post(&path, &sample).await.ok()["reading"].clone();
        assert_eq!(reading["outcome"], "refusal");
        let text = reading.to_string();
        assert!(!text.contains(short) && !text.contains(long), "{text}");
        assert!(text.contains("was revoked"), "{text}");
    }
}
