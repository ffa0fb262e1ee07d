//! Stored secrets and tokens stay with the one they were meant for: no slug, client id, setting or
//! second import leads them elsewhere.

use sqlx::PgPool;
use uuid::Uuid;

use super::support::World;
use crate::{
    domain::{client::ClientPatch, provider::Profile},
    server::{
        app::{self, Error},
        provider::Catalog,
    },
};

async fn change(
    world: &World,
    id: Uuid,
    patch: ClientPatch,
    secret: Option<&str>,
) -> app::Result<()> {
    let secret = secret.map(Into::into);
    app::client::update(&world.app, &world.admin, id, patch, secret).await.map(drop)
}

fn other_id() -> ClientPatch {
    ClientPatch { oauth_client_id: Some("evil.example/".into()), ..ClientPatch::default() }
}

#[sqlx::test]
async fn another_client_id_demands_the_secret_anew_and_no_tokens(pool: PgPool) {
    let world = World::new(pool).await;
    let id = world.client("one", |_| {}).await;
    let without = change(&world, id, other_id(), None).await;
    assert!(matches!(without, Err(Error::Invalid(fields)) if fields[0].field == "client_secret"));
    world.import(id).await;
    let holding = change(&world, id, other_id(), Some("another")).await;
    assert!(matches!(holding, Err(Error::Conflict(_))));
    assert_eq!(world.client_now(id).await.oauth_client_id, "one");
    // What is the same is no change.
    let same = ClientPatch { oauth_client_id: Some("one".into()), ..ClientPatch::default() };
    change(&world, id, same, None).await.expect("nothing moves");
}

#[sqlx::test]
async fn a_slug_that_clients_still_use_is_not_given_to_a_new_profile(pool: PgPool) {
    let world = World::new(pool).await;
    world.client("one", |_| {}).await;
    // As when a folder of presets loses a file.
    world.execute("DELETE FROM providers WHERE slug = 'strict'").await;
    let mut profile = Profile::new("strict", "Not the same");
    profile.endpoints.token = Some("https://evil.example/token".into());
    profile.endpoints.authorization = Some("https://evil.example/authorize".into());
    let taken = app::provider::create(&world.app, &world.admin, profile).await;
    assert!(matches!(taken, Err(Error::Conflict(_))));
}

#[sqlx::test]
async fn a_preset_never_takes_a_custom_providers_slug(pool: PgPool) {
    let world = World::new(pool).await;
    let catalog = Catalog::load(None).expect("presets");
    app::provider::refuse_shadows(&world.pool, &catalog).await.expect("no slug is taken");
    world.execute("UPDATE providers SET slug = 'google', profile = jsonb_set(profile, '{slug}', '\"google\"')").await;
    assert!(app::provider::refuse_shadows(&world.pool, &catalog).await.is_err());
}

#[sqlx::test]
async fn a_refresh_token_has_one_home(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let response = world.token_response(client, "alice").await.to_string();
    let first = world.import_text(client, response.clone()).await.expect("an import");
    let (again, too) = tokio::join!(
        world.import_text(client, response.clone()),
        world.import_text(client, response.clone())
    );
    for second in [again, too] {
        assert!(
            matches!(second, Err(Error::Conflict(it)) if it.why.contains(&first.id.to_string()))
        );
    }
    assert_eq!(world.count("SELECT count(*) FROM connections").await, 1);
    // Once the first is gone the token may come back.
    app::connection::disconnect(&world.app, &world.admin, first.id, false).await.expect("an end");
    world.import_text(client, response).await.expect("a new home");
}

#[sqlx::test]
async fn nobody_puts_another_account_behind_a_live_connection_without_a_name(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let id = world.import(client).await;
    world.execute("UPDATE connections SET account_id = NULL, account_label = NULL").await;
    let alive = app::relink::create(&world.app, &world.admin, id).await;
    assert!(matches!(alive, Err(Error::Conflict(_))));
    world.sandbox.revoke_account("alice");
    world.until_due(id).await;
    world.tick().await;
    app::relink::create(&world.app, &world.admin, id).await.expect("a link for a dead one");
}
