//! What a form made is shown once, by the page that follows it, whatever other pages of the same person do
//! meanwhile.

use axum::http::StatusCode;
use futures::future::join;
use sqlx::PgPool;
use time::Duration;

use crate::{
    domain::access::Role,
    server::app,
    tests::support::{Browser, World},
};

const FORM: [(&str, &str); 2] = [("name", "planted"), ("scopes[0]", "audit:read")];
/// What stands beside the text of a key.
const KEY: &str = "Keep it now: it is not shown again";

async fn make_key(admin: &mut Browser) {
    let made = admin.submit("api_key/create", &FORM).await;
    assert_eq!(made.status, StatusCode::FOUND, "{}", made.text);
}

#[sqlx::test]
async fn a_look_takes_nothing(pool: PgPool) {
    let world = World::new(pool).await;
    let mut admin = world.sign_in(Role::Admin).await;
    make_key(&mut admin).await;
    assert!(!admin.look("/api-keys").await.text.contains(KEY));
    assert!(admin.get("/api-keys").await.text.contains(KEY));
    assert!(!admin.get("/api-keys").await.text.contains(KEY), "once");
}

/// A page of another window, which read the session before and is sent after.
#[sqlx::test]
async fn a_page_that_is_under_way_writes_over_nothing(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let mut admin = world.sign_in(Role::Admin).await;
    let mut window = admin.clone();
    let mut tx = world.pool.begin().await.unwrap();
    sqlx::query("LOCK TABLE clients").execute(&mut *tx).await.unwrap();
    let page = format!("/clients/{client}");
    let making = async {
        let waits = "SELECT count(*) FROM pg_stat_activity
                     WHERE datname = current_database() AND wait_event_type = 'Lock'";
        world.until_count(waits, 1).await;
        make_key(&mut admin).await;
        tx.commit().await.unwrap();
    };
    let (seen, ()) = join(window.get(&page), making).await;
    assert_eq!(seen.status, StatusCode::OK);
    assert!(admin.get("/api-keys").await.text.contains(KEY));
}

#[sqlx::test]
async fn what_one_form_made_is_nothing_to_another_page(pool: PgPool) {
    let world = World::new(pool).await;
    let clients = [world.client("one", |_| {}).await, world.client("two", |_| {}).await];
    let mut admin = world.sign_in(Role::Admin).await;
    for client in clients {
        admin.submit("client/check", &[("id", &*client.to_string())]).await;
    }
    make_key(&mut admin).await;
    // Two of a kind, and one of another.
    for client in clients {
        let page = admin.get(&format!("/clients/{client}")).await.text;
        assert!(page.contains("The credentials are accepted"), "{page}");
    }
    make_key(&mut admin).await;
    for _ in 0..2 {
        assert!(admin.get("/api-keys").await.text.contains(KEY));
    }
    assert!(!admin.get("/api-keys").await.text.contains(KEY));
}

#[sqlx::test]
async fn nobody_else_and_no_later_session_gets_it(pool: PgPool) {
    let world = World::new(pool).await;
    let mut admin = world.sign_in(Role::Admin).await;
    make_key(&mut admin).await;
    let mut elsewhere = world.browser();
    elsewhere.sign_in("admin", crate::tests::support::PASSWORD).await;
    assert!(!elsewhere.get("/api-keys").await.text.contains(KEY));
    admin.call("session/logout", &[]).await;
    assert_eq!(world.count("SELECT count(*) FROM notes").await, 0);

    make_key(&mut elsewhere).await;
    let sealed = "SELECT count(*) FROM notes WHERE position('rgk_'::bytea IN sealed_note) = 0";
    assert_eq!(world.count(sealed).await, 1);
    world.pass(Duration::minutes(11));
    assert!(!elsewhere.get("/api-keys").await.text.contains(KEY));
    app::upkeep::sweep(&world.app).await.unwrap();
    assert_eq!(world.count("SELECT count(*) FROM notes").await, 0);
}
