//! However an import ends, it says so, and the file can be sent again.

use serde_json::json;
use sqlx::PgPool;
use time::Duration;

use super::{Slow, line, row, send};
use crate::{
    domain::{
        access::{Role, Scope},
        import::ImportState,
    },
    server::app,
    tests::support::World,
};

const RUNNING: &str = "SELECT count(*) FROM imports WHERE state = 'running'";

#[sqlx::test]
async fn one_whose_process_died_is_called_broken_and_can_be_sent_again(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let program = world.program(&[Scope::ConnectionsWrite]).await;
    let file: String = (0..700).map(row).collect();
    let dying = world.replica("dying").await;
    let mut slow = Slow::begin(&dying, client, None);
    slow.send(file.clone());
    world.until_count("SELECT coalesce(max(imported), 0) FROM imports", 500).await;
    // From now on nothing is heard of it.
    world.pass(Duration::minutes(1));
    assert_eq!(app::import::end_silent(&world.app).await.unwrap(), 0, "it may still live");
    world.pass(Duration::minutes(2));
    assert_eq!(app::import::end_silent(&world.app).await.unwrap(), 1);
    assert_eq!(app::import::end_silent(&world.app).await.unwrap(), 0);

    let page = world.sign_in(Role::Support).await.get(&format!("/clients/{client}/import")).await;
    let told = "It broke off: the Regrant process that read it ended. Send the same file again: rows \
                whose external id is here are skipped. So far: 500 of 500 rows imported.";
    assert!(page.text.contains(told), "{}", page.text);
    let again = send(&program, client, "", "application/x-ndjson", file).await.ok();
    assert_eq!((&again["imported"], &again["skipped"]), (&json!(200), &json!(500)));
    assert_eq!(world.count("SELECT count(*) FROM connections").await, 700);
}

/// A replica that was only cut off from the database finds that its import is another's business now.
#[sqlx::test]
async fn one_that_was_called_broken_stores_nothing_more(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let mut slow = Slow::begin(&world.app, client, None);
    slow.send((0..500).map(row).collect::<String>());
    world.until_count("SELECT coalesce(max(imported), 0) FROM imports", 500).await;
    world.pass(Duration::minutes(3));
    assert_eq!(app::import::end_silent(&world.app).await.unwrap(), 1);
    slow.send((500..1000).map(row).collect::<String>());
    let ended = slow.finish().await;
    assert_eq!((ended.state, ended.imported), (ImportState::Broken, 500));
    assert_eq!(world.count("SELECT count(*) FROM connections").await, 500);
    assert_eq!(world.audit("connection.import_many").await.len(), 1);
}

/// Its rows are tokens of the client that it was.
#[sqlx::test]
async fn a_client_that_changes_under_an_import_gets_no_rows_of_it(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let mut slow = Slow::begin(&world.app, client, None);
    world.until_count(RUNNING, 1).await;
    world.execute("UPDATE clients SET oauth_client_id = 'another'").await;
    slow.send((0..10).map(row).collect::<String>());
    let ended = slow.finish().await;
    assert_eq!(ended.state, ImportState::Broken);
    assert_eq!(ended.detail.as_deref(), Some("the client's settings changed meanwhile"));
    assert_eq!(world.count("SELECT count(*) FROM connections").await, 0);
}

/// A file may come again when its tokens were refreshed since: sent again, they would end what lives.
#[sqlx::test]
async fn what_was_replaced_here_is_not_taken_once_more(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let response = world.token_response(client, "alice").await;
    let file = format!("{}\n", json!({ "token_response": response }));
    let program = world.program(&[Scope::ConnectionsWrite]).await;
    let told = send(&program, client, "", "application/x-ndjson", file.clone()).await.ok();
    assert_eq!(told["imported"], json!(1), "{told}");
    let id =
        app::connection::list(&world.app, &world.admin, &Default::default(), &Default::default())
            .await
            .unwrap()
            .page
            .items[0]
            .id;
    app::connection::refresh(&world.app, &world.admin, id).await.expect("a refresh");
    let told = send(&program, client, "", "application/x-ndjson", file.clone()).await.ok();
    assert_eq!((&told["imported"], &told["failed"]), (&json!(0), &json!(1)), "{told}");
    let alone = app::connection::import(
        &world.app,
        &world.admin,
        crate::tests::support::new_connection(client),
        &response,
        None,
    );
    assert!(matches!(alone.await, Err(app::Error::Conflict(_))));
    world.pass(Duration::hours(1));
    world.tick().await;
    assert_eq!(world.generation(id).await, 3);
    // What was disconnected keeps no token from anybody.
    app::connection::disconnect(&world.app, &world.admin, id, false).await.unwrap();
    let told = send(&program, client, "", "application/x-ndjson", file).await.ok();
    assert_eq!(told["imported"], json!(1), "{told}");
}

#[sqlx::test]
async fn a_batch_is_a_sign_of_life(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let mut slow = Slow::begin(&world.app, client, None);
    for n in 0..3 {
        slow.send((n * 500..(n + 1) * 500).map(row).collect::<String>());
        world
            .until_count("SELECT coalesce(max(imported), 0) / 500 FROM imports", n as i64 + 1)
            .await;
        world.pass(Duration::seconds(90));
        assert_eq!(app::import::end_silent(&world.app).await.unwrap(), 0);
    }
    assert_eq!(slow.finish().await.state, ImportState::Done);
}

/// Nobody waits at a stop for a file that does not come on.
#[sqlx::test]
async fn a_stop_ends_an_import_whose_file_stalls(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let stopping = world.replica("stopping").await;
    let slow = Slow::begin(&stopping, client, None);
    world.until_count(RUNNING, 1).await;
    stopping.drain().await;
    let ended = slow.finish().await;
    assert_eq!(ended.state, ImportState::Broken);
    assert_eq!(ended.detail.as_deref(), Some("Regrant was stopped"));
}

/// Each file under way holds a thread that sign-ins and look-ups need too.
#[sqlx::test]
async fn one_too_many_at_once_is_refused_before_it_is_read(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let program = world.program(&[Scope::ConnectionsWrite]).await;
    let places = app::import::UPLOADS;
    let mut slow: Vec<_> = (0..places).map(|_| Slow::begin(&world.app, client, None)).collect();
    for (n, slow) in slow.iter_mut().enumerate() {
        slow.send(row(100 + n));
    }
    world.until_count(RUNNING, places as i64).await;
    let page = send(&program, client, "", "application/x-ndjson", row(1)).await;
    assert_eq!(page.refusal(), (503, "unavailable".into()), "{}", page.text);
    assert!(page.headers.contains_key("retry-after") && page.text.contains("8 imports"));
    assert_eq!(world.count("SELECT count(*) FROM imports").await, places as i64);

    assert_eq!(slow.remove(0).finish().await.state, ImportState::Done);
    let done = send(&program, client, "", "application/x-ndjson", row(1)).await.ok();
    assert_eq!(done["imported"], 1);
    for slow in slow {
        assert_eq!(slow.finish().await.state, ImportState::Done);
    }
}

#[sqlx::test]
async fn two_imports_of_one_file_at_once_make_each_connection_once(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let rows: Vec<String> = (0..1500)
        .map(|n| {
            let response = json!({ "access_token": "a", "refresh_token": format!("r-{n}") });
            line(&n.to_string(), &response)
        })
        .collect();
    let other = world.replica("other").await;
    let mut there = Slow::begin(&world.app, client, None);
    let mut back = Slow::begin(&other, client, None);
    there.send(rows.concat());
    back.send(rows.iter().rev().cloned().collect::<String>());
    let (there, back) = (there.finish().await, back.finish().await);
    for ended in [&there, &back] {
        assert_eq!((ended.state, ended.rows), (ImportState::Done, 1500), "{ended:?}");
    }
    assert_eq!(there.imported + back.imported, 1500);
    for table in ["connections", "token_sets"] {
        let sql = if table == "connections" {
            "SELECT count(*) FROM connections"
        } else {
            "SELECT count(DISTINCT fingerprint) FROM token_sets"
        };
        assert_eq!(world.count(sql).await, 1500, "{table}");
    }
}
