//! Asking the provider how the tokens are (RFC 7662).

use serde_json::json;
use sqlx::PgPool;

use super::support::{PROVIDER, World};
use crate::domain::{
    access::{Role, Scope},
    connection::State,
};

#[sqlx::test]
async fn the_provider_says_how_the_tokens_are_and_nothing_changes(pool: PgPool) {
    let world = World::new(pool).await;
    let endpoint = format!("{}/introspect", world.sandbox.url());
    world.provider("open", |profile| profile.endpoints.introspection = Some(endpoint)).await;
    let client = world.client_of("open", "one", |_| {}).await;
    let id = world.import(client).await;
    let program = world.program(&[Scope::ConnectionsRefresh]).await;
    let path = format!("/connections/{id}/introspect");
    let said = program.press(&path).await.ok();
    assert_eq!(said["access_token"]["active"], json!(true), "{said}");
    assert_eq!(said["refresh_token"]["active"], json!(true), "{said}");
    assert!(said["access_token"]["expires_at"].is_string(), "{said}");
    let before = world.connection(id).await;

    let mut support = world.sign_in(Role::Support).await;
    let page = support.get(&format!("/connections/{id}")).await.text;
    assert!(page.contains("Ask Service open how its tokens are"), "{page}");
    world.sandbox.revoke_account("alice");
    let asked = support.call("connection/introspect", &[("id", &*id.to_string())]).await;
    assert_eq!(asked.location(), format!("/connections/{id}?said=dead"));
    let page = support.get(&asked.location()).await.text;
    assert!(page.contains("The provider says: no longer"), "{page}");
    assert_eq!(world.connection(id).await, before);
    assert_eq!(world.state(id).await, State::Active);
    let told = world.audit("connection.introspect").await;
    assert_eq!(told.len(), 2);
    assert!(told.iter().any(|entry| entry.detail == json!({ "said": "dead" })));
}

#[sqlx::test]
async fn where_nobody_can_be_asked_nobody_is(pool: PgPool) {
    let world = World::new(pool).await;
    let program = world.program(&[Scope::Admin]).await;
    let client = world.client_of(PROVIDER, "one", |_| {}).await;
    let id = world.import(client).await;
    let refused = program.press(&format!("/connections/{id}/introspect")).await;
    assert!(refused.text.contains("can't be asked"), "{}", refused.text);
    let mut admin = world.sign_in(Role::Admin).await;
    assert!(!admin.get(&format!("/connections/{id}")).await.text.contains("how its tokens are"));
}
