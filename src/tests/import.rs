//! Many connections at once: whole batches, no row twice, no row's trouble another's.

mod columns;
mod ends;
mod lifetimes;
mod nothing;
mod pages;
mod told;

use std::io;

use axum::{
    body::{Body, Bytes},
    http::{Request, StatusCode, header},
};
use futures::channel::mpsc;
use serde_json::{Value, json};
use sqlx::PgPool;
use time::Duration;
use tokio::task::JoinHandle;
use tokio_util::io::StreamReader;
use uuid::Uuid;

use crate::{
    domain::{access::Scope, connection::State, import::Import},
    server::app::{
        self, Actor, App,
        connection::TokenResponse,
        import::{File, Format},
    },
    tests::support::{Page, Program, World, new_connection},
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

/// One of many rows.
fn row(n: usize) -> String {
    line(&n.to_string(), &json!({ "access_token": format!("token-{n}") }))
}

/// An import whose file comes as it is fed.
struct Slow {
    feed: mpsc::UnboundedSender<io::Result<Bytes>>,
    running: JoinHandle<app::Result<Import>>,
}

impl Slow {
    fn begin(app: &App, client: Uuid, bytes: Option<u64>) -> Self {
        let (feed, chunks) = mpsc::unbounded();
        let stream = StreamReader::new(chunks);
        let (format, name) = (Format::Ndjson, None);
        let file = File { format, dry_run: false, name, bytes, stream };
        let app = app.clone();
        let run = async move {
            app::import::run(&app, &Actor::Operator, client, file).await.map(|ended| ended.import)
        };
        Self { feed, running: tokio::spawn(run) }
    }

    fn send(&mut self, text: String) {
        self.feed.unbounded_send(Ok(text.into())).expect("somebody reads");
    }

    /// The file ends, and the import with it.
    async fn finish(self) -> Import {
        drop(self.feed);
        self.running.await.expect("no panic").expect("an import")
    }
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
    let named = "?dry_run=true&file_name=ours.ndjson";
    let tried = send(&program, client, named, kind, file.clone()).await.ok();
    assert_eq!((&tried["imported"], &tried["state"]), (&json!(2), &json!("done")));
    assert_eq!(tried["file_name"], "ours.ndjson");
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
    // The history of each begins with it.
    let mut begun = world.audit("connection.import").await;
    begun.retain(|one| one.action == "connection.import");
    assert_eq!(begun.len(), 2);
    let its = begun.iter().find(|one| one.subject_id == Some(bob.to_string())).expect("bob's");
    assert_eq!(its.subject_label, world.connection(bob).await.name());
    assert_eq!(its.detail, json!({ "client": "Client one", "import": done["id"] }));

    let again = send(&program, client, "", kind, file).await.ok();
    assert_eq!((&again["imported"], &again["skipped"]), (&json!(0), &json!(2)));
    assert_eq!(world.count("SELECT count(*) FROM connections").await, 2);
}

/// Whoever gave up at the provider's page does not keep tokens out, once nobody can consent any more;
/// until then the row says what it waits for.
#[sqlx::test]
async fn an_external_id_that_nobody_can_consent_to_is_free(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let program = world.program(&[Scope::ConnectionsWrite]).await;
    let mut file = String::new();
    for account in ["alice", "bob", "carol"] {
        let begun = app::connection::NewConnection {
            external_id: Some(account.into()),
            ..new_connection(client)
        };
        let (made, _) =
            app::connection::flow::create(&world.app, &world.admin, begun).await.unwrap();
        if account == "carol" {
            app::relink::create(&world.app, &world.admin, made.id).await.unwrap();
        }
        file += &line(account, &world.token_response(client, account).await);
    }
    let kind = "application/x-ndjson";
    let done = send(&program, client, "", kind, file.clone()).await.ok();
    assert_eq!((&done["imported"], &done["failed"]), (&json!(0), &json!(3)));
    let why = "a connection with this external id waits for consent";
    assert_eq!(done["problems"][0]["message"], why, "{done}");

    // Bob is coming back at the last moment, and carol's link works for days.
    world.pass(Duration::minutes(31));
    let coming = "UPDATE flows SET used_at = timestamptz '2026-03-01 12:30:00+00'
                  WHERE connection_id = (SELECT id FROM connections WHERE external_id = 'bob')";
    world.execute(coming).await;
    for query in ["?dry_run=true", ""] {
        let done = send(&program, client, query, kind, file.clone()).await.ok();
        assert_eq!((&done["imported"], &done["failed"]), (&json!(1), &json!(2)), "{query}");
    }
    let alive = "SELECT external_id FROM connections WHERE state = 'active'";
    let alive: Vec<String> = sqlx::query_scalar(alive).fetch_all(&world.pool).await.unwrap();
    assert_eq!(alive, ["alice"]);
    assert_eq!(world.count("SELECT count(*) FROM connections").await, 3);
    assert_eq!(world.audit("connection.delete").await.len(), 1);
}

/// What an incident's end would bring back: a look at a file takes nothing from it, and what is stored takes
/// its own token alone.
#[sqlx::test]
async fn a_dry_run_takes_no_token_from_the_dead(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let other = world.client("other", |_| {}).await;
    let program = world.program(&[Scope::ConnectionsWrite]).await;
    let response = |n: usize| {
        let (access, refresh) = (format!("a{n}"), format!("r{n}"));
        json!({ "access_token": access, "refresh_token": refresh, "expires_in": 3600 })
    };
    let file: String = (0..2).map(|n| line(&n.to_string(), &response(n))).collect();
    send(&program, client, "", "application/x-ndjson", file.clone()).await.ok();
    world
        .execute("UPDATE connections SET state = 'needs_reauth', reason = 'revoked', due_at = NULL")
        .await;
    let held = "SELECT count(*) FROM token_sets WHERE sealed_refresh_token IS NOT NULL";
    let left = "SELECT count(*) FROM token_sets s JOIN connections n ON n.id = s.connection_id
                WHERE sealed_refresh_token IS NOT NULL AND n.state = 'needs_reauth'";
    let done = send(&program, other, "?dry_run=true", "application/x-ndjson", file.clone()).await;
    assert_eq!(done.ok()["imported"], 2);
    assert_eq!((world.count(held).await, world.count(left).await), (2, 2));

    let one = line("0", &response(0));
    assert_eq!(send(&program, other, "", "application/x-ndjson", one).await.ok()["imported"], 1);
    assert_eq!((world.count(held).await, world.count(left).await), (2, 1));
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
        row(json!({ "external_id": "a\u{0}b", "token_response": { "access_token": token } })),
        row(json!({ "scopes": ["a\u{0}b"], "token_response": { "access_token": token } })),
        row(
            json!({ "obtained_at": "0000-01-01T00:00:00Z", "token_response": { "access_token": token } }),
        ),
        row(
            json!({ "external_id": "14", "token_response": { "access_token": token, "refresh_token": "first-refresh-token" } }),
        ),
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
        (11, "external_id"),
        (12, "scopes"),
        (13, "obtained_at"),
        (14, "token_response"),
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

/// Other programs keep tokens under names of their own. What is not read would live for ever in our eyes, and die
/// unseen.
#[sqlx::test]
async fn a_token_or_an_expiry_by_another_name_is_told(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let program = world.program(&[Scope::ConnectionsWrite]).await;
    let file = [
        json!({ "access_token": "a", "refresh_token": "b", "expires_at": 1_795_000_000 }),
        json!({ "access_token": "a", "refreshToken": "SECRET", "expires_in": 3600 }),
        json!({ "access_token": "a", "token": { "expiry": "2026-11-27T00:00:00Z" } }),
        // Nothing is amiss here: what is looked for is there, or says that there is none.
        json!({ "access_token": "a", "refresh_token": "c", "expires_in": 3600, "expires_at": 1 }),
        json!({ "access_token": "a", "expires_at": null, "refreshToken": "" }),
    ];
    let file: String = (0..).zip(&file).map(|(n, row)| line(&format!("row {n}"), row)).collect();
    let told = send(&program, client, "", "application/x-ndjson", file).await.ok();
    assert_eq!((&told["imported"], &told["failed"]), (&json!(2), &json!(3)), "{told}");
    let problems = told["problems"].as_array().unwrap();
    for (problem, name) in problems.iter().zip(["expires_at", "refreshToken", "token/expiry"]) {
        assert_eq!(problem["field"], "token_response");
        assert!(problem["message"].as_str().unwrap().contains(&format!("\"{name}\"")), "{problem}");
    }
    assert!(!told.to_string().contains("SECRET"));
    // One by one, the tokens may be the last there are: they are taken, and what is odd is said.
    let text = r#"{"access_token":"a","refreshToken":"d","expires_in":3600}"#.to_owned();
    let response = TokenResponse::from_text(text, None);
    let (_, odd) =
        app::connection::import_text(&world.app, &world.admin, new_connection(client), response)
            .await
            .unwrap();
    assert!(odd[0].message.contains("\"refreshToken\""), "{odd:?}");
}

#[sqlx::test]
async fn what_stands_twice_is_told_however_far_apart(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let program = world.program(&[Scope::ConnectionsWrite]).await;
    let row = |id: usize, token: usize| {
        line(
            &id.to_string(),
            &json!({ "access_token": "a", "refresh_token": format!("r-{token}") }),
        )
    };
    let mut file: String = (0..1100).map(|n| row(n, n)).collect();
    file += &(row(3, 5000) + &row(5000, 3) + &row(5001, 5001));
    for (dry_run, imported) in [("?dry_run=true", 1101), ("", 1101)] {
        let done = send(&program, client, dry_run, "application/x-ndjson", file.clone()).await.ok();
        assert_eq!((&done["imported"], &done["failed"]), (&json!(imported), &json!(2)), "{done}");
        let told: Vec<_> = done["problems"].as_array().unwrap().iter().collect();
        let places: Vec<_> = told.iter().map(|each| (&each["row"], &each["field"])).collect();
        let wanted = [(json!(1101), json!("external_id")), (json!(1102), json!("token_response"))];
        assert!(told.iter().all(|each| each["line"] == each["row"]), "{told:?}");
        assert_eq!(places, wanted.iter().map(|(row, field)| (row, field)).collect::<Vec<_>>());
    }
    assert_eq!(world.count("SELECT count(*) FROM connections").await, 1101);
    let sets = "SELECT count(*) FROM token_sets WHERE sealed_refresh_token IS NOT NULL";
    assert_eq!(world.count(sets).await, 1101);
}

#[sqlx::test]
async fn of_many_problems_the_first_are_kept_and_all_are_counted(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let program = world.program(&[Scope::ConnectionsWrite]).await;
    let long = "x".repeat(100_000);
    let bad = |n: usize| {
        format!(
            "{}\n",
            json!({ "external_id": if n == 0 { &long } else { "b" }, "token_response": {} })
        )
    };
    let file: String = (0..1600).map(bad).collect();
    let done = send(&program, client, "", "application/x-ndjson", file).await.ok();
    assert_eq!((&done["failed"], &done["rows"]), (&json!(1600), &json!(1600)));
    let problems = done["problems"].as_array().unwrap();
    let rows: Vec<_> = problems.iter().filter_map(|each| each["row"].as_i64()).collect();
    // The first row has two.
    assert_eq!(rows, std::iter::once(1).chain(1..=999).collect::<Vec<_>>());
    assert!(done.to_string().len() < 200_000, "no row fills the answer");
}

/// PostgreSQL's JSON has no NUL. What is told of a row must not cost the rows beside it.
#[sqlx::test]
async fn a_row_that_holds_a_nul_costs_no_other(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let program = world.program(&[Scope::ConnectionsWrite]).await;
    let bad = [
        json!({ "external_id": "a\0a", "token_response": {}, "la\0bel": 1 }),
        json!({ "external_id": "b\0b", "token_response": {}, "tags": 7 }),
        json!({ "external_id": "c\0c", "token_response": { "access_token": "c" } }),
        json!({ "external_id": "d", "token_response": { "access_token": "d" }, "variables": { "x\0y": "z" } }),
    ];
    let file: String = bad.map(|row| format!("{row}\n")).concat() + &row(1);
    let done = send(&program, client, "", "application/x-ndjson", file).await.ok();
    assert_eq!((&done["state"], &done["imported"]), (&json!("done"), &json!(1)), "{done}");
    let told: Vec<_> = done["problems"].as_array().unwrap().iter().collect();
    let of = |each: &Value, name: &str| each[name].as_str().unwrap().to_owned();
    let mut ids: Vec<_> = told.iter().map(|each| of(each, "external_id")).collect();
    ids.dedup();
    assert_eq!(ids, ["aa", "bb", "cc", "d"]);
    let fields: Vec<_> = told.iter().map(|each| of(each, "field")).collect();
    for field in ["label", "tags", "external_id", "variables.xy", "token_response"] {
        assert!(fields.iter().any(|one| one == field), "{field}: {done}");
    }

    let csv = "external_id,token_response\ne\0e,no\nf,\"{\"\"access_token\"\":\"\"f\"\"}\"\n";
    let done = send(&program, client, "", "text/csv", csv).await.ok();
    assert_eq!((&done["state"], &done["imported"]), (&json!("done"), &json!(1)), "{done}");
    assert_eq!(done["problems"][0]["external_id"], "ee", "{done}");
}

/// However long rows are, no batch is.
#[sqlx::test]
async fn long_rows_are_stored_few_at_a_time(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let program = world.program(&[Scope::ConnectionsWrite]).await;
    let token = "x".repeat(200_000);
    let file: String =
        (0..60).map(|n| line(&n.to_string(), &json!({ "access_token": token }))).collect();
    let bytes = file.len();
    let done = send(&program, client, "", "application/x-ndjson", file).await.ok();
    assert_eq!((&done["imported"], &done["read_bytes"]), (&json!(60), &json!(bytes)));
    assert_eq!(world.audit("connection.import_many").await.len(), 3);
}

#[sqlx::test]
async fn what_stood_before_a_break_stays_and_the_rest_can_follow(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let program = world.program(&[Scope::ConnectionsWrite]).await;
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
