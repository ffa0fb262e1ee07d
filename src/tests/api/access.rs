//! Who may call what: the document's word, held against what happens.

use axum::http::{Method, Request, header};
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use super::{document::filled, makers};
use crate::{
    domain::access::{Role, Scope},
    server::app,
    tests::support::World,
};

/// A body that can be read, for each operation that takes one.
fn body(method: &Method, path: &str, profile: &Value) -> Value {
    match (method.as_str(), path) {
        ("POST" | "PUT", "/providers" | "/providers/{slug}") => profile.clone(),
        ("POST", "/providers/discover") => json!({ "issuer": "ftp://nowhere" }),
        ("PUT", "/clients/{id}/next-secret") => json!({ "client_secret": "a" }),
        ("PUT", "/brand") => json!({ "name": "Acme" }),
        ("PUT", "/brand/logo") => json!({}),
        ("POST", "/clients") => makers::client("Another"),
        ("POST", "/connections") => {
            json!({ "client_id": Uuid::from_u128(77), "token_response": {} })
        }
        // Chooses nothing: what it does is asked only then.
        ("POST", "/jobs" | "/jobs/preview") => json!({ "action": "refresh" }),
        ("POST", "/saved-filters") => json!({ "name": "a" }),
        ("POST", "/users") => makers::user("someone@people.test"),
        ("POST", "/api-keys") => makers::key("another"),
        ("PUT", "/users/{id}/password") => json!({ "password": "a long enough password" }),
        ("PATCH", _) | ("POST", "/clients/{id}/dry-run" | "/clients/{id}/imports") => json!({}),
        _ => panic!("{method} {path} takes a body; this table says none"),
    }
}

#[sqlx::test]
async fn each_scope_opens_what_the_document_says_and_nothing_else(pool: PgPool) {
    let world = World::new(pool).await;
    let profile = world.program(&[Scope::Admin]).await.profile().await;
    for scope in Scope::ALL {
        let program = world.program(&[scope]).await;
        for (method, path, operation) in program.contract.operations() {
            if path == "/openapi.json" {
                continue;
            }
            let has_body = operation.get("requestBody").is_some();
            let body = has_body.then(|| body(&method, &path, &profile));
            let page = program.call(method.clone(), &filled(&path), body.as_ref()).await;
            let needed = operation["x-required-scope"].as_array().expect("scopes");
            let opens = needed.is_empty() || needed.contains(&json!(scope));
            let refused = page.status == 403;
            assert_eq!(opens, !refused, "{scope}: {method} {path}: {}", page.text);
            assert_ne!(page.status, 401, "{scope}: {method} {path}");
            if refused {
                let challenge = page.header("www-authenticate");
                let named =
                    challenge.split("scope=\"").nth(1).map(|rest| rest.trim_end_matches('"'));
                assert!(needed.contains(&json!(named)), "{scope}: {method} {path}: {challenge}");
                let told = format!("`{}`", named.unwrap_or_default());
                assert!(page.text.contains(&told), "{method} {path}: {}", page.text);
            }
        }
    }
}

#[sqlx::test]
async fn no_key_and_dead_keys_open_nothing(pool: PgPool) {
    let world = World::new(pool).await;
    let revoked = world.key(&[Scope::Admin]).await;
    for key in app::api_key::list(&world.app, &world.admin).await.unwrap() {
        app::api_key::revoke(&world.app, &world.admin, key.id).await.unwrap();
    }
    let live = world.key(&[Scope::ConnectionsRead]).await;
    let cut = &live[..live.len() - 1];
    for key in [None, Some("rgk_"), Some(""), Some(cut), Some(revoked.as_str())] {
        let program = world.program_with(key).await;
        for (method, path, _) in program.contract.operations() {
            if path == "/openapi.json" {
                continue;
            }
            let page = program.call(method.clone(), &filled(&path), None).await;
            assert_eq!(page.refusal(), (401, "unauthenticated".into()), "{method} {path}");
            assert_eq!(page.header("www-authenticate"), "Bearer");
        }
    }
}

#[sqlx::test]
async fn only_a_bearer_key_counts(pool: PgPool) {
    let world = World::new(pool).await;
    let key = world.key(&[Scope::ConnectionsRead]).await;
    let program = world.program_with(None).await;
    for (header, status) in [
        (format!("Bearer {key}"), 200),
        (format!("bearer {key}"), 200),
        (format!("BEARER  {key}"), 200),
        (format!("Basic {key}"), 401),
        (key.clone(), 401),
        (format!("Bearer{key}"), 401),
        ("Bearer".to_owned(), 401),
    ] {
        let request = Request::get("/api/v1/connections").header(header::AUTHORIZATION, &header);
        let page = program.send(request.body(axum::body::Body::empty()).unwrap()).await;
        assert_eq!(page.status, status, "{header}");
    }
}

/// So no page of another site can lead a signed-in browser into a call.
#[sqlx::test]
async fn a_session_is_no_key(pool: PgPool) {
    let world = World::new(pool).await;
    let mut browser = world.sign_in(Role::Admin).await;
    for path in ["/api/v1/users", "/api/v1/connections", "/api/v1/overview"] {
        assert_eq!(browser.get(path).await.status, 401, "{path}");
    }
}

#[sqlx::test]
async fn a_key_is_marked_as_used_and_named_in_the_audit_log(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = world.program(&[Scope::Admin]).await;
    admin.post("/clients", &makers::client("By program")).await.ok();
    let entry = &world.audit("client.create").await[0];
    assert_eq!((entry.actor_kind.as_str(), entry.actor_label.as_str()), ("api_key", "admin"));
    let keys = admin.get("/api-keys").await.ok();
    assert_eq!(keys["items"][0]["last_used_at"], "2026-03-01T12:00:00Z");
}
