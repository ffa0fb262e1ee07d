//! The page of a connection hears what becomes of it, and of no other.

use sqlx::PgPool;
use uuid::Uuid;

use crate::{
    domain::{access::Role, relink::CreatedRelink},
    server::app,
    tests::support::{Ear, PASSWORD, World},
};

/// Who listens to the database.
const LISTENERS: &str = "SELECT count(*) FROM pg_stat_activity
     WHERE datname = current_database() AND query LIKE 'LISTEN%regrant_live%'";

/// Hears until this is said.
async fn until(ear: &mut Ear, topic: &str) {
    let said = format!("data: {topic}\n");
    while !ear.next().await.expect("more").contains(&said) {}
}

#[sqlx::test]
async fn a_page_hears_what_becomes_of_its_connection(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let mut admin = world.sign_in(Role::Admin).await;
    let id = world.connect(&mut admin, client, "alice").await;
    let other = world.connect(&mut admin, client, "bob").await;
    let (of, another) = (id.to_string(), other.to_string());
    let listening = world.app.clone();
    let listener = tokio::spawn(async move { app::live::listen(&listening).await });
    world.until_count(LISTENERS, 1).await;
    let mut ear = admin.listen(&of).await;
    let mut ear_of_another = admin.listen(&another).await;
    let mut ear_of_none = admin.listen("").await;
    // Whatever was on its way by then comes before this.
    world.execute("NOTIFY regrant_live, 'relinks'").await;
    for ear in [&mut ear, &mut ear_of_another, &mut ear_of_none] {
        until(ear, "relinks").await;
    }

    // By hand, and by the worker, to which the other one is due as well.
    app::connection::refresh(&world.app, &world.admin, id).await.expect("a refresh");
    until(&mut ear, "connection").await;
    assert!(ear_of_another.is_silent() && ear_of_none.is_silent());
    world.until_due(id).await;
    world.tick().await;
    until(&mut ear, "connection").await;

    // What lists show too is said to all.
    let renamed = [("id", of.as_str()), ("label", "Alice's"), ("external_id", ""), ("tags", "")];
    admin.call("connection/update", &renamed).await.json::<serde_json::Value>();
    until(&mut ear, "connection").await;
    until(&mut ear_of_none, "connections").await;
    admin.call("connection/pause", &[("id", &of)]).await;
    until(&mut ear, "connection").await;
    until(&mut ear_of_another, "connections").await;
    until(&mut ear_of_none, "connections").await;

    let relink: CreatedRelink = admin.call("connection/relink", &[("id", &another)]).await.json();
    until(&mut ear_of_another, "connection").await;
    world.browser().get(&relink.url).await;
    until(&mut ear_of_another, "connection").await;
    listener.abort();
}

#[sqlx::test]
async fn the_page_says_what_it_listens_to(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let mut admin = world.sign_in(Role::Admin).await;
    let id: Uuid = world.connect(&mut admin, client, "alice").await;
    let page = admin.get(&format!("/connections/{id}")).await.text;
    assert!(page.contains(&format!("data-of=\"{id}\"")), "{page}");
    assert!(page.contains("data-topic=\"connection clients\""), "{page}");
    // It says aloud when it is old, or waits for somebody.
    let aloud = "<div aria-live=\"polite\" data-kept=\"\" class=\"aloud\"><p hidden class=\"";
    for said in ["stale", "held"] {
        assert!(page.contains(&format!("{aloud}{said}\"")), "{said}: {page}");
    }
    let list = admin.get("/connections").await.text;
    // The list of a busy house does not load itself all the time.
    assert!(list.contains("data-topic=\"connections clients\" data-pace=\"5000\""), "{list}");
}

/// Nobody opens so many pages; whoever does is told.
#[sqlx::test]
async fn one_session_hears_in_so_many_pages_and_no_more(pool: PgPool) {
    let world = World::new(pool).await;
    let mut admin = world.sign_in(Role::Admin).await;
    let mut ears = Vec::new();
    for _ in 0..60 {
        ears.push(admin.listen("").await);
    }
    let refused = admin.get("/live").await;
    assert_eq!(refused.status, 429);
    assert!(refused.text.contains("60 pages are open"), "{}", refused.text);
    // Each session has its own.
    let mut elsewhere = world.browser();
    elsewhere.sign_in("admin", PASSWORD).await;
    elsewhere.listen("").await;
    ears.pop();
    admin.listen("").await;
}
