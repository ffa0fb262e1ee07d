//! Point 3: the intent is written first, so an answer that never came is known to be missing.

use sqlx::{PgPool, postgres::PgPoolOptions};
use time::Duration;
use uuid::Uuid;

use crate::{
    domain::{
        attempt::{Trigger, Verdict},
        connection::{Reason, State},
    },
    sandbox::{Client, Fault, Hold},
    server::app::{
        self, Actor,
        refresh::{Ask, LEASE, intent::UNDER_WAY},
    },
    tests::support::World,
};

fn graceful(client: &mut Client) {
    client.refresh.grace = Duration::minutes(5);
}

/// A holder that dies with its request at `at`.
async fn dies(world: &World, id: Uuid, at: Hold) {
    world.until_due(id).await;
    world.control().hold(at);
    let begun = app::refresh::begin_due(&world.app, 10).await.unwrap();
    world.control().until_held(1).await;
    for task in begun {
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    }
    world.control().release();
}

#[sqlx::test]
async fn the_intent_stands_before_the_request_leaves(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let id = world.import(client).await;
    world.until_due(id).await;
    world.control().hold(Hold::BeforeProcessing);
    let begun = app::refresh::begin_due(&world.app, 10).await.unwrap();
    world.control().until_held(1).await;
    let attempts = world.attempts(id).await;
    let [attempt] = attempts.as_slice() else { panic!("{attempts:?}") };
    assert_eq!((attempt.verdict, attempt.finished_at), (None, None));
    assert_eq!((attempt.generation_before, attempt.replica.as_str()), (1, "first"));
    assert!(attempt.fingerprint_before.is_some());
    world.control().release();
    futures::future::join_all(begun).await;
    assert_eq!(world.attempts(id).await[0].verdict, Some(Verdict::Refreshed));
}

#[sqlx::test]
async fn a_rotation_lost_with_its_holder_is_told_from_a_revocation(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("strict", |_| {}).await;
    let (lost, revoked) = (world.import(client).await, world.import_of(client, "bob").await);
    dies(&world, lost, Hold::BeforeAnswering).await;
    assert_eq!(world.tick().await, 0, "the lease protects it until it ends");
    world.sandbox.revoke_account("bob");
    world.pass(LEASE + Duration::minutes(10));
    assert_eq!(world.tick().await, 2);
    assert_eq!(world.reason(lost).await, Some(Reason::RotationLost));
    assert_eq!(world.reason(revoked).await, Some(Reason::Revoked));
    let attempts = world.attempts(lost).await;
    let verdicts: Vec<_> = attempts.iter().map(|attempt| attempt.verdict).collect();
    assert_eq!(verdicts, [Some(Verdict::InDoubt), Some(Verdict::Condemned)]);
    // It was the very same token, tried once more and then no more.
    let mut requests = world.refreshes();
    let first = requests.remove(0).refresh_in;
    assert_eq!(requests.iter().filter(|request| request.refresh_in == first).count(), 1);
    world.pass(Duration::days(2));
    assert_eq!(world.tick().await, 0);
}

#[sqlx::test]
async fn in_doubt_is_shown_until_the_answer_is_known(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("graceful", graceful).await;
    let id = world.import(client).await;
    dies(&world, id, Hold::BeforeAnswering).await;
    world.pass(LEASE);
    world.control().hold(Hold::BeforeProcessing);
    let begun = app::refresh::begin_due(&world.app, 10).await.unwrap();
    world.control().until_held(1).await;
    let doubtful = world.attempts(id).await[0].id;
    assert_eq!(world.state(id).await, State::InDoubt { attempt_id: doubtful });
    world.control().release();
    futures::future::join_all(begun).await;
    assert_eq!(world.state(id).await, State::Active);
    assert_eq!(world.generation(id).await, 2);
    // The doubt is over: what is refused later was revoked.
    world.sandbox.revoke_account("alice");
    world.until_due(id).await;
    world.tick().await;
    assert_eq!(world.reason(id).await, Some(Reason::Revoked));
}

#[sqlx::test]
async fn a_holder_that_died_before_the_provider_acted_costs_nothing(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("strict", |_| {}).await;
    let id = world.import(client).await;
    world.until_due(id).await;
    // It dies before the request is even on its way.
    for task in app::refresh::begin_due(&world.app, 10).await.unwrap() {
        task.abort();
    }
    world.pass(LEASE);
    assert_eq!(world.tick().await, 1);
    assert_eq!(world.state(id).await, State::Active);
    assert_eq!(world.refreshes().len(), 1);
}

/// What a dead process had under way takes nobody's room for ever: its client allows one request at a
/// time, and that one is never answered.
#[sqlx::test]
async fn a_dead_holder_gives_its_place_at_the_client_back(pool: PgPool) {
    let world = World::new(pool).await;
    world.provider("narrow", |profile| profile.policy.concurrency = Some(1)).await;
    let client = world.client_of("narrow", "narrow", graceful).await;
    let (id, other) = (world.import(client).await, world.import_of(client, "bob").await);
    world.until_due(id).await;
    world.until_due(other).await;
    world.control().hold(Hold::BeforeAnswering);
    let begun = app::refresh::begin_due(&world.app, 10).await.unwrap();
    assert_eq!(begun.len(), 1);
    world.control().until_held(1).await;
    for task in begun {
        task.abort();
    }
    world.control().release();
    // The lease is over, but by another's clock the request may still be under way.
    for time in [Duration::ZERO, LEASE] {
        world.pass(time);
        assert_eq!(world.tick().await, 0, "its place is taken");
    }
    world.pass(UNDER_WAY - LEASE);
    for _ in 0..2 {
        assert_eq!(world.tick().await, 1);
    }
    assert_eq!((world.generation(id).await, world.generation(other).await), (2, 2));
}

/// A holder that a person's request called also leaves its mark, and nobody waits for the usual
/// time: the token may be long from being due.
#[sqlx::test]
async fn a_button_whose_holder_died_is_followed_up_when_the_lease_ends(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("graceful", graceful).await;
    let id = world.import(client).await;
    world.control().hold(Hold::BeforeAnswering);
    // Its own runtime and pool stand for its own process: they end with all that runs in it.
    let apart = PgPoolOptions::new().connect_lazy_with((*world.pool.connect_options()).clone());
    let dying = world.replica_on(&apart, "dying").await;
    drop(apart);
    let connection = world.connection(id).await;
    let process =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    process.spawn(async move {
        let ask = Ask::new(Trigger::Manual, &Actor::Operator);
        app::refresh::now(&dying, &connection, ask, false).await
    });
    world.control().until_held(1).await;
    process.shutdown_background();
    world.control().release();
    world.pass(LEASE);
    assert_eq!(world.tick().await, 1);
    assert_eq!(world.state(id).await, State::Active);
    let verdicts: Vec<_> = world.attempts(id).await.iter().map(|a| a.verdict).collect();
    assert_eq!(verdicts, [Some(Verdict::InDoubt), Some(Verdict::Refreshed)]);
}

#[sqlx::test]
async fn a_lost_answer_is_asked_for_again_within_seconds(pool: PgPool) {
    let world = World::new(pool).await;
    for (name, change, survives) in
        [("graceful", graceful as fn(&mut Client), true), ("strict", |_| {}, false)]
    {
        for fault in [Fault::DropAfter, Fault::Garbage, Fault::Truncated, Fault::Huge] {
            let client = world.client(&format!("{name}-{fault:?}"), change).await;
            let id = world.import(client).await;
            world.until_due(id).await;
            world.control().fail_next(fault, 1);
            world.tick().await;
            assert!(matches!(world.state(id).await, State::InDoubt { .. }), "{fault:?}");
            world.pass(Duration::seconds(3));
            assert_eq!(world.tick().await, 1, "{fault:?}");
            if survives {
                assert_eq!(world.state(id).await, State::Active, "{fault:?}");
            } else {
                assert_eq!(world.reason(id).await, Some(Reason::RotationLost), "{fault:?}");
            }
            app::connection::disconnect(&world.app, &world.admin, id, false).await.unwrap();
        }
    }
}

#[sqlx::test]
async fn doubt_outlives_a_provider_that_is_away(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("strict", |_| {}).await;
    let id = world.import(client).await;
    world.until_due(id).await;
    world.control().fail_next(Fault::DropAfter, 1);
    world.tick().await;
    world.control().fail_next(Fault::Unavailable, 2);
    for _ in 0..2 {
        world.until_due(id).await;
        world.tick().await;
        assert_eq!(world.reason(id).await, None);
    }
    world.until_due(id).await;
    world.tick().await;
    assert_eq!(world.reason(id).await, Some(Reason::RotationLost));
}

/// Whoever disconnects takes the lease of a dead holder over; when the provider can't be told, the doubt
/// about that holder's request is still there.
#[sqlx::test]
async fn a_disconnect_that_fails_forgets_no_doubt(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("graceful", graceful).await;
    let id = world.import(client).await;
    dies(&world, id, Hold::BeforeAnswering).await;
    world.pass(LEASE);
    world.control().set(|settings| settings.outage = true);
    assert!(app::connection::disconnect(&world.app, &world.admin, id, true).await.is_err());
    world.control().set(|settings| settings.outage = false);
    let attempts = world.attempts(id).await;
    assert_eq!(attempts[0].verdict, Some(Verdict::InDoubt));
    assert_eq!(world.state(id).await, State::InDoubt { attempt_id: attempts[0].id });
    world.tick().await;
    assert_eq!(world.state(id).await, State::Active);
}

/// A look that is cut short, because something else that it looks for takes too long, makes what it has
/// claimed.
#[sqlx::test]
async fn a_look_that_is_cut_short_drops_no_claim(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let id = world.import(client).await;
    world.until_due(id).await;
    // What is looked for after the claim has to wait.
    let mut other = world.pool.begin().await.unwrap();
    sqlx::query("LOCK incidents").execute(&mut *other).await.unwrap();
    let app = world.app.clone();
    let looking = tokio::spawn(async move { app::refresh::begin_due(&app, 10).await.map(drop) });
    world.until_count("SELECT count(*) FROM attempts", 1).await;
    let waits =
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'incidents'::regclass";
    world.until_count(waits, 1).await;
    looking.abort();
    assert!(looking.await.unwrap_err().is_cancelled());
    other.rollback().await.unwrap();
    world.app.drain().await;
    assert_eq!((world.state(id).await, world.generation(id).await), (State::Active, 2));
}
