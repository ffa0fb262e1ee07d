//! Point 4: once an answer is read, it is saved, whatever the database does meanwhile, and a
//! shutdown waits for it.

use futures::future::join_all;
use sqlx::PgPool;
use time::{Duration, OffsetDateTime};

use crate::{
    domain::connection::{Reason, State},
    sandbox::{Fault, Hold},
    server::{
        app::{self, refresh::LEASE},
        worker,
    },
    tests::support::World,
};

/// How the database fails while it fails, and how often it has.
const AWAY: [&str; 2] = [
    "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
     $$ BEGIN PERFORM nextval('refusals'); RAISE EXCEPTION 'away'; END $$",
    "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
     $$ BEGIN PERFORM nextval('refusals'); PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$",
];
const REFUSALS: &str = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM refusals";

async fn saved_late(pool: PgPool, away: &'static str, then: &'static str, answer: Option<Fault>) {
    let world = World::new(pool).await;
    let client = world.client("strict", |_| {}).await;
    let id = world.import(client).await;
    world.until_due(id).await;
    world.control().hold(Hold::BeforeProcessing);
    let begun = app::refresh::begin_due(&world.app, 10).await.unwrap();
    world.control().until_held(1).await;
    world.execute("CREATE SEQUENCE refusals").await;
    world.execute(away).await;
    world.execute(then).await;
    if let Some(fault) = answer {
        world.control().fail_next(fault, 1);
    }
    world.control().release();
    world.until_count(REFUSALS, 2).await;
    world.execute("DROP FUNCTION refuse CASCADE").await;
    join_all(begun).await;

    assert_eq!(world.refreshes().len(), 1);
    assert_eq!(world.attempts(id).await.len(), 1);
    if answer.is_some() {
        assert_eq!(world.reason(id).await, Some(Reason::Revoked));
        assert_eq!(world.audit("connection.condemned").await.len(), 1);
        return;
    }
    assert_eq!(world.state(id).await, State::Active);
    // What was saved late is what the provider gave: it refreshes again.
    world.until_due(id).await;
    world.tick().await;
    assert_eq!(world.generation(id).await, 3);
}

const ON_TOKEN_SETS: &str =
    "CREATE TRIGGER away BEFORE INSERT ON token_sets FOR EACH ROW EXECUTE FUNCTION refuse()";
const ON_ATTEMPTS: &str =
    "CREATE TRIGGER away BEFORE UPDATE ON attempts FOR EACH ROW EXECUTE FUNCTION refuse()";

#[sqlx::test]
async fn a_grant_is_saved_when_the_database_takes_it_again(pool: PgPool) {
    saved_late(pool, AWAY[0], ON_TOKEN_SETS, None).await;
}

#[sqlx::test]
async fn a_grant_is_saved_although_connections_break(pool: PgPool) {
    saved_late(pool, AWAY[1], ON_TOKEN_SETS, None).await;
}

#[sqlx::test]
async fn a_verdict_is_saved_when_the_database_takes_it_again(pool: PgPool) {
    saved_late(pool, AWAY[0], ON_ATTEMPTS, Some(Fault::InvalidGrant)).await;
}

#[sqlx::test]
async fn a_shutdown_waits_for_refreshes_in_flight(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("strict", |_| {}).await;
    let (id, other) = (world.import(client).await, world.import(client).await);
    world.until_due(id).await;
    world.control().hold(Hold::BeforeAnswering);
    app::refresh::begin_due(&world.app, 1).await.unwrap();
    world.control().until_held(1).await;
    let stopping = world.app.clone();
    let stopped = tokio::spawn(async move { stopping.drain().await });
    // A look at the database gives the shutdown all the time it could want to end too early.
    world.app.stopping().cancelled().await;
    assert_eq!(world.generation(id).await, 1);
    assert!(!stopped.is_finished());
    // Nothing new begins, by worker or by button.
    world.pass(time::Duration::hours(1));
    assert_eq!(world.tick().await, 0);
    let pressed = app::connection::refresh(&world.app, &world.admin, other).await;
    assert!(matches!(pressed, Err(app::Error::ProviderUnavailable { .. })));

    world.control().release();
    stopped.await.unwrap();
    assert_eq!(world.generation(id).await, 2);
    assert_eq!(world.state(id).await, State::Active);
    assert_eq!(world.refreshes().len(), 1);
}

/// A drain may take longer than a lease: nobody is to take over what is under way here.
#[sqlx::test]
async fn a_process_that_drains_keeps_its_leases(pool: PgPool) {
    let world = World::new(pool).await;
    let second = world.replica("second").await;
    let client = world.client("strictest", |_| {}).await;
    let id = world.import(client).await;
    world.until_due(id).await;
    world.control().hold(Hold::BeforeAnswering);
    app::refresh::begin_due(&world.app, 1).await.unwrap();
    world.control().until_held(1).await;
    let stopping = world.app.clone();
    let stopped = tokio::spawn(async move { stopping.drain().await });
    world.app.stopping().cancelled().await;

    world.pass(LEASE - Duration::seconds(1));
    let ends = async || -> OffsetDateTime {
        let ends = "SELECT leased_until FROM connections";
        sqlx::query_scalar(ends).fetch_one(&world.pool).await.unwrap()
    };
    let prolonged = world.now() + LEASE;
    assert_ne!(ends().await, prolonged);
    let keeping = tokio::spawn(worker::keep_leases(world.app.clone()));
    let patience = std::time::Duration::from_secs(20);
    let kept = async {
        while ends().await != prolonged {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(patience, kept).await.expect("a lease that is prolonged");
    world.pass(LEASE - Duration::seconds(1));
    assert_eq!(app::refresh::run_due(&second, 10).await.unwrap(), 0);
    assert!(!stopped.is_finished());
    world.control().release();
    stopped.await.unwrap();
    keeping.abort();
    assert_eq!((world.state(id).await, world.generation(id).await), (State::Active, 2));
    assert_eq!(world.refreshes().len(), 1);
}

/// Whoever asked may go away; what they began goes on to its end.
#[sqlx::test]
async fn a_caller_who_leaves_does_not_take_the_refresh_along(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("strict", |_| {}).await;
    let id = world.import(client).await;
    world.control().hold(Hold::BeforeAnswering);
    let (app, admin) = (world.app.clone(), world.admin.clone());
    let caller =
        tokio::spawn(async move { app::connection::refresh(&app, &admin, id).await.map(drop) });
    world.control().until_held(1).await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    world.control().release();
    world.app.drain().await;
    assert_eq!(world.generation(id).await, 2);
}

/// A database that takes longer than anyone waits for it gets its work done, once, and keeps no
/// connection.
#[sqlx::test]
async fn a_slow_save_goes_on_although_nobody_waits_for_it(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("strict", |_| {}).await;
    let id = world.import(client).await;
    world.until_due(id).await;
    world.control().hold(Hold::BeforeProcessing);
    let begun = app::refresh::begin_due(&world.app, 10).await.unwrap();
    world.control().until_held(1).await;
    for slow in SLOW {
        world.execute(slow).await;
    }
    world.control().release();
    // One transaction goes on that nobody waits for any more, and the next offer waits for it.
    world.until_count(WAITING, 2).await;
    world.execute("INSERT INTO done DEFAULT VALUES").await;
    join_all(begun).await;
    let by = "SELECT sum(try)::bigint FROM tries";
    assert_eq!(world.count(by).await, 1, "the first transaction has done it, and no other");
    assert_eq!((world.state(id).await, world.generation(id).await), (State::Active, 2));
    let attempts = world.attempts(id).await;
    assert_eq!(attempts.len(), 1);
    assert_eq!(attempts[0].verdict, Some(crate::domain::attempt::Verdict::Refreshed));
    assert_eq!(world.refreshes().len(), 1);
}

/// A database that takes until it is told to be done; which of the tries has stored what.
const SLOW: [&str; 5] = [
    "CREATE SEQUENCE try",
    "CREATE TABLE tries (try bigint)",
    "CREATE TABLE done (at timestamptz DEFAULT now())",
    "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
     $$ BEGIN
         INSERT INTO tries VALUES (nextval('try'));
         WHILE NOT EXISTS (SELECT FROM done) LOOP PERFORM pg_sleep(0.01); END LOOP;
         RETURN NEW;
     END $$",
    "CREATE TRIGGER slow BEFORE INSERT ON token_sets FOR EACH ROW EXECUTE FUNCTION slow()",
];
const WAITING: &str = "SELECT count(*) FROM pg_stat_activity
                       WHERE datname = current_database() AND (wait_event_type = 'Lock' OR wait_event = 'PgSleep')";

/// Somebody else's transaction keeps a few rows: what else is stored with them does not wait.
#[sqlx::test]
async fn rows_that_somebody_keeps_hold_up_no_others(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("strict", |_| {}).await;
    let mut ids = Vec::new();
    for _ in 0..12 {
        ids.push(world.import(client).await);
    }
    world.pass(time::Duration::hours(1));
    world.control().hold(Hold::BeforeProcessing);
    let begun = app::refresh::begin_due(&world.app, 20).await.unwrap();
    world.control().until_held(12).await;
    let mut other = world.pool.begin().await.unwrap();
    let keep = "SELECT FROM connections WHERE id = ANY ($1) FOR UPDATE";
    sqlx::query(keep).bind(&ids[..3]).execute(&mut *other).await.unwrap();
    // All are answered before the first is stored: two go by themselves, the others together.
    let turns = world.app.writing().acquire_many_owned(4).await.unwrap();
    world.control().release();
    while world.app.flights().answered().len() < 12 {
        tokio::task::yield_now().await;
    }
    drop(turns);
    world.until_count("SELECT count(*) FROM connections WHERE generation = 2", 9).await;
    other.rollback().await.unwrap();
    join_all(begun).await;
    world.until_count("SELECT count(*) FROM connections WHERE generation = 2", 12).await;
    assert_eq!(world.refreshes().len(), 12);
}

/// All groups of a process count in the same few rows: none keeps another from its connections.
#[sqlx::test]
async fn what_is_counted_holds_nothing_up(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("strict", |_| {}).await;
    let (id, other) = (world.import(client).await, world.import(client).await);
    app::connection::refresh(&world.app, &world.admin, other).await.unwrap();
    let mut counting = world.pool.begin().await.unwrap();
    let kept = "SELECT FROM client_windows FOR UPDATE";
    assert_eq!(sqlx::query(kept).execute(&mut *counting).await.unwrap().rows_affected(), 1);
    let pressed = app::connection::refresh(&world.app, &world.admin, id).await.unwrap();
    assert_eq!(pressed.verdict, Some(crate::domain::attempt::Verdict::Refreshed));
    assert_eq!(world.generation(id).await, 2);
    counting.rollback().await.unwrap();
}
