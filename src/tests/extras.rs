//! What a provider says beside its tokens: kept, handed to programs, shown to people unless secret.

use serde_json::json;
use sqlx::PgPool;
use time::Duration;

use super::support::{World, new_connection};
use crate::{
    domain::{
        access::{Role, Scope},
        provider::Extra,
    },
    server::app::{self, connection::TokenResponse},
};

#[sqlx::test]
async fn what_stands_beside_the_tokens_outlives_refreshes_that_are_silent(pool: PgPool) {
    let world = World::new(pool).await;
    let extra = |name: &str, encrypted: bool| Extra {
        name: name.into(),
        pointer: format!("/{name}"),
        encrypted,
    };
    world
        .provider("telling", |profile| {
            profile.response.extras = vec![extra("instance", false), extra("signing_key", true)];
        })
        .await;
    let client = world.client_of("telling", "one", |_| {}).await;
    let mut response = world.token_response(client, "alice").await;
    response["instance"] = json!("https://eu7.example.com");
    response["signing_key"] = json!("planted-signing-key");
    let text = response.to_string();
    let made = app::connection::import_text(
        &world.app,
        &world.admin,
        new_connection(client),
        TokenResponse::from_text(text, None),
    )
    .await;
    let id = made.expect("a connection").0.id;
    let program = world.program(&[Scope::TokensRead]).await;
    let kept =
        json!({ "instance": "https://eu7.example.com", "signing_key": "planted-signing-key" });
    let token = program.get(&format!("/connections/{id}/token")).await.ok();
    assert_eq!((&token["generation"], &token["extras"]), (&json!(1), &kept));
    for generation in [2, 3] {
        world.pass(Duration::minutes(1));
        app::connection::refresh(&world.app, &world.admin, id).await.expect("a refresh");
        let token = program.get(&format!("/connections/{id}/token")).await.ok();
        assert_eq!((&token["generation"], &token["extras"]), (&json!(generation), &kept));
    }
    let mut admin = world.sign_in(Role::Admin).await;
    let staff = [world.sign_in(Role::Support).await, world.sign_in(Role::Auditor).await];
    for mut browser in staff.into_iter().chain([admin.clone()]) {
        let page = browser.get(&format!("/connections/{id}")).await.text;
        assert!(page.contains("https://eu7.example.com"), "{page}");
        assert!(!page.contains("planted-signing-key"));
    }
    let detail = app::connection::disconnect(&world.app, &world.admin, id, false).await;
    detail.expect("an end");
    let page = admin.get(&format!("/connections/{id}")).await.text;
    assert!(!page.contains("eu7.example.com"));
}
