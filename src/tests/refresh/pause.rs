//! A pause that the provider asked for holds all of a client's connections up; that is said wherever one
//! of them is looked at or asked for.

use serde_json::json;
use sqlx::PgPool;
use time::Duration;
use uuid::Uuid;

use crate::{
    domain::{
        access::{Role, Scope},
        client,
        connection::{Standing, StateName},
        overview::Scale,
        voice,
    },
    sandbox::Fault,
    server::app::{self, Actor},
    tests::support::World,
};

/// Two connections of one client, whose provider asks for a pause of ten minutes when the first is
/// refreshed; the other is due within it.
async fn paused(world: &World) -> (Uuid, Uuid, Uuid) {
    let client = world.client("one", |_| {}).await;
    let (first, other) = (world.import(client).await, world.import(client).await);
    let end = world.connection(other).await.access_expires_at.expect("an end");
    world.clock.set(end - Duration::minutes(5));
    world.control().set(|settings| settings.retry_after = 600);
    world.control().fail_next(Fault::RateLimited, 1);
    app::connection::refresh(&world.app, &world.admin, first).await.expect("an attempt");
    assert_eq!(world.state(other).await.name(), StateName::Active);
    (client, first, other)
}

async fn count(world: &World, standing: Standing) -> i64 {
    let overview = app::overview::get(&world.app, &Actor::System, Scale::Day).await;
    overview.expect("the overview").count(standing)
}

#[sqlx::test]
async fn a_reader_is_told_when_the_pause_ends(pool: PgPool) {
    let world = World::new(pool).await;
    let (client, _, other) = paused(&world).await;
    let program = world.program(&[Scope::Admin]).await;
    world.pass(Duration::minutes(6));
    let asked = world.sandbox.log().len();
    let page = program.get(&format!("/connections/{other}/token")).await;
    assert_eq!(page.refusal(), (503, "provider_unavailable".into()));
    let until = world.client_now(client).await.paused_until.expect("a pause");
    let wait: i64 = page.header("retry-after").parse().expect("seconds");
    let left = (until - world.now()).whole_seconds();
    assert!((left..=left + 1).contains(&wait), "{wait} of {left}");
    assert!(page.text.contains("asked for a pause until"), "{}", page.text);
    assert!(!page.text.contains("could not be refreshed"), "nobody tried: {}", page.text);
    assert_eq!(world.sandbox.log().len(), asked);
    let seen = program.get(&format!("/connections/{other}")).await.ok();
    assert!(seen["client_paused_until"].is_string(), "{seen}");
}

#[sqlx::test]
async fn what_comes_due_meanwhile_is_not_said_to_be_alive(pool: PgPool) {
    let world = World::new(pool).await;
    let (client, _, other) = paused(&world).await;
    let until = world.client_now(client).await.paused_until.expect("a pause");
    let one = world.connection(other).await;
    assert_eq!(one.standing(world.now()), Standing::Paused);
    assert_eq!(voice::next(&one, world.now()), voice::Next::Wait);
    // The very one that was refused is tried again by itself, at the end of the pause.
    assert_eq!(count(&world, Standing::Paused).await, 1);
    assert_eq!(count(&world, Standing::Alive).await, 0);
    let mut admin = world.sign_in(Role::Admin).await;
    for page in ["/".to_owned(), format!("/connections/{other}")] {
        let shown = admin.get(&page).await.text;
        assert!(shown.contains("asked for a pause") || shown.contains("for a pause:"), "{shown}");
        assert!(shown.contains(&format!("/clients/{client}#pause")), "{page}: {shown}");
        assert!(shown.contains(&voice::exact(until)), "{page}: {shown}");
        assert!(!shown.contains("about to refresh"), "{shown}");
    }
    assert!(admin.get(&format!("/clients/{client}")).await.text.contains("id=\"pause\""));
    world.pass(Duration::minutes(8));
    let shown = admin.get(&format!("/connections/{other}")).await.text;
    assert!(shown.contains("Its access token ended 3 minutes ago"), "{shown}");
    let refused = admin.call("connection/refresh", &[("id", &other.to_string())]).await;
    assert!(refused.problem().message.contains(&voice::exact(until)), "{}", refused.text);
    // Whoever ends the pause sees it alive again.
    assert_eq!(admin.call("incident/resume", &[("id", &client.to_string())]).await.status, 200);
    world.control().clear();
    app::connection::refresh(&world.app, &world.admin, other).await.expect("a token");
    assert_eq!(world.connection(other).await.standing(world.now()), Standing::Alive);
    assert_eq!(count(&world, Standing::Paused).await, 0);
}

/// What is not due before the end of the pause lives on as if nothing had been.
#[sqlx::test]
async fn what_is_due_later_is_alive(pool: PgPool) {
    let world = World::new(pool).await;
    let (client, _, other) = paused(&world).await;
    sqlx::query("UPDATE connections SET due_at = $2 WHERE id = $1")
        .bind(other)
        .bind(world.now() + Duration::hours(1))
        .execute(&world.pool)
        .await
        .unwrap();
    assert_eq!(world.connection(other).await.standing(world.now()), Standing::Alive);
    assert_eq!(count(&world, Standing::Alive).await, 1);
    assert_eq!(count(&world, Standing::Paused).await, 0);
    let program = world.program(&[Scope::Admin]).await;
    let overview = program.get("/overview").await.ok();
    assert_eq!(overview["clients_in_trouble"], json!([]));
    assert_eq!(world.client_now(client).await.state, client::StateName::Ready);
}
