//! Keys: they rotate under living data, they belong to one master key, and what they seal opens in
//! its own place only.

use secrecy::ExposeSecret;
use sqlx::{AssertSqlSafe, PgPool, Row};
use time::Duration;
use uuid::Uuid;

use crate::{
    domain::{attempt::Verdict, connection::State},
    server::{
        app::{
            self, Actor, App,
            demo::{Life, Plan},
            keys,
        },
        secret::{
            master::MasterKey,
            seal::{self, MAX_AGE, MAX_USES},
        },
    },
    tests::support::{World, master_key},
};

/// Which data keys sealed what is stored now.
async fn key_ids(world: &World) -> Vec<i32> {
    let sql = "SELECT sealed_access_token FROM token_sets WHERE sealed_access_token IS NOT NULL
               UNION ALL SELECT sealed_refresh_token FROM token_sets WHERE sealed_refresh_token IS NOT NULL
               UNION ALL SELECT sealed_client_secret FROM clients WHERE sealed_client_secret IS NOT NULL
               UNION ALL SELECT sealed_next_secret FROM clients WHERE sealed_next_secret IS NOT NULL";
    let rows = sqlx::query(sql).fetch_all(&world.pool).await.unwrap();
    let mut ids: Vec<i32> =
        rows.iter().filter_map(|row| seal::key_id(row.get::<&[u8], _>(0))).collect();
    assert_eq!(ids.len(), rows.len());
    ids.sort_unstable();
    ids.dedup();
    ids
}

async fn access_token(app: &App, id: Uuid) -> String {
    let token = app::connection::token(app, &Actor::System, id, Duration::ZERO).await;
    token.unwrap().access_token.expose_secret().to_owned()
}

fn other_master() -> MasterKey {
    MasterKey::parse(&"ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=".into()).unwrap()
}

async fn opens(world: &World, master: &MasterKey) -> anyhow::Result<()> {
    keys::open(&world.pool, master, world.rng.as_ref(), world.now()).await.map(drop)
}

#[sqlx::test]
async fn a_new_data_key_takes_over_and_everything_is_sealed_anew(pool: PgPool) {
    let world = World::new(pool).await;
    let second = world.replica("second").await;
    let client = world.client("one", |_| {}).await;
    let id = world.import(client).await;
    let token = access_token(&world.app, id).await;
    let next = crate::tests::support::SECRET.into();
    app::client::rehearsal::set(&world.app, &world.admin, client, next).await.unwrap();
    let old = key_ids(&world).await;
    let new = keys::rotate(&world.app, &Actor::Operator).await.unwrap();
    assert_eq!(old.len(), 1);
    assert!(new > old[0]);
    let entries = world.audit("key.rotate").await;
    assert_eq!((entries.len(), &*entries[0].actor_kind), (1, "operator"));
    // The old key still opens; the new one seals.
    assert_eq!(access_token(&world.app, id).await, token);
    let other = world.import_of(client, "bob").await;
    assert_eq!(key_ids(&world).await, [old[0], new]);
    // A replica that was there before it gets it when it needs it.
    let others = access_token(&world.app, other).await;
    assert_eq!(access_token(&second, other).await, others);

    assert_eq!(reseal_all(&world.app).await, 2, "one token set and one client's secrets");
    assert_eq!(key_ids(&world).await, [new]);
    for app in [&world.app, &second, &world.replica("third").await] {
        assert_eq!(access_token(app, id).await, token);
        assert_eq!(access_token(app, other).await, others);
    }
    // The client's secret and the refresh token are what they were, too.
    let first = "SELECT fingerprint FROM token_sets WHERE generation = 1 AND connection_id = $1";
    let stored: String = sqlx::query_scalar(first).bind(id).fetch_one(&world.pool).await.unwrap();
    world.until_due(id).await;
    world.until_due(other).await;
    assert_eq!(app::refresh::run_due(&second, 10).await.unwrap(), 2);
    assert_eq!((world.generation(id).await, world.generation(other).await), (2, 2));
    // Fingerprints have a key of their own: one token has one, before and after.
    let attempt = world.attempts(id).await.pop().unwrap();
    assert_eq!(attempt.fingerprint_before, Some(stored));
}

async fn reseal_all(app: &App) -> usize {
    let mut total = 0;
    loop {
        match keys::reseal_some(app).await.expect("what opens is sealed anew") {
            0 => return total,
            some => total += some,
        }
    }
}

/// What moves one bit of the access tokens that a condition chooses.
fn damage(which: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!(
        "UPDATE token_sets SET sealed_access_token =
             set_byte(sealed_access_token, 20, get_byte(sealed_access_token, 20) # 1)
         WHERE {which}"
    ))
}

#[sqlx::test]
async fn what_does_not_open_keeps_nothing_else_from_being_sealed_anew(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let (hurt, whole) = (world.import(client).await, world.import_of(client, "bob").await);
    let token = access_token(&world.app, whole).await;
    let hurts = format!("connection_id = '{hurt}'");
    sqlx::query(damage(&hurts)).execute(&world.pool).await.unwrap();
    let old = key_ids(&world).await[0];
    let new = keys::rotate(&world.app, &Actor::Operator).await.unwrap();
    assert_eq!(keys::count_left(&world.app).await.unwrap(), 3);
    assert_eq!(reseal_all(&world.app).await, 2, "the other token set and the client's secret");
    assert_eq!(access_token(&world.app, whole).await, token);
    // It is not said to be done, and the value waits as it was for whoever can mend it.
    assert_eq!(keys::count_left(&world.app).await.unwrap(), 1);
    assert_eq!(key_ids(&world).await, [old, new]);
    sqlx::query(damage(&hurts)).execute(&world.pool).await.unwrap();
    access_token(&world.app, hurt).await;
    // Its refresh token opens, and is sealed anew beside it.
    let keys_of = "SELECT count(*) FROM token_sets
                   WHERE substring(sealed_refresh_token FROM 2 FOR 4) =
                         (SELECT int4send(max(id)) FROM data_keys)";
    assert_eq!(world.count(keys_of).await, 2);
    // Mended, it is found when somebody looks next.
    let started = world.replica("started").await;
    assert_eq!((reseal_all(&started).await, keys::count_left(&started).await.unwrap()), (1, 0));
    assert_eq!(key_ids(&world).await, [new]);
}

#[sqlx::test]
async fn many_that_do_not_open_keep_nothing_else_from_being_sealed_anew(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("crowd", |_| {}).await;
    let life = Life::Even { lifetime: Duration::hours(1), way: 0.1..0.1 };
    let plan = Plan { clients: vec![client], numbers: 0..520, attempts: 1, seed: 1, life };
    app::demo::fill(&world.app, &Actor::Operator, plan).await.expect("sample data");
    sqlx::query(damage("true")).execute(&world.pool).await.unwrap();
    let whole = world.import(client).await;
    keys::rotate(&world.app, &Actor::Operator).await.unwrap();
    assert_eq!(reseal_all(&world.app).await, 2, "one token set and the client's secret");
    assert_eq!(keys::count_left(&world.app).await.unwrap(), 520);
    access_token(&world.app, whole).await;
}

/// A row that somebody has at this moment is passed over, and not forgotten.
#[sqlx::test]
async fn what_is_locked_is_sealed_anew_later(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let id = world.import(client).await;
    keys::rotate(&world.app, &Actor::Operator).await.unwrap();
    let mut other = world.pool.begin().await.unwrap();
    sqlx::query("SELECT FROM token_sets WHERE connection_id = $1 FOR UPDATE")
        .bind(id)
        .execute(&mut *other)
        .await
        .unwrap();
    assert_eq!(reseal_all(&world.app).await, 1, "the client's secret");
    assert_eq!(keys::count_left(&world.app).await.unwrap(), 1);
    other.rollback().await.unwrap();
    assert_eq!(reseal_all(&world.app).await, 1);
    assert_eq!(keys::count_left(&world.app).await.unwrap(), 0);
}

#[sqlx::test]
async fn a_data_key_is_replaced_by_count_and_by_age(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let count = async || {
        keys::maintain(&world.app).await.unwrap();
        world.count("SELECT count(*) FROM data_keys WHERE purpose = 'seal'").await
    };
    assert_eq!(count().await, 1);
    world.import(client).await;
    assert_eq!(count().await, 1);
    let uses = "SELECT uses FROM data_keys WHERE purpose = 'seal'";
    assert!(world.count(uses).await >= 3, "what was sealed is counted");
    let used_up = format!("UPDATE data_keys SET uses = {MAX_USES} WHERE purpose = 'seal'");
    sqlx::query(AssertSqlSafe(used_up)).execute(&world.pool).await.unwrap();
    assert_eq!(count().await, 2);
    assert_eq!(count().await, 2);
    world.pass(MAX_AGE - Duration::seconds(1));
    assert_eq!(count().await, 2);
    world.pass(Duration::seconds(1));
    assert_eq!(count().await, 3);
}

#[sqlx::test]
async fn another_master_key_does_not_start(pool: PgPool) {
    let world = World::new(pool).await;
    let before = "SELECT md5(string_agg(sealed_key::text, ',' ORDER BY id)) FROM data_keys";
    let keys_before: String = world.row(before).await.get(0);
    let refused = opens(&world, &other_master()).await.unwrap_err();
    assert!(format!("{refused:#}").contains("another master key"), "{refused:#}");
    assert!(
        keys::rewrap(&world.pool, &other_master(), &master_key(), world.rng.as_ref(), world.now())
            .await
            .is_err()
    );
    assert_eq!(world.row(before).await.get::<String, _>(0), keys_before);
    opens(&world, &master_key()).await.unwrap();
}

#[sqlx::test]
async fn rewrapping_changes_the_master_key_and_no_sealed_value(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let id = world.import(client).await;
    keys::rotate(&world.app, &Actor::Operator).await.unwrap();
    let token = access_token(&world.app, id).await;
    let sealed = "SELECT md5(string_agg(token_sets::text, ',')) FROM token_sets";
    let before: String = world.row(sealed).await.get(0);
    let rewrapped =
        keys::rewrap(&world.pool, &master_key(), &other_master(), world.rng.as_ref(), world.now())
            .await;
    assert_eq!(rewrapped.unwrap(), 3, "two data keys and the fingerprints' one");
    assert_eq!(world.row(sealed).await.get::<String, _>(0), before);
    assert_eq!(world.audit("key.rewrap").await.len(), 1);
    assert!(opens(&world, &master_key()).await.is_err());
    opens(&world, &other_master()).await.unwrap();
    // A process that runs goes on with the keys it opened, but wraps no new one by the old master.
    assert_eq!(access_token(&world.app, id).await, token);
    assert!(keys::rotate(&world.app, &Actor::Operator).await.is_err());
    opens(&world, &other_master()).await.unwrap();
}

/// Two connections, and what moves a sealed value of one of them elsewhere.
#[sqlx::test]
async fn a_value_moved_elsewhere_does_not_open(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let mine = world.import(client).await;
    let theirs = world.import_of(client, "bob").await;
    let moved = |what: &'static str| {
        let sql = format!(
            "UPDATE token_sets t SET {what} FROM token_sets o
             WHERE t.connection_id = '{mine}' AND o.connection_id = '{theirs}'"
        );
        sqlx::query(AssertSqlSafe(sql)).execute(&world.pool)
    };
    let keep = "CREATE TABLE kept AS SELECT * FROM token_sets";
    world.execute(keep).await;
    for what in [
        "sealed_access_token = o.sealed_access_token",
        "sealed_access_token = t.sealed_refresh_token",
        "sealed_access_token = o.sealed_refresh_token",
        "sealed_access_token = set_byte(t.sealed_access_token, 20, get_byte(t.sealed_access_token, 20) # 1)",
    ] {
        moved(what).await.unwrap();
        let read = world.token(mine, Duration::ZERO).await;
        assert!(matches!(read, Err(app::Error::Internal(_))), "{what}");
        world
            .execute(
                "UPDATE token_sets t SET sealed_access_token = kept.sealed_access_token
             FROM kept WHERE kept.connection_id = t.connection_id",
            )
            .await;
        assert!(world.token(mine, Duration::ZERO).await.is_ok(), "{what}");
    }
    // A refresh token from elsewhere is not even sent, and nothing is condemned for it.
    moved("sealed_refresh_token = o.sealed_refresh_token").await.unwrap();
    let refreshed = app::connection::refresh(&world.app, &world.admin, mine).await;
    assert!(refreshed.is_err());
    assert_eq!(world.refreshes().len(), 0);
    assert_eq!((world.reason(mine).await, world.generation(mine).await), (None, 1));
    assert!(matches!(world.state(mine).await, State::Retrying { .. }));
}

#[sqlx::test]
async fn an_old_generation_put_back_does_not_open(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let id = world.import(client).await;
    world.execute("CREATE TABLE kept AS SELECT * FROM token_sets").await;
    world.execute("CREATE TABLE kept_clients AS SELECT * FROM clients").await;
    let attempt = app::connection::refresh(&world.app, &world.admin, id).await.unwrap();
    assert_eq!(attempt.verdict, Some(Verdict::Refreshed));
    world
        .execute(
            "UPDATE token_sets t SET sealed_access_token = kept.sealed_access_token FROM kept
         WHERE t.generation = 2",
        )
        .await;
    assert!(matches!(world.token(id, Duration::ZERO).await, Err(app::Error::Internal(_))));

    // The same of a client's secret that was replaced.
    let secret = Some("another secret".into());
    app::client::replace_secret(&world.app, &world.admin, client, secret).await.unwrap();
    world
        .execute(
            "UPDATE clients SET sealed_client_secret = kept_clients.sealed_client_secret
         FROM kept_clients WHERE kept_clients.id = clients.id",
        )
        .await;
    let before = world.refreshes().len();
    assert!(app::connection::refresh(&world.app, &world.admin, id).await.is_err());
    assert_eq!(world.refreshes().len(), before, "an old secret is not sent");
}
