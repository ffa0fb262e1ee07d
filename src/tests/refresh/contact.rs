//! Points 1 and 4 by the database's own clock: what a holder left is taken over only when whoever may
//! still hold an answer has had the time to bring it.

use std::sync::atomic::Ordering;

use sqlx::PgPool;
use time::Duration;
use uuid::Uuid;

use crate::{
    domain::{attempt::Trigger, connection::State},
    server::app::{
        self, App,
        refresh::{Ask, claim::One},
    },
    tests::support::{Told, World},
};

/// Connections whose holder's lease is over, by the database's clock.
const ORPHANED: &str = "UPDATE connections SET lease_id = gen_random_uuid(),
     leased_until = clock_timestamp() - interval '1 second', due_at = clock_timestamp()";

async fn orphan(world: &World) -> Uuid {
    let client = world.client("one", |_| {}).await;
    let id = world.import(client).await;
    world.execute(ORPHANED).await;
    id
}

async fn look(app: &App) -> usize {
    app::refresh::run_due(app, 10).await.unwrap()
}

#[sqlx::test]
async fn what_others_left_is_taken_over_after_a_while(pool: PgPool) {
    let world = World::new(pool).await;
    let id = orphan(&world).await;
    let clock = Told::new();
    let app = world.replica_by(clock.clone(), "another").await;
    assert_eq!(look(&app).await, 0, "it has only just come");
    clock.keep_in_touch(&app);
    assert_eq!(look(&app).await, 1);
    assert_eq!((world.state(id).await, world.generation(id).await), (State::Active, 2));

    world.execute(ORPHANED).await;
    clock.pass(60);
    assert_eq!(look(&app).await, 0, "the database was away");
    clock.pass(15);
    assert_eq!(look(&app).await, 0, "it was away again at once");
    clock.keep_in_touch(&app);
    assert_eq!(look(&app).await, 1);
}

/// The holder died, and then the database's clock was set back: its lease seems to last for an hour.
#[sqlx::test]
async fn a_lease_of_another_time_is_over(pool: PgPool) {
    let world = World::new(pool).await;
    let id = orphan(&world).await;
    world
        .execute("UPDATE connections SET leased_until = clock_timestamp() + interval '1 hour'")
        .await;
    world
        .execute("UPDATE clients SET next_request_at = clock_timestamp() + interval '1 hour'")
        .await;
    let clock = Told::new();
    let app = world.replica_by(clock.clone(), "another").await;
    look(&app).await;
    clock.keep_in_touch(&app);
    *clock.off.lock().unwrap() = Duration::hours(-1);
    app::upkeep::check_clock(&app).await.unwrap();
    assert_eq!(look(&app).await, 0, "whoever lives has the time to prolong it");
    assert_eq!(
        world.count("SELECT count(*) FROM clients WHERE next_request_at IS NOT NULL").await,
        0
    );
    for _ in 0..4 {
        clock.keep_in_touch(&app);
    }
    assert_eq!(look(&app).await, 1);
    assert_eq!((world.state(id).await, world.generation(id).await), (State::Active, 2));
}

/// Leases that ended because the clock was set may have holders that live.
#[sqlx::test]
async fn a_jump_of_the_databases_clock_takes_nothing_from_anyone(pool: PgPool) {
    let world = World::new(pool).await;
    orphan(&world).await;
    let clock = Told::new();
    let app = world.replica_by(clock.clone(), "another").await;
    look(&app).await;
    clock.keep_in_touch(&app);
    *clock.off.lock().unwrap() = Duration::hours(-1);
    assert_eq!(look(&app).await, 0);
    for taken in [0, 0, 0, 0, 0, 0, 1] {
        clock.pass(3);
        assert_eq!(look(&app).await, taken);
    }
}

async fn claim_one(app: &App, world: &World, id: Uuid) -> One {
    let connection = world.connection(id).await;
    let (client, generation) = (connection.client_id, connection.generation);
    let ask = Ask::new(Trigger::Manual, &world.admin);
    app::refresh::claim::one(app, id, client, generation, &ask).await.unwrap()
}

/// Whoever asks on demand finds such a jump as well.
#[sqlx::test]
async fn a_jump_takes_nothing_from_anyone_on_demand(pool: PgPool) {
    let world = World::new(pool).await;
    let id = orphan(&world).await;
    let clock = Told::new();
    let app = world.replica_by(clock.clone(), "another").await;
    look(&app).await;
    clock.keep_in_touch(&app);
    *clock.off.lock().unwrap() = Duration::hours(-1);
    for _ in 0..7 {
        assert!(matches!(claim_one(&app, &world, id).await, One::Taken));
        clock.pass(3);
    }
    assert!(matches!(claim_one(&app, &world, id).await, One::Claimed(_)));
}

/// An answer that took long does not tell the time, but it does tell of a jump.
#[sqlx::test]
async fn a_jump_is_seen_through_slow_answers(pool: PgPool) {
    let world = World::new(pool).await;
    orphan(&world).await;
    for (ahead, taken) in [(0, 1), (3600, 0), (-3600, 0)] {
        world.execute(ORPHANED).await;
        let clock = Told::new();
        let app = world.replica_by(clock.clone(), "another").await;
        look(&app).await;
        clock.keep_in_touch(&app);
        clock.each.store(2, Ordering::Relaxed);
        clock.ahead.store(ahead, Ordering::Relaxed);
        app::upkeep::check_clock(&app).await.unwrap();
        clock.each.store(0, Ordering::Relaxed);
        clock.ahead.store(0, Ordering::Relaxed);
        assert_eq!(look(&app).await, taken, "{ahead} seconds off");
    }
}

/// Somebody keeps all from changing connections, and lets them read: that is no time to bring answers
/// either.
#[sqlx::test]
async fn who_was_kept_waiting_takes_nothing_from_others_who_were(pool: PgPool) {
    let world = World::new(pool).await;
    orphan(&world).await;
    let clock = Told::new();
    let app = world.replica_by(clock.clone(), "another").await;
    assert_eq!(look(&app).await, 0, "it has only just come");
    clock.keep_in_touch(&app);
    let mut other = world.pool.begin().await.unwrap();
    sqlx::query("LOCK TABLE connections IN SHARE MODE").execute(&mut *other).await.unwrap();
    let looking = tokio::spawn({
        let app = app.clone();
        async move { look(&app).await }
    });
    let waits = "SELECT count(*) FROM pg_stat_activity
                 WHERE datname = current_database() AND wait_event_type = 'Lock'";
    world.until_count(waits, 1).await;
    clock.pass(10);
    other.rollback().await.unwrap();
    assert_eq!(looking.await.unwrap(), 0);
    assert_eq!(look(&app).await, 0);
    clock.keep_in_touch(&app);
    assert_eq!(look(&app).await, 1);
}

/// What is spread when a client is well again is told by the database's clock from what is in use.
#[sqlx::test]
async fn what_is_in_use_is_not_spread(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    world.import(client).await;
    world.import(client).await;
    let leased = "UPDATE connections SET due_at = clock_timestamp() - interval '1 hour'";
    world.execute(leased).await;
    let leased = "UPDATE connections SET lease_id = gen_random_uuid(),
                         leased_until = clock_timestamp() + interval '40 seconds'
                  WHERE id = (SELECT id FROM connections LIMIT 1)";
    world.execute(leased).await;
    world.execute("UPDATE clients SET resuming_since = clock_timestamp()").await;
    let clock = Told::new();
    clock.ahead.store(3600, Ordering::Relaxed);
    let app = world.replica_by(clock, "another").await;
    app::client::spread_some(&app).await.unwrap();
    let spread =
        "SELECT count(*) FROM connections WHERE due_at > clock_timestamp() - interval '1 minute'";
    assert_eq!(world.count(spread).await, 1);
}

/// Whoever waits for such a connection waits for it to be taken over, and does not look without end.
#[sqlx::test]
async fn who_wants_what_others_left_waits_for_it(pool: PgPool) {
    let world = World::new(pool).await;
    let id = orphan(&world).await;
    let clock = Told::new();
    let app = world.replica_by(clock.clone(), "another").await;
    assert_eq!(look(&app).await, 0, "it has only just come");
    let (asking, admin) = (app.clone(), world.admin.clone());
    let asking =
        tokio::spawn(async move { app::connection::refresh(&asking, &admin, id).await.map(drop) });
    world.until_count("SELECT count(*) FROM audit WHERE action = 'connection.refresh'", 1).await;
    // Nobody gets it, and the one who asks goes on waiting.
    for _ in 0..5 {
        assert!(!matches!(claim_one(&app, &world, id).await, One::Claimed(_)));
    }
    assert!(!asking.is_finished());
    assert_eq!((world.refreshes().len(), world.generation(id).await), (0, 1));
    clock.keep_in_touch(&app);
    asking.await.unwrap().unwrap();
    assert_eq!(world.generation(id).await, 2);
}
