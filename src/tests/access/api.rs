//! The programs' door. The rows are checked against the served document, which is made of the very
//! handlers.

use std::collections::BTreeSet;

use axum::{
    body::Body,
    http::{Request, header},
};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::{
    domain::access::{Role, Scope},
    tests::support::{Browser, World},
};

const READ: &str = "connections:read";
const WRITE: &str = "connections:write";
const CLIENTS: &str = "clients:write";
const PROVIDERS: &str = "providers:write";

/// A method, a path, and which scopes open it besides `admin`. `None`: any key does.
type Row = (&'static str, &'static str, Option<&'static [&'static str]>);

#[rustfmt::skip]
const TABLE: &[Row] = &[
    ("GET",    "/api-keys", Some(&[])),
    ("POST",   "/api-keys", Some(&[])),
    ("GET",    "/api-keys/{id}", Some(&[])),
    ("DELETE", "/api-keys/{id}", Some(&[])),
    ("GET",    "/audit", Some(&["audit:read"])),
    ("GET",    "/brand", Some(&[READ])),
    ("PUT",    "/brand", Some(&[])),
    ("PUT",    "/brand/logo", Some(&[])),
    ("DELETE", "/brand/logo", Some(&[])),
    ("GET",    "/clients", Some(&[READ, CLIENTS])),
    ("POST",   "/clients", Some(&[CLIENTS])),
    ("GET",    "/clients/{id}", Some(&[READ, CLIENTS])),
    ("PATCH",  "/clients/{id}", Some(&[CLIENTS])),
    ("DELETE", "/clients/{id}", Some(&[CLIENTS])),
    ("POST",   "/clients/{id}/check", Some(&[CLIENTS])),
    ("POST",   "/clients/{id}/condemn", Some(&[CLIENTS])),
    ("POST",   "/clients/{id}/dry-run", Some(&[CLIENTS])),
    ("GET",    "/clients/{id}/imports", Some(&[READ])),
    ("POST",   "/clients/{id}/imports", Some(&[WRITE])),
    ("PUT",    "/clients/{id}/next-secret", Some(&[CLIENTS])),
    ("DELETE", "/clients/{id}/next-secret", Some(&[CLIENTS])),
    ("POST",   "/clients/{id}/rehearse", Some(&[CLIENTS])),
    ("POST",   "/clients/{id}/resume", Some(&[CLIENTS])),
    ("GET",    "/exports/audit", Some(&["audit:read"])),
    ("GET",    "/exports/connections", Some(&[READ])),
    ("GET",    "/imports/{id}", Some(&[READ])),
    ("GET",    "/connections", Some(&[READ])),
    ("POST",   "/connections", Some(&[WRITE])),
    ("GET",    "/connections/{id}", Some(&[READ])),
    ("PATCH",  "/connections/{id}", Some(&[WRITE])),
    ("DELETE", "/connections/{id}", Some(&[WRITE])),
    ("GET",    "/connections/{id}/attempts", Some(&[READ])),
    ("POST",   "/connections/{id}/authorize", Some(&[WRITE])),
    ("GET",    "/connections/{id}/device", Some(&[WRITE])),
    ("POST",   "/connections/{id}/device", Some(&[WRITE])),
    ("POST",   "/connections/{id}/disconnect", Some(&[WRITE])),
    ("POST",   "/connections/{id}/introspect", Some(&["connections:refresh"])),
    ("POST",   "/connections/{id}/pause", Some(&[WRITE])),
    ("POST",   "/connections/{id}/resume", Some(&[WRITE])),
    ("GET",    "/connections/{id}/readers", Some(&[READ])),
    ("POST",   "/connections/{id}/refresh", Some(&["connections:refresh"])),
    ("POST",   "/connections/{id}/relink", Some(&["connections:relink"])),
    ("GET",    "/connections/{id}/relinks", Some(&[READ])),
    ("GET",    "/connections/{id}/token", Some(&["tokens:read"])),
    ("GET",    "/overview", Some(&[READ])),
    ("GET",    "/providers", Some(&[READ, CLIENTS, PROVIDERS])),
    ("POST",   "/providers", Some(&[PROVIDERS])),
    ("POST",   "/providers/discover", Some(&[PROVIDERS])),
    ("GET",    "/providers/schema", Some(&[READ, CLIENTS, PROVIDERS])),
    ("GET",    "/providers/{slug}", Some(&[READ, CLIENTS, PROVIDERS])),
    ("PUT",    "/providers/{slug}", Some(&[PROVIDERS])),
    ("DELETE", "/providers/{slug}", Some(&[PROVIDERS])),
    ("GET",    "/redirect-uri", None),
    ("GET",    "/exports/jobs/{id}", Some(&[READ])),
    ("GET",    "/exports/jobs/{id}/mails", Some(&["connections:relink"])),
    ("GET",    "/exports/jobs/{id}/stragglers", Some(&[READ])),
    ("GET",    "/jobs", Some(&[READ])),
    ("POST",   "/jobs", Some(&[WRITE, "connections:refresh", "connections:relink"])),
    ("POST",   "/jobs/preview", Some(&[WRITE, "connections:refresh", "connections:relink"])),
    ("GET",    "/jobs/{id}", Some(&[READ])),
    ("GET",    "/jobs/{id}/outcomes", Some(&[READ])),
    ("GET",    "/jobs/{id}/progress", Some(&[READ])),
    ("GET",    "/jobs/{id}/stragglers", Some(&[READ])),
    ("POST",   "/jobs/{id}/stop", Some(&[WRITE, "connections:refresh", "connections:relink"])),
    ("GET",    "/saved-filters", Some(&[READ])),
    ("POST",   "/saved-filters", Some(&[READ])),
    ("DELETE", "/saved-filters/{id}", Some(&[READ])),
    ("GET",    "/relinks", Some(&[READ])),
    ("GET",    "/relinks/{id}", Some(&[READ])),
    ("DELETE", "/relinks/{id}", Some(&["connections:relink"])),
    ("GET",    "/users", Some(&[])),
    ("POST",   "/users", Some(&[])),
    ("GET",    "/users/{id}", Some(&[])),
    ("PATCH",  "/users/{id}", Some(&[])),
    ("PUT",    "/users/{id}/password", Some(&[])),
];

/// The one that needs no key.
const OPEN: (&str, &str) = ("GET", "/openapi.json");

/// A body that can be read, and leads to nothing.
fn body(method: &str, path: &str) -> Value {
    let nil = "00000000-0000-0000-0000-000000000000";
    match (method, path) {
        (_, "/api-keys") => json!({ "name": "made", "scopes": ["audit:read"] }),
        (_, "/clients") => {
            json!({ "provider": "nothing-such", "name": "a", "oauth_client_id": "a" })
        }
        (_, "/connections") => json!({ "client_id": nil, "token_response": {} }),
        (_, "/brand") => json!({ "name": "a" }),
        (_, "/brand/logo") => json!({}),
        (_, "/clients/{id}/next-secret") => json!({ "client_secret": "a" }),
        (_, "/users/{id}/password") => json!({ "password": "short" }),
        (_, "/providers") | ("PUT", _) => json!({ "slug": "nothing-such", "name": "" }),
        (_, "/providers/discover") => json!({ "issuer": "ftp://nonsense" }),
        (_, "/users") => json!({ "email": "a@b.test", "role": "support", "password": "short" }),
        (_, "/jobs" | "/jobs/preview") => json!({ "action": "refresh" }),
        (_, "/saved-filters") => json!({ "name": "" }),
        _ => json!({}),
    }
}

async fn call(browser: &mut Browser, method: &str, path: &str, authorization: &str) -> u16 {
    let filled = path
        .replace("{id}", "00000000-0000-0000-0000-000000000000")
        .replace("{slug}", "nothing-such");
    let mut request = Request::builder()
        .method(method)
        .uri(format!("/api/v1{filled}"))
        .header(header::CONTENT_TYPE, "application/json");
    if !authorization.is_empty() {
        request = request.header(header::AUTHORIZATION, authorization);
    }
    let has_body = matches!(method, "POST" | "PUT" | "PATCH");
    let body = if has_body { Body::from(body(method, path).to_string()) } else { Body::empty() };
    let answer = browser.send(request.body(body).expect("a request")).await;
    if answer.status.is_client_error() || answer.status.is_server_error() {
        let kind = answer.header("content-type");
        assert_eq!(kind, "application/problem+json", "{method} {path}: {}", answer.text);
        assert!(answer.json::<Value>()["code"].is_string(), "{method} {path}: {}", answer.text);
    }
    answer.status.as_u16()
}

#[sqlx::test]
async fn every_call_has_its_row_and_the_document_says_the_same(pool: PgPool) {
    let world = World::new(pool).await;
    let document: Value = world.browser().get("/api/v1/openapi.json").await.json();
    let mut served = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let method = method.to_uppercase();
            if (method.as_str(), path.as_str()) == OPEN {
                assert!(operation.get("security").is_none());
                continue;
            }
            let said: BTreeSet<&str> = operation["x-required-scope"]
                .as_array()
                .unwrap_or_else(|| panic!("{method} {path} says not what it needs"))
                .iter()
                .map(|scope| scope.as_str().unwrap())
                .collect();
            let row = TABLE.iter().find(|row| row.0 == method && row.1 == path);
            let (_, _, scopes) = row.unwrap_or_else(|| panic!("{method} {path} has no row"));
            let wanted: BTreeSet<&str> = match scopes {
                Some(scopes) => scopes.iter().copied().chain(["admin"]).collect(),
                None => BTreeSet::new(),
            };
            assert_eq!(said, wanted, "{method} {path}");
            served.insert((method, path.clone()));
        }
    }
    assert_eq!(served.len(), TABLE.len(), "a row of something that is not served");
}

#[sqlx::test]
async fn each_scope_may_do_what_its_row_says(pool: PgPool) {
    let world = World::new(pool).await;
    let mut browser = world.browser();
    for scope in Scope::ALL {
        let key = world.key(&[scope]).await;
        for (method, path, scopes) in TABLE {
            let allowed = scope == Scope::Admin
                || scopes.is_none_or(|scopes| scopes.contains(&scope.as_str()));
            let status = call(&mut browser, method, path, &format!("Bearer {key}")).await;
            assert_ne!(status, 401, "{method} {path} with {scope}");
            assert_eq!(status != 403, allowed, "{method} {path} with {scope}: {status}");
            assert!(status < 500, "{method} {path} with {scope}: {status}");
        }
    }
    // Scopes add up, and no more than that.
    let key = world.key(&[Scope::AuditRead, Scope::ConnectionsRefresh]).await;
    for (method, path, scopes) in TABLE {
        let allowed = scopes.is_none_or(|scopes| {
            scopes.contains(&"audit:read") || scopes.contains(&"connections:refresh")
        });
        let status = call(&mut browser, method, path, &format!("Bearer {key}")).await;
        assert_eq!(status != 403, allowed, "{method} {path}: {status}");
    }
}

/// Not even an admin's cookie is a key.
#[sqlx::test]
async fn a_cookie_opens_nothing(pool: PgPool) {
    let world = World::new(pool).await;
    let mut admin = world.sign_in(Role::Admin).await;
    for (method, path, _) in TABLE {
        assert_eq!(call(&mut admin, method, path, "").await, 401, "{method} {path}");
    }
    assert_eq!(call(&mut admin, OPEN.0, OPEN.1, "").await, 200);
}

/// What is not served is refused in the API's own form, and never falls through to a page.
#[sqlx::test]
async fn what_is_not_there_is_a_problem(pool: PgPool) {
    let world = World::new(pool).await;
    let mut browser = world.browser();
    for (method, path, wanted) in [
        ("GET", "/nothing", 404),
        ("GET", "/", 404),
        ("DELETE", "/clients", 405),
        ("PUT", "/audit", 405),
    ] {
        assert_eq!(call(&mut browser, method, path, "").await, wanted, "{method} {path}");
    }
}
