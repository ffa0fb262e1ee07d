//! Lists as files.

use secrecy::ExposeSecret;
use serde_json::Value;
use sqlx::PgPool;
use time::Duration;

use crate::{
    domain::{
        access::{Role, Scope},
        connection::ConnectionPatch,
    },
    server::app,
    tests::support::World,
};

#[sqlx::test]
async fn what_is_filtered_is_taken_away_without_a_token(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let one = world.import(client).await;
    world.import_of(client, "bob").await;
    let odd = ConnectionPatch { label: Some("=HYPERLINK(1)".into()), ..ConnectionPatch::default() };
    app::connection::update(&world.app, &world.admin, one, odd).await.unwrap();
    let reader = world.program(&[Scope::ConnectionsRead]).await;
    let rows = reader.get("/exports/connections?owner=alice").await;
    assert_eq!(rows.header("content-type"), "application/x-ndjson");
    let row: Value = serde_json::from_str(rows.text.trim()).expect("one row");
    assert_eq!((&row["label"], &row["standing"]), (&"=HYPERLINK(1)".into(), &"alive".into()));
    // The file speaks the filter's words.
    world.execute("UPDATE clients SET state = 'credentials_rejected'").await;
    let refused = reader.get("/exports/connections?owner=alice&standing=client-refused").await;
    assert!(refused.text.contains(r#""standing":"client-refused""#), "{}", refused.text);
    world.execute("UPDATE clients SET state = 'ready'").await;
    let table = reader.get("/exports/connections?format=csv&sort=label").await.text;
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("id,label,external_id,"), "{table}");
    assert_eq!(lines.len(), 3);
    assert!(table.contains(&format!("{one},'=HYPERLINK(1),")), "{table}");
    let token = world.token(one, Duration::ZERO).await.unwrap().access_token;
    assert!(!table.contains(token.expose_secret()) && !rows.text.contains(token.expose_secret()));
    assert_eq!(world.audit("connection.export").await.len(), 3);

    let mut auditor = world.sign_in(Role::Auditor).await;
    let file = auditor.get("/download/connections.csv?owner=bob").await;
    assert_eq!(file.text.lines().count(), 2);
    assert!(file.header("content-disposition").contains("connections.csv"));
    assert_eq!(auditor.get("/download/connections.exe").await.status, 404);
    assert_eq!(world.browser().get("/download/connections.csv").await.status, 303);
}

/// More than one batch, each row once.
#[sqlx::test]
async fn a_long_list_is_whole(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let plan = app::demo::Plan {
        clients: vec![client],
        numbers: 0..1203,
        attempts: 1,
        seed: 1,
        life: app::demo::Life::Grown,
    };
    app::demo::fill(&world.app, &app::Actor::Operator, plan).await.unwrap();
    let reader = world.program(&[Scope::ConnectionsRead]).await;
    let rows = reader.get("/exports/connections?sort=expires").await.text;
    let ids: std::collections::BTreeSet<String> = rows
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].to_string())
        .collect();
    assert_eq!((rows.lines().count(), ids.len()), (1203, 1203));
}

#[sqlx::test]
async fn a_filter_keeps_its_name_for_whoever_gave_it(pool: PgPool) {
    let world = World::new(pool).await;
    let mut admin = world.sign_in(Role::Admin).await;
    let mut auditor = world.sign_in(Role::Auditor).await;
    let form = [("name", "Dead ones"), ("filter", r#"{"state":"needs_reauth","sort":"label"}"#)];
    assert_eq!(admin.call("saved_filter/create", &form).await.status, 200);
    let twice = admin.call("saved_filter/create", &[("name", "dead ONES"), form[1]]).await;
    assert!(twice.problem().field("name").is_some());
    let list = admin.get("/connections").await.text;
    assert!(
        list.contains("Dead ones") && list.contains("/connections?state=needs_reauth"),
        "{list}"
    );
    assert!(!auditor.get("/connections").await.text.contains("Dead ones"));
    let program = world.program(&[Scope::ConnectionsRead]).await;
    let body = serde_json::json!({ "name": "Dead ones", "filter": { "tag": "eu" } });
    let saved = program.post("/saved-filters", &body).await.ok();
    assert_eq!(saved["filter"]["tag"], "eu");
    let path = format!("/saved-filters/{}", saved["id"].as_str().unwrap());
    let other = world.program(&[Scope::ConnectionsRead]).await;
    assert_eq!(other.delete(&path).await.status, 404);
    assert_eq!(program.delete(&path).await.status, 204);
    assert_eq!(program.get("/saved-filters").await.ok()["items"], serde_json::json!([]));
}
