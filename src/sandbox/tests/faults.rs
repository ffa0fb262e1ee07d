//! Faults on request, and the record of them.

use axum::http::{StatusCode, header};
use serde_json::{Value, json};

use super::{Ask, World, get, post};
use crate::sandbox::{Fault, Hold, Rule, fingerprint};

const CREDENTIALS: [(&str, &str); 1] = [("grant_type", "client_credentials")];

fn ask() -> Ask {
    post("/token").basic("demo", "demo-secret").form(&CREDENTIALS)
}

fn put(path: &str, body: &Value) -> Ask {
    let mut ask = post(path).json(body);
    ask.0 = ask.0.method("PUT");
    ask
}

#[tokio::test]
async fn each_fault_looks_like_the_real_thing() {
    let world = World::new();
    let control = world.sandbox.control();
    for (fault, status) in [
        (Fault::Unavailable, 503),
        (Fault::RateLimited, 429),
        (Fault::InvalidClient, 401),
        (Fault::InvalidGrant, 400),
        (Fault::ErrorIn200, 200),
        (Fault::Redirect, 307),
        (Fault::Garbage, 200),
        (Fault::Truncated, 200),
        (Fault::Huge, 200),
        (Fault::DropBefore, 200),
        (Fault::DropAfter, 200),
    ] {
        control.fail_next(fault, 1);
        let answer = world.send(ask()).await;
        assert_eq!(answer.status.as_u16(), status, "{fault:?}");
        match fault {
            Fault::RateLimited => assert_eq!(answer.headers[header::RETRY_AFTER], "1"),
            Fault::InvalidClient => assert_eq!(answer.json["error"], "invalid_client"),
            Fault::InvalidGrant => assert_eq!(answer.json["error"], "invalid_grant"),
            Fault::ErrorIn200 => assert_eq!(answer.json["error"], "temporarily_unavailable"),
            Fault::Huge => assert!(answer.text.len() > 16 << 20),
            Fault::Truncated => assert!(answer.text.starts_with("{\"access_token\"")),
            Fault::Garbage | Fault::Unavailable => assert!(answer.text.starts_with("<!doctype")),
            _ => assert_eq!(answer.text, ""),
        }
        assert_eq!(answer.json.get("access_token").is_some(), fault == Fault::Huge, "{fault:?}");
        assert_eq!(control.count(fault), 1);
        assert_eq!(world.send(ask()).await.status, StatusCode::OK, "one only: {fault:?}");
    }
}

#[tokio::test]
async fn a_fault_can_be_for_one_client_or_one_grant() {
    let world = World::new();
    let rule = Rule { probability: 1.0, client: Some("demo-post".to_owned()), ..Rule::default() };
    world.sandbox.control().rule(Fault::Unavailable, rule);
    let other = [CREDENTIALS[0], ("client_id", "demo-post"), ("client_secret", "demo-secret")];
    assert_eq!(world.send(ask()).await.status, StatusCode::OK);
    assert_eq!(world.send(post("/token").form(&other)).await.status, 503);

    let grant = Some("refresh_token".to_owned());
    let rule = Rule { probability: 1.0, grant, status: Some(408), ..Rule::default() };
    world.sandbox.control().rule(Fault::Unavailable, rule);
    let tokens = world.tokens("openid").await;
    assert_eq!(world.refresh(&tokens.text_of("refresh_token")).await.status, 408);
    world.sandbox.control().clear();
    assert_eq!(world.refresh(&tokens.text_of("refresh_token")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_share_of_requests_fails() {
    let world = World::new();
    world.sandbox.control().fail_randomly(Fault::Unavailable, 0.3);
    for _ in 0..200 {
        world.send(ask()).await;
    }
    let failed = world.sandbox.control().count(Fault::Unavailable);
    assert!((40..=80).contains(&failed), "{failed}");
}

#[tokio::test]
async fn an_answer_lost_has_still_rotated_the_token() {
    let world = World::new();
    for fault in [Fault::DropAfter, Fault::Garbage, Fault::Truncated] {
        let token = world.tokens("openid").await.text_of("refresh_token");
        world.sandbox.control().fail_next(fault, 1);
        world.refresh(&token).await;
        let last = world.sandbox.log().pop().expect("a record");
        assert_eq!((last.status, last.fault), (200, Some(fault)));
        assert!(last.refresh_out.is_some());
        assert_eq!(world.refresh(&token).await.error(), (400, "invalid_grant"), "{fault:?}");
    }
    let token = world.tokens("openid").await.text_of("refresh_token");
    for fault in [Fault::DropBefore, Fault::Unavailable, Fault::ErrorIn200, Fault::InvalidGrant] {
        world.sandbox.control().fail_next(fault, 1);
        world.refresh(&token).await;
    }
    assert_eq!(world.refresh(&token).await.status, StatusCode::OK, "these processed nothing");
}

#[tokio::test]
async fn retry_after_has_two_forms() {
    let world = World::new();
    world.sandbox.control().set(|settings| {
        settings.retry_after = 90;
        settings.retry_after_as_date = true;
    });
    world.sandbox.control().fail_next(Fault::RateLimited, 1);
    let answer = world.send(ask()).await;
    assert_eq!(answer.headers[header::RETRY_AFTER], "Sun, 01 Mar 2026 12:01:30 GMT");
}

#[tokio::test]
async fn the_record_tells_tokens_apart_and_holds_none() {
    let world = World::new();
    let first = world.tokens("openid").await.text_of("refresh_token");
    let second = world.refresh(&first).await.text_of("refresh_token");
    world.refresh(&first).await;
    let log = world.sandbox.log();
    assert_eq!(log.len(), 3);
    assert_eq!(log[0].grant.as_deref(), Some("authorization_code"));
    assert_eq!(log[0].refresh_out, Some(fingerprint(&first)));
    assert_eq!(log[1].refresh_in, Some(fingerprint(&first)));
    assert_eq!(log[1].refresh_out, Some(fingerprint(&second)));
    assert_eq!(log[1].client.as_deref(), Some("demo"));
    assert_eq!((log[2].status, log[2].error.as_deref()), (400, Some("invalid_grant")));
    assert_eq!(log[2].refresh_out, None);
    assert!(!log[1].overlaps(&log[2]));
    let lines = world.send(get("/__ctl/log")).await.text;
    assert_eq!(lines.lines().count(), 3);
    assert!(!lines.contains(&first) && !lines.contains(&second));
    let line: Value = serde_json::from_str(lines.lines().next().expect("a line")).expect("JSON");
    assert_eq!(line["rt_out"], json!(fingerprint(&first)));
    assert_eq!(line["realm"], "standard");
}

#[tokio::test]
async fn held_requests_wait_and_their_overlap_shows() {
    let world = World::new();
    let control = world.sandbox.control().clone();
    for hold in [Hold::BeforeProcessing, Hold::BeforeAnswering] {
        let before = world.sandbox.log().len();
        control.hold(hold);
        let both = async { tokio::join!(world.send(ask()), world.send(ask())) };
        let release = async {
            control.until_held(2).await;
            let issued = world.sandbox.log()[before].status;
            control.release();
            issued
        };
        let ((one, other), status) = tokio::join!(both, release);
        assert_eq!((one.status, other.status), (StatusCode::OK, StatusCode::OK));
        assert_eq!(status, if hold == Hold::BeforeAnswering { 200 } else { 0 });
        let log = world.sandbox.log();
        assert!(log[before].overlaps(&log[before + 1]));
    }
}

#[tokio::test]
async fn the_switches_work_over_http() {
    let world = World::new();
    let settings = json!({ "faults": { "unavailable": { "next": 1 } }, "retry_after": 7 });
    assert_eq!(world.send(put("/__ctl", &settings)).await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.send(ask()).await.status, 503);
    assert_eq!(world.send(ask()).await.status, StatusCode::OK);
    let state = world.send(get("/__ctl")).await.json;
    assert_eq!(state["counts"]["unavailable"], 1);
    assert_eq!(state["settings"]["retry_after"], 7);
    let typo = world.send(put("/__ctl", &json!({ "fault": {} }))).await;
    assert!(typo.status.is_client_error(), "an unknown setting is refused");

    world.send(put("/__ctl", &json!({ "outage": true }))).await;
    assert_eq!(world.send(get("/.well-known/openid-configuration")).await.status, 503);
    assert_eq!(world.send(ask()).await.status, 503);
    world.send(put("/__ctl", &json!({}))).await;
    assert_eq!(world.send(ask()).await.status, StatusCode::OK);

    world.tokens("openid").await;
    let revoked = world.send(post("/__ctl/revoke").json(&json!({ "account": "alice" }))).await;
    assert_eq!(revoked.json["revoked"], 1);
    let plain = post("/__ctl/revoke").body("text/plain", r#"{"account":"alice"}"#.into());
    assert!(world.send(plain).await.status.is_client_error(), "not from a foreign page");
    let secret = json!({ "client": "demo", "secret": "new" });
    assert_eq!(world.send(post("/__ctl/secret").json(&secret)).await.status, 204);
    assert_eq!(world.send(ask()).await.error(), (401, "invalid_client"));
}
