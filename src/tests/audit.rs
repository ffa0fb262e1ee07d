//! The audit log: found, told in words, and taken away.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use serde_json::{Value, json};
use sqlx::PgPool;
use time::{Duration, format_description::well_known::Rfc3339};

use crate::{
    domain::{
        access::{Role, Scope},
        attempt::Verdict,
        audit::{AuditEntry, AuditFilter},
    },
    sandbox::Hold,
    server::{
        app::{self, Actor},
        store,
    },
    tests::support::World,
};

#[sqlx::test]
async fn the_log_is_taken_away_as_it_is_filtered(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let id = world.import(client).await;
    let reader = world.program(&[Scope::AuditRead]).await;
    let rows = reader.get(&format!("/exports/audit?action=connection&subject={id}")).await;
    assert_eq!(rows.header("content-type"), "application/x-ndjson");
    let row: Value = serde_json::from_str(rows.text.trim()).expect("one row");
    assert_eq!(row["action"], "connection.import");
    let table = reader.get("/exports/audit?format=csv&action=client.create").await.text;
    let lines: Vec<&str> = table.lines().collect();
    let row = reader.get("/exports/audit?action=client.create").await.text;
    let row: Value = serde_json::from_str(row.trim()).expect("one row");
    let cells = csv::Reader::from_reader(table.as_bytes())
        .deserialize::<BTreeMap<String, String>>()
        .next()
        .expect("one row")
        .expect("a row of cells");
    assert_eq!(cells.len(), row.as_object().unwrap().len());
    for (name, cell) in cells {
        match &row[&name] {
            Value::String(text) => assert_eq!(*text, cell, "{name}"),
            other => assert_eq!(other.to_string(), cell, "{name}"),
        }
    }
    assert!(lines.len() == 2 && lines[1].contains(",client.create,"), "{table}");
    // Who took it stands in it from then on.
    assert_eq!(world.audit("audit.export").await.len(), 3);
    let other = world.program(&[Scope::ConnectionsRead]).await;
    assert_eq!(other.get("/exports/audit").await.status, StatusCode::FORBIDDEN);

    let mut auditor = world.sign_in(Role::Auditor).await;
    let file = auditor.get("/download/audit.csv?action=client.").await;
    assert_eq!(file.text.lines().count(), 2);
    assert!(file.header("content-disposition").contains("audit.csv"));
    let mut support = world.sign_in(Role::Support).await;
    assert_eq!(support.get("/download/audit.csv").await.status, StatusCode::FORBIDDEN);
}

#[sqlx::test]
async fn a_stretch_of_time_has_its_beginning_and_not_its_end(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let mut moments = Vec::new();
    for _ in 0..3 {
        // Between two milliseconds, which is finer than an id tells.
        world.pass(Duration::microseconds(60_000_400));
        world.import(client).await;
        moments.push(world.audit("connection.import").await[0].at);
    }
    let reader = world.program(&[Scope::AuditRead]).await;
    let at = |at: usize| moments[at].format(&Rfc3339).unwrap();
    for (query, expected) in [
        (format!("from={}", at(1)), vec![2, 1]),
        (format!("before={}", at(1)), vec![0]),
        (format!("from={}&before={}", at(0), at(2)), vec![1, 0]),
        (format!("from={}&before={}", at(1), at(1)), vec![]),
    ] {
        let page = reader.get(&format!("/audit?action=connection.import&{query}")).await.ok();
        let found: Vec<&str> = page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["at"].as_str().unwrap())
            .collect();
        let expected: Vec<String> = expected.into_iter().map(at).collect();
        assert_eq!(found, expected, "{query}");
    }
}

#[sqlx::test]
async fn the_page_says_in_words_what_was_done(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    world.import(client).await;
    let mut auditor = world.sign_in(Role::Auditor).await;
    let page = auditor.get("/audit?action=connection.").await;
    assert!(page.text.contains("Imported a connection"), "{}", page.text);
    assert!(page.text.contains("/download/audit.csv?action=connection."), "{}", page.text);
    assert!(!page.text.contains("Registered a client"), "{}", page.text);
}

/// It is written all the same, once it can be.
#[sqlx::test]
async fn whoever_asked_for_a_refresh_does_not_wait_long_for_the_log(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let id = world.import(client).await;
    world.control().hold(Hold::BeforeAnswering);
    let asked = tokio::spawn({
        let (app, admin) = (world.app.clone(), world.admin.clone());
        async move { app::connection::refresh(&app, &admin, id).await }
    });
    world.control().until_held(1).await;
    let mut holder = world.pool.begin().await.unwrap();
    sqlx::query("LOCK TABLE audit IN SHARE MODE").execute(&mut *holder).await.unwrap();
    world.control().release();
    let came = tokio::time::timeout(std::time::Duration::from_secs(20), asked).await;
    let attempt = came.expect("an answer").unwrap().unwrap();
    assert_eq!(attempt.verdict, Some(Verdict::Refreshed));
    assert!(world.audit("connection.refreshed").await.is_empty());
    holder.rollback().await.unwrap();
    let told = "SELECT count(*) FROM audit WHERE action = 'connection.refreshed'";
    world.until_count(told, 1).await;
}

/// Who asked is told before the answer comes, and what came of it after.
#[sqlx::test]
async fn what_came_of_a_refresh_that_was_asked_for_is_told(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let id = world.import(client).await;
    let ends = r#"{ "access_token": "a", "expires_in": 3600 }"#;
    let never = world.import_text(client, ends.into()).await.unwrap().id;
    let program = world.program(&[Scope::ConnectionsRefresh]).await;
    let reader = world.program(&[Scope::AuditRead]).await;
    let refresh = async |id, status| {
        let page = program.press(&format!("/connections/{id}/refresh")).await;
        assert_eq!(page.status, status, "{}", page.text);
        let from = world.now().format(&Rfc3339).unwrap();
        world.pass(Duration::seconds(1));
        let entries = reader.get(&format!("/audit?action=connection.refresh&from={from}")).await;
        let items = entries.ok()["items"].as_array().unwrap().clone();
        assert_eq!(items.len(), 2, "{items:?}");
        assert!(items.iter().any(|one| one["action"] == "connection.refresh"), "{items:?}");
        let came = items.into_iter().find(|one| one["action"] != "connection.refresh").unwrap();
        (came["action"].to_string(), came["detail"].clone())
    };
    let (action, detail) = refresh(id, StatusCode::OK).await;
    assert_eq!(action, "\"connection.refreshed\"");
    assert_eq!(detail["outcome"], "refreshed");
    world.sandbox.revoke_account("alice");
    for (id, status, outcome) in [
        (id, StatusCode::OK, "condemned"),
        (id, StatusCode::CONFLICT, "reauth_required"),
        (never, StatusCode::CONFLICT, "not_renewable"),
    ] {
        let (action, detail) = refresh(id, status).await;
        assert_eq!(action, "\"connection.refresh_failed\"");
        assert_eq!(detail["outcome"], outcome, "{detail}");
        let said = if outcome == "condemned" { "provider_said" } else { "why" };
        assert!(detail[said].is_string(), "{detail}");
        // A sentence, whatever the outcome; the code of a death stands beside it.
        let is_told = |why: &str| why.contains(' ') && why.ends_with('.');
        assert!(detail["why"].as_str().is_none_or(is_told), "{detail}");
        let reason = if outcome == "reauth_required" { json!("revoked") } else { Value::Null };
        assert_eq!(detail["reason"], reason);
    }
    let file = reader.get("/exports/audit?format=csv&action=connection.refresh_failed").await.text;
    assert!(file.lines().count() == 4 && file.contains("not_renewable"), "{file}");
    let mut auditor = world.sign_in(Role::Auditor).await;
    let page = auditor.get(&format!("/connections/{never}")).await.text;
    assert!(page.contains("Asked for a refresh that came to nothing"), "{page}");
}

/// Whoever waited for a refresh that somebody else had begun did not make it.
#[sqlx::test]
async fn who_joined_a_refresh_is_not_told_to_have_made_it(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let id = world.import(client).await;
    world.control().hold(Hold::BeforeAnswering);
    let ask = |actor: Actor| {
        let app = world.app.clone();
        tokio::spawn(async move { app::connection::refresh(&app, &actor, id).await })
    };
    let first = ask(world.admin.clone());
    world.control().until_held(1).await;
    let second = ask(Actor::Operator);
    // Both are in the log before either has its answer.
    let asked = "SELECT count(*) FROM audit WHERE action = 'connection.refresh'";
    world.until_count(asked, 2).await;
    world.control().release();
    for asked in [first, second] {
        assert_eq!(asked.await.unwrap().unwrap().verdict, Some(Verdict::Refreshed));
    }
    let who = async |action: &str| {
        let done = world.audit(action).await;
        done.into_iter().map(|entry| entry.actor_kind).collect::<Vec<_>>()
    };
    assert_eq!(world.generation(id).await, 2, "one was made");
    assert_eq!(who("connection.refreshed").await, ["user"]);
    assert_eq!(who("connection.refresh_joined").await, ["operator"]);
}

/// What is asked for of relinks is read by index, however much else was done.
#[sqlx::test]
async fn what_is_about_relinks_is_found_past_all_else(pool: PgPool) {
    let world = World::new(pool).await;
    // One of each, far apart, and much between them that is neither.
    world
        .execute(
            "INSERT INTO audit (id, at, actor_kind, actor_label, action, subject_id, subject_label, detail)
             SELECT ('01900000-0000-7000-8000-' || lpad(to_hex(at), 12, '0'))::uuid, now(),
                    CASE WHEN at % 4000 = 1 THEN 'relink' ELSE 'user' END, 'somebody',
                    CASE WHEN at % 4000 = 2 THEN 'relink.create' WHEN at % 4000 = 1 THEN 'connection.reauthorized'
                         ELSE 'connection.update' END, 'one', '', '{}'
             FROM generate_series(1, 20000) at",
        )
        .await;
    world.execute("ANALYZE audit").await;
    for action in ["relink", "relink."] {
        let mut tx = world.pool.begin().await.unwrap();
        let read = "SELECT (seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint
                    FROM pg_stat_xact_user_tables WHERE relname = 'audit'";
        let before: i64 = sqlx::query_scalar(read).fetch_one(&mut *tx).await.unwrap();
        let filter = AuditFilter { action: Some(action.into()), ..AuditFilter::default() };
        let found = store::audit::list(&mut tx, &filter, None, 50).await.unwrap();
        let rows: i64 = sqlx::query_scalar(read).fetch_one(&mut *tx).await.unwrap();
        assert_eq!(found.len(), 10);
        assert!(found.is_sorted_by(|one, other| one.id > other.id));
        let by_link = found.iter().filter(|one| one.actor_kind == "relink").count();
        assert_eq!(by_link, 5);
        assert!(rows - before < 60, "{} rows are read", rows - before);
        // From one on, and of one subject.
        let rest = store::audit::list(&mut tx, &filter, Some(found[3].id), 2).await.unwrap();
        let ids = |entries: &[AuditEntry]| entries.iter().map(|one| one.id).collect::<Vec<_>>();
        assert_eq!(ids(&rest), ids(&found[4..6]));
        let other = AuditFilter { subject: Some("two".into()), ..filter };
        assert!(store::audit::list(&mut tx, &other, None, 50).await.unwrap().is_empty());
    }
}
