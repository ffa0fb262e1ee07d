//! What is refused, in which form: always a problem, always with the field and why.

use axum::{
    body::Body,
    http::{Method, Request, header},
};
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use super::makers;
use crate::{
    domain::access::Scope,
    tests::support::{PROVIDER, Page, World},
};

/// Who sends a body means something by it: `revoke`, which stands in the address, would be left out.
#[sqlx::test]
async fn a_body_that_is_not_asked_for_is_refused(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let admin = world.program(&[Scope::Admin]).await;
    let connection = admin.import(&world, client).await;
    let calls = ["disconnect", "pause", "relink", "refresh"];
    for call in calls {
        let page = admin.post(&format!("{connection}/{call}"), &json!({ "revoke": true })).await;
        assert_eq!(page.status, 422, "{call}: {}", page.text);
    }
    assert_eq!(admin.get(&connection).await.ok()["standing"], "alive");
    assert_eq!(world.count("SELECT count(*) FROM relinks").await, 0);
    admin.post(&format!("{connection}/pause"), &json!({})).await.ok();
    admin.press(&format!("{connection}/resume")).await.ok();
}

#[sqlx::test]
async fn what_is_wrong_is_named(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let admin = world.program(&[Scope::Admin]).await;
    let unknown = Uuid::from_u128(77);
    let with = |mut body: Value, name: &str, value: Value| {
        body[name] = value;
        body
    };
    let profile = admin.profile().await;
    let good = makers::client("New");
    let cases = [
        // Wrong types, unknown fields, missing fields.
        ("/clients", with(good.clone(), "name", json!(5)), "name"),
        ("/clients", with(good.clone(), "nam", json!("x")), "nam"),
        ("/clients", with(good.clone(), "client_secret", json!({ "a": 1 })), "client_secret"),
        ("/clients", with(good.clone(), "variables", json!({ "a": 1 })), "variables.a"),
        ("/clients", json!({ "name": "x", "provider": PROVIDER }), "oauth_client_id"),
        ("/clients", json!([]), ""),
        ("/clients", json!(null), ""),
        // What only a use case knows.
        ("/clients", with(good.clone(), "name", json!("  ")), "name"),
        ("/clients", with(good.clone(), "name", json!("Client one")), "name"),
        ("/clients", with(good.clone(), "client_secret", json!("")), "client_secret"),
        ("/clients", with(good.clone(), "client_secret", json!(null)), "client_secret"),
        ("/clients", with(good.clone(), "provider", json!("nobody")), "provider"),
        ("/clients", with(good.clone(), "variables", json!({ "x": "y" })), "variables.x"),
        ("/clients", with(good, "name", json!("a\0b")), "name"),
        ("/providers", with(profile.clone(), "endpoints", json!({ "tokn": "" })), "endpoints.tokn"),
        ("/providers", with(profile.clone(), "slug", json!("Not a slug")), "slug"),
        ("/providers", profile, "slug"),
        ("/providers/discover", json!({ "issuer": "ftp://example.com" }), "issuer"),
        // What is left out of a filter would have a job work on more than its maker means.
        ("/jobs", json!({ "action": "pause", "filter": { "lable": "x" } }), "filter.lable"),
        ("/jobs/preview", json!({ "action": "refresh", "filter": { "a": 1 } }), "filter.a"),
        ("/jobs/preview", json!({ "action": "refresh", "filter": [] }), "filter"),
        ("/saved-filters", json!({ "name": "a", "filter": { "b": 1 } }), "filter.b"),
        ("/connections", json!({ "client_id": client }), "token_response"),
        ("/connections", json!({ "client_id": client, "grant": "magic" }), "grant"),
        ("/connections", json!({ "client_id": client, "token_response": {} }), "token_response"),
        ("/connections", json!({ "client_id": client, "token_response": [] }), "token_response"),
        (
            "/connections",
            json!({ "client_id": client, "grant": "authorization_code", "token_response": {} }),
            "token_response",
        ),
        (
            "/connections",
            json!({ "client_id": client, "grant": "client_credentials", "obtained_at": "2026-03-01T12:00:00Z" }),
            "obtained_at",
        ),
        (
            "/connections",
            json!({ "client_id": client, "token_response": {}, "obtained_at": "yesterday" }),
            "obtained_at",
        ),
        (
            "/connections",
            json!({ "client_id": client, "token_response": { "access_token": "a" }, "obtained_at": "2027-01-01T00:00:00Z" }),
            "obtained_at",
        ),
        ("/connections", json!({ "client_id": "7", "token_response": {} }), "client_id"),
        (
            "/connections",
            json!({ "client_id": unknown, "token_response": { "access_token": "a" } }),
            "client_id",
        ),
        ("/users", with(makers::user("a@b.test"), "password", json!("short")), "password"),
        ("/users", with(makers::user("a@b.test"), "role", json!("root")), "role"),
        ("/users", makers::user("nobody"), "email"),
        ("/api-keys", json!({ "name": "x", "scopes": [] }), "scopes"),
        ("/api-keys", json!({ "name": "x", "scopes": ["admin", "root"] }), "scopes[1]"),
        ("/api-keys", json!({ "name": "", "scopes": ["admin"] }), "name"),
    ];
    for (path, body, field) in cases {
        let page = admin.post(path, &body).await;
        assert_eq!(page.refusal(), (422, "invalid".into()), "{path} {body}: {}", page.text);
        assert_eq!(page.field(), field, "{path} {body}: {}", page.text);
    }
    assert_eq!(world.count("SELECT count(*) FROM clients").await, 1, "nothing is half-written");
    assert_eq!(world.count("SELECT count(*) FROM connections").await, 0);
    assert_eq!(world.count("SELECT count(*) FROM users").await, 0);
    assert_eq!(world.count("SELECT count(*) FROM providers").await, 1);
}

#[sqlx::test]
async fn wrong_parameters_are_named(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = world.program(&[Scope::Admin]).await;
    let id = Uuid::from_u128(77);
    for (path, field) in [
        ("/connections?stat=active".to_owned(), "stat"),
        ("/connections?state=dead".into(), "state"),
        ("/connections?client=7".into(), "client"),
        ("/connections?expires_before=tomorrow".into(), "expires_before"),
        ("/connections?dead_since=yesterday".into(), "dead_since"),
        ("/connections?drift=perhaps".into(), "drift"),
        ("/connections?end=bitter".into(), "end"),
        ("/connections?import=7".into(), "import"),
        ("/connections?needs_human_before=2026-01-01".into(), "needs_human_before"),
        ("/connections?refresh_expires_after=2026-01-01".into(), "refresh_expires_after"),
        ("/connections?reason=because".into(), "reason"),
        ("/overview?over=decade".into(), "over"),
        ("/connections?sort=colour".into(), "sort"),
        ("/connections?limit=many".into(), "limit"),
        ("/connections?limit=-1".into(), "limit"),
        ("/connections?limit=0".into(), "limit"),
        ("/connections?limit=201".into(), "limit"),
        ("/connections?limit=99999999999".into(), "limit"),
        ("/connections?cursor=here".into(), "cursor"),
        ("/connections?q=%00".into(), "q"),
        ("/connections?q=a&q=b".into(), "q"),
        ("/audit?cursor=here".into(), "cursor"),
        ("/audit?colour=red".into(), "colour"),
        ("/clients?limit=0".into(), "limit"),
        ("/users?state=active".into(), "state"),
        ("/connections/7".into(), "id"),
        ("/connections/%FF".into(), "id"),
        ("/providers/%00".into(), "slug"),
        ("/providers/UPPER".into(), "slug"),
        (format!("/connections/{id}/token?min_ttl=soon"), "min_ttl"),
        (format!("/connections/{id}/token?min_ttl=-5"), "min_ttl"),
    ] {
        let page = admin.get(&path).await;
        assert_eq!(page.refusal(), (422, "invalid".into()), "{path}: {}", page.text);
        assert_eq!(page.field(), field, "{path}");
    }
    let page = admin.delete(&format!("/connections/{id}?revoke=perhaps")).await;
    assert_eq!((page.refusal().0, page.field()), (422, "revoke".into()));
}

#[sqlx::test]
async fn what_is_not_there_is_not_found(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = world.program(&[Scope::Admin]).await;
    let profile = admin.profile().await;
    for (method, path, operation) in admin.contract.operations() {
        // The one that takes no JSON says so first.
        if !path.contains('{') || (method == "POST" && path.ends_with("/imports")) {
            continue;
        }
        let mut profile = profile.clone();
        profile["slug"] = json!("nobody");
        let body = match path.as_str() {
            "/providers/{slug}" => profile,
            "/clients/{id}/next-secret" => json!({ "client_secret": "a" }),
            "/users/{id}/password" => json!({ "password": "a long enough password" }),
            _ => json!({}),
        };
        let body = operation.get("requestBody").map(|_| &body);
        let page = admin.call(method.clone(), &super::document::filled(&path), body).await;
        assert_eq!(page.refusal(), (404, "not_found".into()), "{method} {path}: {}", page.text);
    }
    let nobody = world.program_with(None).await;
    for path in ["/nothing", "/connections/1/2/3", "", "/"] {
        assert_eq!(nobody.get(path).await.refusal(), (404, "not_found".into()), "{path}");
    }
    for path in ["/connections", "/users"] {
        let page = nobody.put(path, &json!({})).await;
        assert_eq!(page.refusal(), (405, "method_not_allowed".into()), "{path}");
    }
}

#[sqlx::test]
async fn bodies_that_are_no_json_are_refused(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = world.program(&[Scope::Admin]).await;
    let good = makers::client("New").to_string();
    let large = format!("{good}{}", " ".repeat(1024 * 1024));
    let deep = format!("{}1{}", "[".repeat(5000), "]".repeat(5000));
    for (kind, body, status, code) in [
        ("application/json", "{", 400, "malformed"),
        ("application/json", "", 400, "malformed"),
        ("application/json", "name=x", 400, "malformed"),
        ("application/json", "{\"a\": 1} {}", 400, "malformed"),
        ("application/json", "{\"a\": \"\u{1}\"}", 400, "malformed"),
        ("application/json", deep.as_str(), 400, "malformed"),
        ("application/json", large.as_str(), 413, "too_large"),
        ("text/plain", good.as_str(), 415, "unsupported_media_type"),
        ("application/x-www-form-urlencoded", "name=x", 415, "unsupported_media_type"),
        ("", good.as_str(), 415, "unsupported_media_type"),
        ("application/json; charset=utf-8", good.as_str(), 201, ""),
    ] {
        let mut request = Request::builder().method(Method::POST).uri("/api/v1/clients");
        if !kind.is_empty() {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        let page = admin.send(request.body(Body::from(body.to_owned())).unwrap()).await;
        let start: String = body.chars().take(20).collect();
        assert_eq!(page.refusal(), (status, code.to_owned()), "{kind}: {start}");
    }
    let request = Request::post("/api/v1/clients").header(header::CONTENT_TYPE, "application/json");
    let page = admin.send(request.body(Body::from(vec![b'"', 0xff, b'"'])).unwrap()).await;
    assert_eq!(page.refusal(), (400, "malformed".into()), "not UTF-8");
}

/// The caller learns by which id the log can be searched, and nothing else.
#[sqlx::test]
async fn our_own_fault_tells_nothing_of_the_inside(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = world.program(&[Scope::Admin]).await;
    world.execute("ALTER TABLE connections RENAME TO gone").await;
    let request = Request::get("/api/v1/connections").header("x-request-id", "given-by-a-proxy");
    let page = admin.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(page.refusal(), (500, "internal".into()));
    let body: Value = page.json();
    assert_eq!(body["request_id"], "given-by-a-proxy");
    assert_eq!(body["detail"], "Something went wrong in Regrant. It was logged.");
    assert!(!page.text.contains("relation"), "{}", page.text);
}

/// A database that is away is no fault of the caller's nor of the program's, and passes.
#[sqlx::test]
async fn a_database_that_is_away_is_worth_another_try(pool: PgPool) {
    let world = World::new(pool).await;
    let program = world.program(&[Scope::ConnectionsRead]).await;
    world.pool.close().await;
    let page = program.get("/connections").await;
    assert_eq!(page.refusal(), (503, "unavailable".into()), "{}", page.text);
    assert_eq!(page.header("retry-after"), "2");
}

/// A program tells refusals apart without reading prose.
#[sqlx::test]
async fn each_conflict_has_a_reason_that_is_documented(pool: PgPool) {
    use crate::domain::problem::Obstacle;
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let admin = world.program(&[Scope::Admin]).await;
    let id = world.import(client).await;
    let reason = async |page: Page| {
        assert_eq!(page.refusal(), (409, "conflict".into()), "{}", page.text);
        page.json::<Value>()["reason"].as_str().expect("a reason").to_owned()
    };
    let machine = world.client("machine", |_| {}).await;
    let owned = json!({ "client_id": machine, "grant": "client_credentials" });
    let owned = admin.post("/connections", &owned).await.ok()["id"].as_str().unwrap().to_owned();
    let waiting = json!({ "client_id": client, "grant": "authorization_code" });
    let waiting =
        admin.post("/connections", &waiting).await.ok()["id"].as_str().unwrap().to_owned();
    let gone = world.import_of(client, "bob").await;
    admin.press(&format!("/connections/{gone}/disconnect")).await.ok();
    let code = json!({ "client_id": client, "grant": "device_code" });
    for (page, wanted) in [
        (admin.delete(&format!("/clients/{client}")).await, Obstacle::InUse),
        (admin.delete("/providers/cronofy").await, Obstacle::Preset),
        (admin.press(&format!("/connections/{owned}/relink")).await, Obstacle::NotOffered),
        (admin.post("/connections", &code).await, Obstacle::NotOffered),
        (admin.press(&format!("/connections/{gone}/refresh")).await, Obstacle::Disconnected),
        (admin.press(&format!("/connections/{waiting}/refresh")).await, Obstacle::AwaitingConsent),
        (
            admin
                .patch(
                    &format!("/clients/{client}"),
                    &json!({ "oauth_client_id": "x", "client_secret": "y" }),
                )
                .await,
            Obstacle::HoldsTokens,
        ),
    ] {
        assert_eq!(reason(page).await, wanted.as_str());
    }
    admin.patch(&format!("/clients/{client}"), &json!({ "disabled": true })).await.ok();
    let page = admin.press(&format!("/connections/{id}/refresh")).await;
    assert_eq!(reason(page).await, "client_disabled");

    let document = &admin.contract.0;
    let about = document["info"]["description"].as_str().unwrap();
    let schema = document["components"]["schemas"]["ConflictReason"]["enum"].to_string();
    for obstacle in Obstacle::ALL {
        assert_eq!(serde_json::to_value(obstacle).unwrap(), obstacle.as_str());
        assert!(about.contains(&format!("- `{}`: {}.", obstacle.as_str(), obstacle.about())));
        assert!(schema.contains(&format!("\"{}\"", obstacle.as_str())), "{schema}");
    }
}

/// Whoever wants a provider gone learns what is in the way, however much it is.
#[sqlx::test]
async fn a_provider_in_use_names_its_clients(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = world.program(&[Scope::Admin]).await;
    let path = format!("/providers/{PROVIDER}");
    let said = async || {
        let page = admin.delete(&path).await;
        assert_eq!(page.refusal(), (409, "conflict".into()), "{}", page.text);
        page.json::<Value>()["detail"].as_str().expect("a sentence").to_owned()
    };
    world.client("b", |_| {}).await;
    assert_eq!(said().await, "A client uses this provider: Client b. Delete it first.");
    for id in ["g", "a", "f", "c"] {
        world.client(id, |_| {}).await;
    }
    let wanted = "5 clients use this provider: Client a, Client b, Client c, Client f, Client g. \
                  Delete them first.";
    assert_eq!(said().await, wanted);
    world.client("d", |_| {}).await;
    world.client("e", |_| {}).await;
    let wanted = "7 clients use this provider: Client a, Client b, Client c, Client d, Client e and 2 \
                  more. Delete them first.";
    assert_eq!(said().await, wanted);
}

/// What is wrong here is not said of the provider, and no class of errors stands in a sentence.
#[sqlx::test]
async fn a_request_that_was_never_sent_is_not_the_providers_refusal(pool: PgPool) {
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
    let admin = world.program(&[Scope::Admin]).await;
    let body = json!({ "client_id": client, "grant": "client_credentials" });
    let page = admin.post("/connections", &body).await;
    assert_eq!(page.refusal(), (409, "conflict".into()), "{}", page.text);
    let said = page.json::<Value>()["detail"].as_str().unwrap().to_owned();
    let wanted = "Service signed was not asked: the client can't sign who it is, for its key must be a \
                  private key in PEM form.";
    assert_eq!(said, wanted);
    assert!(world.sandbox.log().is_empty());

    let plain = world.client("plain", |client| client.secret = Some("another".into())).await;
    let body = json!({ "client_id": plain, "grant": "client_credentials" });
    let page = admin.post("/connections", &body).await;
    let said = page.json::<Value>()["detail"].as_str().unwrap().to_owned();
    assert!(said.starts_with("Service strict did not give a token: "), "{said}");
    assert!(said.contains("invalid_client") && !said.contains("client_refused"), "{said}");
}
