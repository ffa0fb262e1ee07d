//! Whoever asked goes away in the middle; what the provider gave is stored all the same.

use sqlx::PgPool;
use time::Duration;

use super::support::{World, new_connection};
use crate::{
    domain::{access::Role, connection::StateName},
    sandbox::Hold,
    server::app::{self, Actor},
};

#[sqlx::test]
async fn a_browser_that_leaves_at_the_callback_loses_no_grant(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let mut browser = world.sign_in(Role::Admin).await;
    let form = [("client_id", client.to_string()), ("label", String::new())];
    let form: Vec<(&str, &str)> =
        form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let start = browser.call("connection/connect", &form).await.location();
    let callback = world.consent_only(&mut browser, start, "alice").await;
    world.control().hold(Hold::BeforeAnswering);
    let leaving = tokio::spawn(async move { browser.get(&callback).await });
    world.control().until_held(1).await;
    leaving.abort();
    world.control().release();
    world.until_count("SELECT count(*) FROM connections WHERE state = 'active'", 1).await;
    assert_eq!(world.count("SELECT count(*) FROM token_sets").await, 1);
}

#[sqlx::test]
async fn a_program_that_leaves_gets_its_client_credentials_stored(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    world.control().hold(Hold::BeforeAnswering);
    let app = world.app.clone();
    let leaving = tokio::spawn(async move {
        let new = new_connection(client);
        app::connection::grant_client_credentials(&app, &Actor::Operator, new).await
    });
    world.control().until_held(1).await;
    leaving.abort();
    world.control().release();
    world.until_count("SELECT count(*) FROM connections WHERE state = 'active'", 1).await;
}

#[sqlx::test]
async fn a_disconnect_waits_for_the_refresh_under_way_and_revokes_what_it_brought(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let id = world.import(client).await;
    world.until_due(id).await;
    world.control().hold(Hold::BeforeAnswering);
    let begun = app::refresh::begin_due(&world.app, 10).await.expect("a claim");
    assert_eq!(begun.len(), 1);
    world.control().until_held(1).await;
    let app = world.app.clone();
    let ending =
        tokio::spawn(
            async move { app::connection::disconnect(&app, &Actor::Operator, id, true).await },
        );
    world.control().release();
    for refresh in begun {
        refresh.await.expect("no panic");
    }
    ending.await.expect("no panic").expect("an end");
    assert_eq!(world.state(id).await.name(), StateName::Disconnected);
    let audit = world.audit("connection.disconnect").await;
    assert_eq!(audit[0].detail["revoked_at_provider"], true);
    assert_eq!(world.sandbox.revoke_account("alice"), 0, "no grant of alice is alive any more");
}

#[sqlx::test]
async fn a_token_that_comes_dead_is_not_asked_for_again_and_again(pool: PgPool) {
    let world = World::new(pool).await;
    let (stub, id) = world.stub().await;
    // A JWT whose `exp` lies in 2001, and nothing else that would say when it ends.
    let dead = "eyJhbGciOiJub25lIn0.eyJleHAiOjEwMDAwMDAwMDB9.x";
    stub.answers(serde_json::json!({ "access_token": dead, "refresh_token": "r" }));
    world.until_due(id).await;
    assert_eq!(world.tick().await, 1);
    assert_eq!(world.tick().await, 0);
    world.pass(Duration::minutes(4));
    assert_eq!(world.tick().await, 0);
    world.pass(Duration::minutes(2));
    assert_eq!(world.tick().await, 1);
}

#[sqlx::test]
async fn a_relink_used_meanwhile_costs_no_second_code(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let mut admin = world.sign_in(Role::Admin).await;
    let id = world.connect(&mut admin, client, "alice").await;
    let link = app::relink::create(&world.app, &Actor::Operator, id).await.expect("a link").url;
    let token = link.rsplit('/').next().expect("a token").to_owned();
    let (mut one, mut two) = (world.browser(), world.browser());
    let mut callbacks = Vec::new();
    for browser in [&mut one, &mut two] {
        let begun = browser.begin_relink(&token).await;
        callbacks.push(world.consent_only(browser, begun.location(), "alice").await);
    }
    assert_eq!(one.get(&callbacks[0]).await.location(), "/relink/outcome/done");
    let exchanges = || {
        let log = world.sandbox.log();
        log.iter().filter(|entry| entry.grant.as_deref() == Some("authorization_code")).count()
    };
    let before = exchanges();
    let late = format!("/relink/{token}?outcome=expired");
    assert_eq!(two.get(&callbacks[1]).await.location(), late);
    assert_eq!(exchanges(), before, "the second code was never spent");
}
