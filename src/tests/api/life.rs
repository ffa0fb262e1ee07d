//! A whole life, by program: all that the dashboard can do.

use serde_json::{Value, json};
use sqlx::PgPool;
use time::Duration;

use super::makers;
use crate::{
    domain::{access::Scope, problem::Code},
    sandbox,
    tests::support::{PROVIDER, SECRET, World},
};

#[sqlx::test]
async fn a_preset_is_read_edited_posted_and_replaced(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = world.program(&[Scope::Admin]).await;
    let preset = admin.get("/providers/generic-oidc").await.ok();
    let mut mine = preset.clone();
    mine["slug"] = json!("mine");
    mine["name"] = json!("Mine");
    let page = admin.post("/providers", &mine).await;
    assert_eq!((page.status.as_u16(), page.location().as_str()), (201, "/api/v1/providers/mine"));
    assert_eq!(page.ok(), mine);
    assert_eq!(admin.get("/providers/mine").await.ok(), mine);
    mine["notes"] = json!("Another note");
    assert_eq!(admin.put("/providers/mine", &mine).await.ok(), mine);
    for (path, custom) in [("generic-oidc", false), ("mine", true)] {
        let list = admin.get("/providers?limit=200").await.ok();
        let items = list["items"].as_array().unwrap();
        let entry = items.iter().find(|entry| entry["profile"]["slug"] == path).unwrap();
        assert_eq!(entry["custom"], custom);
    }
    assert_eq!(admin.put("/providers/generic-oidc", &preset).await.refusal().0, 409);
    assert_eq!(admin.delete("/providers/generic-oidc").await.refusal().0, 409);
    assert_eq!(admin.put("/providers/other", &mine).await.field(), "slug");
    assert_eq!(admin.delete("/providers/mine").await.status, 204);
    assert_eq!(admin.get("/providers/mine").await.status, 404);
}

#[sqlx::test]
async fn discovery_drafts_and_keeps_nothing(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = world.program(&[Scope::Admin]).await;
    let issuer = world.sandbox.url();
    let draft = admin.post("/providers/discover", &json!({ "issuer": issuer })).await.ok();
    assert_eq!(draft["issuer"], issuer);
    assert_eq!(draft["endpoints"]["token"], format!("{issuer}/token"));
    assert_eq!(world.count("SELECT count(*) FROM providers").await, 1, "the world's own");
    assert_eq!(admin.post("/providers", &draft).await.status, 201);
}

#[sqlx::test]
async fn a_patch_leaves_what_it_does_not_name(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = world.program(&[Scope::Admin]).await;
    let page = admin.post("/clients", &makers::client("One")).await;
    let made = page.ok();
    let path = format!("/clients/{}", made["id"].as_str().unwrap());
    assert_eq!(page.location(), format!("/api/v1{path}"));
    assert_eq!((&made["has_secret"], &made["state"]), (&json!(true), &json!("ready")));
    assert_eq!(made["redirect_uri"], admin.get("/redirect-uri").await.ok()["redirect_uri"]);
    world.pass(Duration::minutes(1));
    let same = |left: &Value, right: &Value, but: &[&str]| {
        for (name, value) in left.as_object().unwrap() {
            assert!(but.contains(&name.as_str()) || *value == right[name], "{name}");
        }
    };
    let none = admin.patch(&path, &json!({})).await.ok();
    same(&made, &none, &["updated_at"]);
    let named = admin.patch(&path, &json!({ "name": "Two", "disabled": true })).await.ok();
    assert_eq!((&named["name"], &named["state"]), (&json!("Two"), &json!("disabled")));
    same(&none, &named, &["name", "state", "state_since", "updated_at"]);
    let secret = json!({ "client_secret": "another secret", "disabled": false });
    let sealed = admin.patch(&path, &secret).await.ok();
    same(&none, &sealed, &["name", "state_since", "updated_at", "secret_set_at"]);
    assert_eq!(sealed["secret_set_at"], "2026-03-01T12:01:00Z");
    assert_eq!(admin.delete(&path).await.status, 204);
    assert_eq!(admin.get(&path).await.status, 404);

    let client = world.client("one", |_| {}).await;
    let connection = admin.import(&world, client).await;
    let before = json!({ "label": "L", "external_id": "e-1", "tags": ["b", "a"] });
    let full = admin.patch(&connection, &before).await.ok();
    assert_eq!(full["tags"], json!(["a", "b"]));
    let after = admin.patch(&connection, &json!({ "external_id": "" })).await.ok();
    assert_eq!(after["external_id"], Value::Null);
    same(&full, &after, &["external_id", "updated_at"]);
}

#[sqlx::test]
async fn a_connection_is_imported_refreshed_and_deleted(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = world.program(&[Scope::Admin]).await;
    let client = world.client("one", |_| {}).await;
    let body = json!({
        "client_id": client,
        "label": "Alice's books",
        "external_id": "tenant-7",
        "tags": ["eu"],
        "token_response": world.token_response(client, "alice").await,
        "obtained_at": "2026-03-01T11:50:00Z",
    });
    let page = admin.post("/connections", &body).await;
    let made = page.ok();
    let path = format!("/connections/{}", made["id"].as_str().unwrap());
    assert_eq!(page.location(), format!("/api/v1{path}"));
    assert_eq!(made["obtained_at"], "2026-03-01T11:50:00Z");
    assert_eq!((&made["state"]["name"], &made["grant_type"]), (&json!("active"), &json!("import")));
    assert_eq!(admin.get(&path).await.ok(), made);
    assert_eq!(admin.post("/connections", &body).await.field(), "external_id");
    let attempt = admin.press(&format!("{path}/refresh")).await.ok();
    assert_eq!((&attempt["verdict"], &attempt["trigger"]), (&json!("refreshed"), &json!("manual")));
    assert_eq!(admin.get("/overview").await.ok()["counts"], json!({ "alive": 1 }));

    let refused = admin.delete(&format!("/clients/{client}")).await;
    assert_eq!(refused.refusal(), (409, "conflict".into()));
    assert_eq!(admin.delete(&format!("{path}?revoke=true")).await.status, 204);
    assert_eq!(admin.get(&path).await.status, 404);
    let told = world.audit("connection.disconnect").await;
    assert_eq!(told[0].detail["revoked_at_provider"], true);
    assert_eq!(admin.delete(&format!("/clients/{client}")).await.status, 204);
}

#[sqlx::test]
async fn a_connection_comes_by_consent_and_comes_back_by_relink(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = world.program(&[Scope::Admin]).await;
    let client = world.client("one", |_| {}).await;
    let body = json!({ "client_id": client, "label": "Books", "grant": "authorization_code" });
    let made = admin.post("/connections", &body).await.ok();
    assert_eq!(made["state"]["name"], "pending");
    let path = format!("/connections/{}", made["id"].as_str().unwrap());
    let start = made["authorization_url"].as_str().unwrap().to_owned();
    world.consent(&mut world.browser(), start, "alice").await;
    let connected = admin.get(&path).await.ok();
    assert_eq!(connected["state"]["name"], "active");
    assert_eq!((&connected["generation"], &connected["label"]), (&json!(1), &json!("Books")));

    let again = admin.press(&format!("{path}/authorize")).await.ok();
    let start = again["authorization_url"].as_str().unwrap().to_owned();
    world.consent(&mut world.browser(), start, "alice").await;
    assert_eq!(admin.get(&path).await.ok()["generation"], 2);

    world.sandbox.revoke_account("alice");
    admin.press(&format!("{path}/refresh")).await.ok();
    let overview = admin.get("/overview").await.ok();
    assert_eq!(overview["counts"], json!({ "needs-person": 1 }));
    assert_eq!(overview["needs_human"][0]["id"], made["id"]);
    let page = admin.press(&format!("{path}/relink")).await;
    assert_eq!(page.status, 201);
    let link = page.ok();
    assert!(link["url"].as_str().unwrap().starts_with("http://127.0.0.1:3000/relink/"));
    assert_eq!(link["expires_at"], "2026-03-04T12:00:00Z");
    let listed = admin.get(&format!("{path}/relinks")).await;
    let token = link["url"].as_str().unwrap().rsplit('/').next().unwrap();
    assert!(!listed.text.contains(token));
    let watched = format!("/relinks/{}", link["id"].as_str().unwrap());
    assert_eq!(admin.get(&watched).await.ok()["stage"], "sent");
    let mut stranger = world.browser();
    let begun = stranger.begin_relink(token).await.location();
    world.consent(&mut stranger, begun, "alice").await;
    let back = admin.get(&path).await.ok();
    assert_eq!((&back["state"]["name"], &back["generation"]), (&json!("active"), &json!(3)));
    let done = admin.get(&watched).await.ok();
    assert_eq!((&done["stage"], &done["relink"]["outcome"]), (&json!("done"), &json!("done")));
    assert_eq!(admin.delete(&watched).await.refusal(), (409, "conflict".into()));
    let second = admin.press(&format!("{path}/relink")).await.ok();
    let second = format!("/relinks/{}", second["id"].as_str().unwrap());
    assert_eq!(admin.get("/relinks?show=open").await.ok()["items"].as_array().unwrap().len(), 1);
    assert_eq!(admin.delete(&second).await.status, 204);
    assert_eq!(admin.get(&second).await.ok()["stage"], "revoked");
    assert_eq!(admin.get("/relinks?show=open").await.ok()["items"], json!([]));
    assert_eq!(admin.get("/relinks?show=nonsense").await.field(), "show");
}

#[sqlx::test]
async fn a_client_is_granted_access_itself(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = world.program(&[Scope::Admin]).await;
    let client = world.client("robot", |_| {}).await;
    let body =
        json!({ "client_id": client, "grant": "client_credentials", "scopes": ["api:read"] });
    let made = admin.post("/connections", &body).await.ok();
    assert_eq!(
        (&made["state"]["name"], &made["grant_type"]),
        (&json!("active"), &json!("client_credentials"))
    );
    assert!(made.get("authorization_url").is_none());
    let path = format!("/connections/{}", made["id"].as_str().unwrap());
    assert_eq!(admin.press(&format!("{path}/relink")).await.refusal().0, 409);
    assert_eq!(admin.press(&format!("{path}/authorize")).await.refusal().0, 409);

    world.sandbox.add_client(sandbox::Client::confidential("robot", "replaced"));
    let refused = admin.post("/connections", &body).await;
    assert_eq!(refused.refusal(), (409, "conflict".into()), "asking again does not help");
    assert!(!refused.text.contains(SECRET));
    assert_eq!(world.count("SELECT count(*) FROM connections").await, 1, "nothing half-made");
}

#[sqlx::test]
async fn people_and_keys_are_let_in_and_shut_out(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = world.program(&[Scope::Admin]).await;
    let mut body = makers::user("root@people.test");
    body["role"] = json!("admin");
    let page = admin.post("/users", &body).await;
    let path = page.location().replace("/api/v1", "");
    assert_eq!(admin.get(&path).await.ok(), page.ok());
    let mut browser = world.browser();
    assert_eq!(browser.sign_in("root", "a long enough password").await.status, 200);
    let last = admin.patch(&path, &json!({ "disabled": true })).await;
    assert_eq!(last.refusal(), (409, "conflict".into()), "the last admin");
    assert_eq!(admin.post("/users", &body).await.field(), "email");
    body["email"] = json!("second@people.test");
    admin.post("/users", &body).await.ok();
    let changed = admin.patch(&path, &json!({ "role": "support", "disabled": true })).await.ok();
    assert_eq!((&changed["role"], changed["disabled_at"].is_null()), (&json!("support"), false));
    assert_ne!(browser.call("user/list", &[]).await.status, 200, "the session has ended");
    admin.patch(&path, &json!({ "disabled": false })).await.ok();
    let password = json!({ "password": "one that was not forgotten" });
    assert_eq!(admin.put(&format!("{path}/password"), &password).await.status, 204);
    assert_eq!(
        browser.sign_in("root", "a long enough password").await.problem().code,
        Code::Invalid
    );
    assert_eq!(browser.sign_in("root", "one that was not forgotten").await.status, 200);
    let short = admin.put(&format!("{path}/password"), &json!({ "password": "short" })).await;
    assert_eq!((short.refusal().0, short.field()), (422, "password".into()));

    let page = admin.post("/api-keys", &makers::key("reader")).await;
    let made = page.ok();
    let path = page.location().replace("/api/v1", "");
    assert_eq!(admin.get(&path).await.ok(), made["api_key"]);
    let reader = world.program_with(made["key"].as_str()).await;
    assert_eq!(reader.get("/connections").await.status, 200);
    assert_eq!(reader.get(&path).await.status, 403);
    assert_eq!(admin.delete(&path).await.status, 204);
    assert_eq!(reader.get("/connections").await.status, 401);
    assert!(!admin.get(&path).await.ok()["revoked_at"].is_null());
}

#[sqlx::test]
async fn a_moved_endpoint_does_not_take_the_secret_along(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = world.program(&[Scope::Admin]).await;
    world.client("one", |_| {}).await;
    let mut profile = admin.profile().await;
    profile["endpoints"]["token"] = json!("https://elsewhere.example/token");
    let page = admin.put(&format!("/providers/{PROVIDER}"), &profile).await;
    assert_eq!(page.refusal(), (409, "conflict".into()));
    assert!(page.text.contains("Client one"));
}

/// Whoever may write profiles need not be one who may read tokens.
#[sqlx::test]
async fn tokens_that_are_held_are_read_as_nothing_else(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = world.program(&[Scope::Admin]).await;
    world.client("one", |_| {}).await;
    let profile = admin.profile().await;
    let path = format!("/providers/{PROVIDER}");
    for (field, value) in [
        ("extras", json!([{ "name": "more", "pointer": "/more" }])),
        ("account", json!({ "label": [{ "from": "response", "pointer": "/more" }] })),
        ("scope", json!(["/more"])),
        ("token_type", json!(["/more"])),
        ("access_token", json!(["/more", "/access_token"])),
    ] {
        let mut changed = profile.clone();
        changed["response"][field] = value;
        let page = admin.put(&path, &changed).await;
        assert_eq!(page.refusal(), (409, "conflict".into()), "{field}: {}", page.text);
    }
    // When a token expires is no secret, and may have to be mended while it is held.
    let mut changed = profile;
    changed["response"]["expiry"] = json!([{ "pointer": "/expires", "form": "seconds" }]);
    admin.put(&path, &changed).await.ok();
}
