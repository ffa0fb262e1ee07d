//! What consent is asked for can be changed until the first one is given.

use serde_json::json;
use sqlx::PgPool;

use crate::{
    domain::{
        access::{Role, Scope},
        connection::State,
    },
    sandbox::Realm,
    tests::support::World,
};

#[sqlx::test]
async fn scopes_that_are_refused_can_be_corrected(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let mut admin = world.sign_in(Role::Admin).await;
    let form =
        [("client_id", &*client.to_string()), ("label", "Books"), ("scopes", "openid nonsense")];
    let begun = admin.call("connection/connect", &form).await.location();
    let leaving = admin.get(&begun).await.location();
    let landed = admin.get(&world.sandbox.deny(&leaving).unwrap()).await.location();
    let page = admin.get(&landed).await.text;
    assert!(page.contains("What came back:") && page.contains("invalid_scope"), "{page}");
    assert!(page.contains("Ask for other scopes"), "{page}");
    assert!(page.contains("value=\"openid nonsense\""), "{page}");
    let id = landed.split(['/', '?']).nth(2).unwrap().to_owned();

    // What was on its way with the old ones is void.
    let form = [("id", id.as_str())];
    let late = admin.call("connection/reauthorize", &form).await.location();
    let form = [("id", id.as_str()), ("label", "Books"), ("scopes", "openid email")];
    let saved = admin.call("connection/update", &form).await;
    assert_eq!(saved.status, 200, "{}", saved.text);
    assert_eq!(admin.get(&late).await.location(), "/relink/outcome/spent");
    let id = id.parse().unwrap();
    assert_eq!(world.connection(id).await.scopes_requested, ["openid", "email"]);
    let form = [("id", &*id.to_string())];
    let begun = admin.call("connection/reauthorize", &form).await.location();
    let leaving = admin.get(&begun).await.location();
    assert!(leaving.contains("scope=openid+email"), "{leaving}");
    let callback = world.sandbox.consent(&leaving, "alice").unwrap();
    admin.get(&callback).await;
    assert_eq!(world.state(id).await, State::Active);
    let page = admin.get(&format!("/connections/{id}")).await.text;
    assert!(!page.contains("name=\"scopes\""), "{page}");
}

/// Nobody helps that with other scopes.
#[sqlx::test]
async fn a_consent_that_the_client_is_refused_leads_to_its_secret(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    world.sandbox.replace_secret(Realm::Standard, "one", "another secret");
    let mut admin = world.sign_in(Role::Admin).await;
    let form = [("client_id", &*client.to_string()), ("label", "Books")];
    let begun = admin.call("connection/connect", &form).await.location();
    let leaving = admin.get(&begun).await.location();
    let callback = world.sandbox.consent(&leaving, "alice").unwrap();
    let landed = admin.get(&callback).await.location();
    let page = admin.get(&landed).await.text;
    assert!(page.contains("What came back:") && page.contains("invalid_client"), "{page}");
    assert!(page.contains(&format!("href=\"/clients/{client}#secret\"")), "{page}");
    assert!(!page.contains("Ask for other scopes"), "{page}");
}

#[sqlx::test]
async fn programs_change_them_too_and_only_before_consent(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let program = world.program(&[Scope::ConnectionsWrite, Scope::ConnectionsRead]).await;
    let body = json!({ "client_id": client, "grant": "authorization_code", "scopes": ["a"] });
    let made = program.post("/connections", &body).await.ok();
    let pending = format!("/connections/{}", made["id"].as_str().unwrap());
    let changed = program.patch(&pending, &json!({ "scopes": ["openid", "email"] })).await.ok();
    assert_eq!(changed["scopes_requested"], json!(["openid", "email"]));
    let odd = program.patch(&pending, &json!({ "scopes": ["one,"] })).await;
    assert_eq!(odd.refusal().0, 422, "{}", odd.text);
    assert_eq!(odd.field(), "scopes");

    let held = world.import(client).await;
    let asked = world.connection(held).await.scopes_requested;
    let held = format!("/connections/{held}");
    let refused = program.patch(&held, &json!({ "scopes": ["openid", "more"] })).await;
    assert_eq!(refused.refusal(), (409, "conflict".into()));
    // Those that it has anyhow change nothing.
    program.patch(&held, &json!({ "scopes": asked, "label": "Same" })).await.ok();
}
