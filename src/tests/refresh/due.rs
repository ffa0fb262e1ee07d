//! Point 12: what is due is found by index; what waits for its client waits; what renews itself
//! does.

use serde_json::Value;
use sqlx::{AssertSqlSafe, PgPool, Postgres, Row, postgres::PgArguments, query::Query};
use time::Duration;
use uuid::Uuid;

use crate::{
    domain::{
        client::{self, ClientPatch},
        connection::State,
    },
    server::app,
    tests::support::World,
};

/// One of our queries as it was compiled: the one that has all of these parts, device codes apart.
fn compiled(parts: &[&str]) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/.sqlx");
    let texts = std::fs::read_dir(folder).unwrap().map(|entry| {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let query: Value = serde_json::from_str(&text).unwrap();
        query["query"].as_str().unwrap().to_owned()
    });
    let is_it = |text: &String| {
        parts.iter().all(|part| text.contains(part)) && !text.contains("device_codes")
    };
    let mut found: Vec<String> = texts.filter(is_it).collect();
    assert_eq!(found.len(), 1, "{parts:?}");
    found.remove(0)
}

/// Every node of a plan.
fn nodes(plan: &Value) -> Vec<&Value> {
    let below = plan["Plans"].as_array().into_iter().flatten();
    std::iter::once(plan).chain(below.flat_map(nodes)).collect()
}

async fn explain<'q>(
    world: &World,
    query: String,
    bind: impl FnOnce(Query<'q, Postgres, PgArguments>) -> Query<'q, Postgres, PgArguments>,
) -> Value {
    let mut tx = world.pool.begin().await.unwrap();
    let explain = format!("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {query}");
    let row = bind(sqlx::query(AssertSqlSafe(explain))).fetch_one(&mut *tx).await.unwrap();
    let plan: Value = row.get(0);
    tx.rollback().await.unwrap();
    plan[0]["Plan"].clone()
}

/// What the worker does at each look: which clients have something due, and their leases.
async fn look(world: &World) -> [Value; 2] {
    let now = world.now();
    let clients: Vec<Uuid> =
        sqlx::query_scalar("SELECT id FROM clients").fetch_all(&world.pool).await.unwrap();
    let rooms = vec![32_i32; clients.len()];
    let due = compiled(&["paused_until", "EXISTS", "due_at <= coalesce"]);
    let claim = compiled(&["SKIP LOCKED", "due_at", "row_number"]);
    [
        explain(world, due, |query| query.bind(now)).await,
        explain(world, claim, |query| {
            query
                .bind(Uuid::from_u128(1))
                .bind(now)
                .bind(60.0)
                .bind(clients)
                .bind(rooms)
                .bind(64_i64)
                .bind(true)
                .bind(Vec::<Uuid>::new())
        })
        .await,
    ]
}

/// How many pages a look touches.
fn pages(plan: &Value) -> i64 {
    plan["Shared Hit Blocks"].as_i64().unwrap() + plan["Shared Read Blocks"].as_i64().unwrap()
}

const TWENTY_THOUSAND_MORE: &str = "
    INSERT INTO connections (id, client_id, grant_type, state, state_since, due_at, created_at, updated_at)
    SELECT gen_random_uuid(), client_id, grant_type, state, state_since, due_at + interval '1 day',
           created_at, updated_at
    FROM connections, generate_series(1, 5000)";

#[sqlx::test]
async fn a_look_costs_what_is_due_and_not_what_is_stored(pool: PgPool) {
    let world = World::new(pool).await;
    let mut ids = Vec::new();
    for name in ["a", "b"] {
        let client = world.client(name, |_| {}).await;
        for _ in 0..2 {
            ids.push(world.import(client).await);
        }
    }
    world.execute(TWENTY_THOUSAND_MORE).await;
    assert_eq!(world.count("SELECT count(*) FROM connections").await, 20_004);
    world.pass(Duration::minutes(9));
    // A row that is claimed gets an entry in each index, each three pages deep; and some are read to find it.
    let indexes = "SELECT count(*) FROM pg_indexes WHERE tablename = 'connections'";
    let most = (3 * world.count(indexes).await + 20) * i64::try_from(ids.len()).unwrap();
    let stored = world.count("SELECT pg_relation_size('connections') / 8192").await;
    assert!(most < stored, "{most} pages tell nothing beside {stored}");
    for statistics in ["SELECT 1", "ANALYZE"] {
        world.execute(statistics).await;
        for plan in look(&world).await {
            let nodes = nodes(&plan);
            for node in &nodes {
                let scans = node["Node Type"].as_str().unwrap().contains("Seq Scan");
                assert!(!scans || node["Relation Name"] != "connections", "{plan:#}");
            }
            assert!(nodes.iter().any(|node| node["Index Name"] == "connections_due"), "{plan:#}");
            assert!(pages(&plan) < most, "{} pages of {most}: {plan:#}", pages(&plan));
        }
    }
    assert_eq!(world.tick().await, 4);
    for id in ids {
        assert_eq!(world.generation(id).await, 2);
    }
    // With nothing due, a look touches next to nothing.
    for plan in look(&world).await {
        assert!(pages(&plan) < 20, "{} pages: {plan:#}", pages(&plan));
    }
}

#[sqlx::test]
async fn the_connections_of_a_client_that_is_not_ready_wait(pool: PgPool) {
    let world = World::new(pool).await;
    let (off, on) = (world.client("off", |_| {}).await, world.client("on", |_| {}).await);
    let (waits, goes_on) = (world.import(off).await, world.import(on).await);
    let switch = async |disabled| {
        let patch = ClientPatch { disabled: Some(disabled), ..ClientPatch::default() };
        app::client::update(&world.app, &world.admin, off, patch, None).await.unwrap()
    };
    assert_eq!(switch(true).await.state, client::StateName::Disabled);
    world.pass(Duration::hours(1));
    assert_eq!(world.tick().await, 1);
    assert_eq!((world.generation(waits).await, world.generation(goes_on).await), (1, 2));
    let pressed = app::connection::refresh(&world.app, &world.admin, waits).await;
    assert!(matches!(pressed, Err(app::Error::Conflict(_))));
    assert_eq!(world.refreshes().len(), 1);

    for state in ["incident", "credentials_rejected"] {
        let set = format!("UPDATE clients SET state = '{state}' WHERE state = 'disabled'");
        sqlx::query(AssertSqlSafe(set)).execute(&world.pool).await.unwrap();
        assert_eq!(world.tick().await, 0, "{state}");
        world.execute("UPDATE clients SET state = 'disabled' WHERE state <> 'ready'").await;
    }

    assert_eq!(switch(false).await.state, client::StateName::Ready);
    world.pass(Duration::minutes(2));
    world.tick().await;
    assert_eq!(world.generation(waits).await, 2);
}

#[sqlx::test]
async fn client_credentials_renew_themselves(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("machine", |_| {}).await;
    let new = crate::tests::support::new_connection(client);
    let made =
        app::connection::grant_client_credentials(&world.app, &world.admin, new).await.unwrap();
    assert!(!made.has_refresh_token);
    assert_eq!(made.needs_human_by, None);
    for generation in 2..5 {
        world.until_due(made.id).await;
        assert_eq!(world.tick().await, 1);
        let connection = world.connection(made.id).await;
        assert_eq!((connection.state, connection.generation), (State::Active, generation));
        assert!(connection.access_expires_at.unwrap() > world.now());
    }
    assert_eq!(world.refreshes().len(), 0);
    assert_eq!(world.sandbox.log().len(), 4);
}

#[sqlx::test]
async fn what_is_dead_or_disconnected_is_left_alone(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let (dead, gone) = (world.import(client).await, world.import_of(client, "bob").await);
    world.sandbox.revoke_account("alice");
    app::connection::disconnect(&world.app, &world.admin, gone, false).await.unwrap();
    world.pass(Duration::hours(1));
    assert_eq!(world.tick().await, 1);
    world.pass(Duration::days(400));
    assert_eq!(world.tick().await, 0);
    for id in [dead, gone] {
        assert!(app::connection::refresh(&world.app, &world.admin, id).await.is_err());
        assert!(world.token(id, Duration::ZERO).await.is_err());
    }
    assert_eq!(world.refreshes().len(), 1);
}
