//! Who read a connection's token: counted without a write for each read, and told to whoever may see
//! the connection.

use serde_json::{Value, json};
use sqlx::PgPool;
use time::Duration;
use uuid::Uuid;

use crate::{
    domain::access::{
        Role::{Auditor, Support},
        Scope,
    },
    server::app::{self, Actor, App},
    tests::support::{Questions, World},
};

fn program(id: u128, name: &str) -> Actor {
    Actor::ApiKey { id: Uuid::from_u128(id), name: name.into(), scopes: vec![Scope::TokensRead] }
}

async fn read(app: &App, actor: &Actor, id: Uuid) {
    app::connection::token(app, actor, id, Duration::ZERO).await.expect("a token");
}

async fn flush(world: &World) {
    app::token_reader::flush(&world.app).await.expect("a visit to the database");
}

/// The readers as the API tells them, by name: how often, and how many seconds after the start they
/// read first and last.
async fn readers(world: &World, id: Uuid) -> Vec<(String, i64, i64, i64)> {
    let watcher = world.program(&[Scope::ConnectionsRead]).await;
    let list = watcher.get(&format!("/connections/{id}/readers")).await.ok();
    let after = |at: &Value| {
        let at = at.as_str().expect("a time");
        let format = &time::format_description::well_known::Rfc3339;
        let at = time::OffsetDateTime::parse(at, format).expect("a time");
        (at - crate::tests::support::START).whole_seconds()
    };
    let items = list["items"].as_array().expect("a list").iter();
    let mut told: Vec<_> = items
        .map(|reader| {
            let name = reader["name"].as_str().expect("a name").to_owned();
            let reads = reader["reads"].as_i64().expect("a number");
            (name, reads, after(&reader["first_at"]), after(&reader["last_at"]))
        })
        .collect();
    told.sort();
    told
}

#[sqlx::test]
async fn each_reader_is_counted_by_its_name(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let (one, other) = (world.import(client).await, world.import_of(client, "bob").await);
    let (billing, mailer) = (program(1, "billing"), program(2, "mailer"));
    read(&world.app, &billing, one).await;
    world.pass(Duration::seconds(10));
    read(&world.app, &billing, one).await;
    read(&world.app, &mailer, one).await;
    read(&world.app, &mailer, other).await;
    assert!(readers(&world, one).await.is_empty(), "nothing is written while somebody waits");
    flush(&world).await;
    let said = |name: &str, reads, first, last| (name.to_owned(), reads, first, last);
    assert_eq!(readers(&world, one).await, [said("billing", 2, 0, 10), said("mailer", 1, 10, 10)]);
    assert_eq!(readers(&world, other).await, [said("mailer", 1, 10, 10)]);
    // What comes later is added, by whichever process, and under the name of today.
    let replica = world.replica("second").await;
    world.pass(Duration::seconds(10));
    read(&replica, &program(1, "billing 2"), one).await;
    app::token_reader::flush(&replica).await.expect("a visit to the database");
    flush(&world).await;
    assert_eq!(
        readers(&world, one).await,
        [said("billing 2", 3, 0, 20), said("mailer", 1, 10, 10)]
    );
    // The worker looks after tokens and reads none.
    read(&world.app, &Actor::System, one).await;
    flush(&world).await;
    assert_eq!(world.count("SELECT sum(reads)::bigint FROM token_readers").await, 5);
}

/// Somebody holds a connection: what was read of others is written all the same.
#[sqlx::test]
async fn only_what_is_held_waits(pool: PgPool) {
    let world = World::new(pool.clone()).await;
    let client = world.client("one", |_| {}).await;
    let (held, free) = (world.import(client).await, world.import_of(client, "bob").await);
    // As many as go together in one statement.
    for number in 1..=500 {
        read(&world.app, &program(number, "crowd"), held).await;
    }
    read(&world.app, &program(1, "billing"), free).await;
    let mut tx = pool.begin().await.unwrap();
    sqlx::query("SELECT FROM connections WHERE id = $1 FOR UPDATE")
        .bind(held)
        .execute(&mut *tx)
        .await
        .unwrap();
    assert!(app::token_reader::flush(&world.app).await.is_err());
    assert_eq!(readers(&world, free).await.len(), 1);
    assert!(readers(&world, held).await.is_empty());
    tx.rollback().await.unwrap();
    flush(&world).await;
    assert_eq!(world.count("SELECT count(*) FROM token_readers").await, 501);
}

#[sqlx::test]
async fn a_read_waits_for_no_write(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let admin = world.program(&[Scope::Admin]).await;
    let reader = world.program(&[Scope::TokensRead]).await;
    let connection = admin.import(&world, client).await;
    let token = format!("{connection}/token");
    reader.get(&token).await.ok();
    let questions = Questions::count();
    for _ in 0..10 {
        reader.get(&token).await.ok();
    }
    assert_eq!(questions.so_far(), 10);
    flush(&world).await;
    let list = admin.get(&format!("{connection}/readers")).await.ok();
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&list["items"][0]["reads"], &list["items"][0]["kind"]),
        (&json!(11), &json!("api_key"))
    );
}

/// Who was refused, or got nothing, read nothing.
#[sqlx::test]
async fn only_who_got_the_token_is_a_reader(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let admin = world.program(&[Scope::Admin]).await;
    let watcher = world.program(&[Scope::ConnectionsRead]).await;
    let connection = admin.import(&world, client).await;
    assert_eq!(watcher.get(&format!("{connection}/token")).await.status, 403);
    admin.press(&format!("{connection}/disconnect")).await.ok();
    assert_eq!(admin.get(&format!("{connection}/token")).await.status, 409);
    flush(&world).await;
    assert_eq!(world.count("SELECT count(*) FROM token_readers").await, 0);
}

#[sqlx::test]
async fn a_key_that_is_gone_is_still_named_and_rows_go_with_the_connection(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let id = world.import(client).await;
    read(&world.app, &program(7, "gone since"), id).await;
    flush(&world).await;
    for role in [Support, Auditor] {
        let mut browser = world.sign_in(role).await;
        let page = browser.get(&format!("/connections/{id}")).await;
        assert!(page.text.contains("gone since"), "{role}: {}", page.text);
    }
    // What is read at the last moment is no reason to fail, nor to remember the connection.
    read(&world.app, &program(7, "gone since"), id).await;
    app::connection::delete(&world.app, &world.admin, id, false).await.expect("a deletion");
    flush(&world).await;
    assert_eq!(world.count("SELECT count(*) FROM token_readers").await, 0);
}

/// Counts wait for a database that does not take them, and nobody waits for each other.
#[sqlx::test]
async fn what_can_not_be_written_is_kept(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let id = world.import(client).await;
    read(&world.app, &program(1, "billing"), id).await;
    let mut tx = world.pool.begin().await.unwrap();
    sqlx::raw_sql("LOCK TABLE token_readers IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *tx)
        .await
        .unwrap();
    assert!(app::token_reader::flush(&world.app).await.is_err());
    tx.rollback().await.unwrap();
    world.pass(Duration::seconds(10));
    read(&world.app, &program(1, "billing"), id).await;
    flush(&world).await;
    assert_eq!(readers(&world, id).await, [("billing".to_owned(), 2, 0, 10)]);
}
