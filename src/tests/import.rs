//! Many connections at once: whole batches, no row twice, no row's trouble another's.

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use serde_json::{Value, json};
use sqlx::PgPool;
use time::Duration;
use uuid::Uuid;

use crate::{
    domain::{
        access::{Role, Scope},
        connection::State,
    },
    tests::support::{Page, Program, World},
};

async fn send(
    program: &Program,
    client: Uuid,
    query: &str,
    kind: &str,
    body: impl Into<Body>,
) -> Page {
    let request = Request::post(format!("/api/v1/clients/{client}/imports{query}"))
        .header(header::CONTENT_TYPE, kind)
        .body(body.into())
        .unwrap();
    program.send(request).await
}

fn line(external_id: &str, response: &Value) -> String {
    format!("{}\n", json!({ "external_id": external_id, "token_response": response }))
}

#[sqlx::test]
async fn a_file_becomes_connections_that_live_and_comes_again_without_harm(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let program = world.program(&[Scope::ConnectionsWrite]).await;
    let mut file = String::new();
    for account in ["alice", "bob"] {
        file += &line(account, &world.token_response(client, account).await);
    }
    let kind = "application/x-ndjson";
    let tried = send(&program, client, "?dry_run=true", kind, file.clone()).await.ok();
    assert_eq!((&tried["imported"], &tried["state"]), (&json!(2), &json!("done")));
    assert_eq!(world.count("SELECT count(*) FROM connections").await, 0);

    let done = send(&program, client, "", kind, file.clone()).await.ok();
    assert_eq!(
        (&done["rows"], &done["imported"], &done["failed"]),
        (&json!(2), &json!(2), &json!(0))
    );
    let find = "SELECT id FROM connections WHERE external_id = 'bob'";
    let bob: Uuid = sqlx::query_scalar(find).fetch_one(&world.pool).await.unwrap();
    let connection = world.connection(bob).await;
    assert_eq!((connection.state, connection.generation), (State::Active, 1));
    assert!(connection.has_refresh_token && connection.due_at.is_some());
    world.token(bob, Duration::ZERO).await.unwrap();
    world.until_due(bob).await;
    world.tick().await;
    assert_eq!(world.generation(bob).await, 2);
    assert_eq!(world.audit("connection.import_many").await.len(), 1);

    let again = send(&program, client, "", kind, file).await.ok();
    assert_eq!((&again["imported"], &again["skipped"]), (&json!(0), &json!(2)));
    assert_eq!(world.count("SELECT count(*) FROM connections").await, 2);
}

#[sqlx::test]
async fn each_trouble_is_told_with_its_row_and_field_and_without_the_token(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let program = world.program(&[Scope::ConnectionsWrite]).await;
    let token = "a-token-that-nobody-should-see";
    let good = json!({ "access_token": token, "refresh_token": "first-refresh-token" });
    let row = |fields: Value| format!("{fields}\n");
    let file = [
        row(json!({ "external_id": "1", "token_response": good })),
        row(json!({ "external_id": "2", "token_response": good })),
        row(json!({ "external_id": "1", "token_response": { "access_token": token } })),
        row(json!({ "external_id": "4", "token_response": { "token": token } })),
        row(
            json!({ "external_id": "5", "obtained_at": "soon", "token_response": { "access_token": token } }),
        ),
        row(
            json!({ "external_id": "6", "obtained_at": "2100-01-01T00:00:00Z", "token_response": { "access_token": token } }),
        ),
        format!("{token}\n"),
        row(json!({ "label": "\n", "token_response": { "access_token": token } })),
        row(json!({ "token_response": { "access_token": token } })),
        row(json!({ "token_response": { "access_token": token, "expires_in": "soon" } })),
    ];
    let done = send(&program, client, "", "application/x-ndjson", file.concat()).await.ok();
    let problems = done["problems"].as_array().unwrap();
    let told: Vec<_> = problems
        .iter()
        .map(|each| (each["row"].as_i64().unwrap(), each["field"].as_str().unwrap()))
        .collect();
    let wanted = [
        (2, "token_response"),
        (3, "external_id"),
        (4, "token_response"),
        (5, "obtained_at"),
        (6, "obtained_at"),
        (7, ""),
        (10, "token_response"),
    ];
    for each in wanted {
        assert!(told.contains(&each), "{each:?} is not in {told:?}");
    }
    assert!(!done.to_string().contains(token));
    assert_eq!(done["failed"], json!(wanted.len()));
    assert_eq!(done["imported"], 3, "{done}");
    let stored = program.get(&format!("/imports/{}", done["id"].as_str().unwrap())).await;
    assert_eq!(stored.status, StatusCode::FORBIDDEN, "writing is not reading");
}

#[sqlx::test]
async fn what_stood_before_a_break_stays_and_the_rest_can_follow(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let program = world.program(&[Scope::ConnectionsWrite]).await;
    let row = |n: usize| line(&n.to_string(), &json!({ "access_token": format!("token-{n}") }));
    let whole: String = (0..1200).map(row).collect();
    let half = whole[..whole.len() / 2].to_owned();
    let chunks = [Ok(half), Err(std::io::Error::other("the browser is gone"))];
    let broken = Body::from_stream(futures::stream::iter(chunks));
    let broken = send(&program, client, "", "application/x-ndjson", broken).await.ok();
    assert_eq!(broken["state"], "broken");
    let first = broken["imported"].as_i64().unwrap();
    assert!((500..700).contains(&first), "{first}");
    let rest = send(&program, client, "", "application/x-ndjson", whole).await.ok();
    assert_eq!((&rest["state"], &rest["skipped"]), (&json!("done"), &json!(first)));
    assert_eq!(world.count("SELECT count(*) FROM connections").await, 1200);
}

#[sqlx::test]
async fn a_csv_does_too_and_another_kind_is_refused(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let program = world.program(&[Scope::ConnectionsWrite]).await;
    let csv = "external_id,label,access_token,expires_in\n7,Seven,secret-token,3600\n";
    let done = send(&program, client, "", "text/csv; charset=utf-8", csv).await.ok();
    assert_eq!(done["imported"], 1, "{done}");
    let id: Uuid =
        sqlx::query_scalar("SELECT id FROM connections").fetch_one(&world.pool).await.unwrap();
    let connection = world.connection(id).await;
    assert_eq!(connection.label, "Seven");
    assert_eq!(connection.access_expires_at, Some(world.now() + Duration::hours(1)));
    let refused = send(&program, client, "", "application/json", "{}").await;
    assert_eq!(refused.refusal().0, 415);
}

#[sqlx::test]
async fn people_send_a_file_from_a_page(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let body = |dry_run: bool| {
        let dry_run = if dry_run {
            "--b\r\nContent-Disposition: form-data; name=\"dry_run\"\r\n\r\ntrue\r\n"
        } else {
            ""
        };
        format!(
            "{dry_run}--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.CSV\"\r\n\r\n\
             external_id,access_token\n1,one-token\n2,\n\r\n--b--\r\n"
        )
    };
    let request = |body: String| {
        Request::post(format!("/upload/import/{client}"))
            .header(header::CONTENT_TYPE, "multipart/form-data; boundary=b")
            .header("sec-fetch-site", "same-origin")
            .body(Body::from(body))
            .unwrap()
    };
    let mut admin = world.sign_in(Role::Admin).await;
    let sent = admin.send(request(body(true))).await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.text);
    let page = admin.get(&sent.location()).await.text;
    assert!(page.contains("Dry run, nothing was stored: 1 of 2 rows would be imported"), "{page}");
    assert_eq!(world.count("SELECT count(*) FROM connections").await, 0);
    let sent = admin.send(request(body(false))).await;
    let page = admin.get(&sent.location()).await.text;
    assert!(page.contains("Done: 1 of 2 rows imported, 1 has a problem."));
    assert!(!page.contains("one-token"));
    for role in [Role::Support, Role::Auditor] {
        let refused = world.sign_in(role).await.send(request(body(false))).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
    }
    let elsewhere = Request::post(format!("/upload/import/{client}"))
        .header("sec-fetch-site", "cross-site")
        .body(Body::empty())
        .unwrap();
    assert_eq!(admin.send(elsewhere).await.status, StatusCode::FORBIDDEN);
    assert_eq!(world.browser().send(request(body(false))).await.location(), "/login");
}

#[sqlx::test]
async fn an_import_is_reached_from_the_list_of_connections(pool: PgPool) {
    let world = World::new(pool).await;
    let one = world.client("one", |_| {}).await;
    let mut admin = world.sign_in(Role::Admin).await;
    let to = |client: Uuid| format!("href=\"/clients/{client}/import\"");
    assert!(admin.get("/connections").await.text.contains(&to(one)), "the only client there is");
    let two = world.client("two", |_| {}).await;
    assert!(admin.get("/connections").await.text.contains("href=\"/connections/import\""));
    let chosen = admin.get(&format!("/connections?client={two}")).await.text;
    assert!(chosen.contains(&to(two)), "{chosen}");
    let page = admin.get("/connections/import").await.text;
    assert!(page.contains(&to(one)) && page.contains(&to(two)), "{page}");
    let mut support = world.sign_in(Role::Support).await;
    assert!(!support.get("/connections").await.text.contains("/import"));
}
