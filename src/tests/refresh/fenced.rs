//! Point 2: a save does nothing once its lease or its generation has moved.

use sqlx::{PgPool, Row};
use time::Duration;
use uuid::Uuid;

use crate::{
    domain::{
        attempt::Verdict,
        connection::{State, StateName},
    },
    sandbox::{Client, Fault, Hold, OnReuse},
    server::app::{self, Actor, refresh::LEASE},
    tests::support::World,
};

/// A refresh of the first replica whose answer comes only when it is let go; meanwhile others may
/// overtake it.
async fn overtaken(world: &World, id: Uuid, at: Hold) -> tokio::task::JoinHandle<()> {
    world.until_due(id).await;
    world.control().hold(at);
    let mut begun = app::refresh::begin_due(&world.app, 10).await.unwrap();
    world.control().until_held(1).await;
    world.control().hold_no_more();
    begun.remove(0)
}

fn forgiving(client: &mut Client) {
    client.refresh.on_reuse = OnReuse::Refuse;
    client.refresh.grace = Duration::hours(1);
}

fn unforgiving(client: &mut Client) {
    client.refresh.on_reuse = OnReuse::Refuse;
}

async fn verdicts(world: &World, id: Uuid) -> Vec<(String, Option<Verdict>)> {
    let attempts = world.attempts(id).await;
    attempts.into_iter().map(|attempt| (attempt.replica, attempt.verdict)).collect()
}

async fn lives_on(world: &World, id: Uuid) {
    assert_eq!(world.state(id).await, State::Active);
    let generation = world.generation(id).await;
    world.until_due(id).await;
    assert_eq!(world.tick().await, 1);
    assert_eq!(world.state(id).await, State::Active);
    assert_eq!(world.generation(id).await, generation + 1);
}

#[sqlx::test]
async fn a_late_grant_changes_nothing(pool: PgPool) {
    let world = World::new(pool).await;
    let second = world.replica("second").await;
    let client = world.client("forgiving", forgiving).await;
    let id = world.import(client).await;
    let late = overtaken(&world, id, Hold::BeforeAnswering).await;
    world.pass(LEASE);
    assert_eq!(app::refresh::run_due(&second, 10).await.unwrap(), 1);
    let winner = world.connection(id).await;
    let stored = "SELECT sealed_access_token FROM token_sets WHERE superseded_at IS NULL";
    let token: Vec<u8> = world.row(stored).await.get(0);

    world.control().release();
    late.await.unwrap();
    assert_eq!(world.connection(id).await, winner);
    assert_eq!(world.row(stored).await.get::<Vec<u8>, _>(0), token);
    let expected = [
        ("first".to_owned(), Some(Verdict::Superseded)),
        ("second".to_owned(), Some(Verdict::Refreshed)),
    ];
    assert_eq!(verdicts(&world, id).await, expected);
    lives_on(&world, id).await;
}

#[sqlx::test]
async fn a_late_refusal_does_not_condemn_the_winners_grant(pool: PgPool) {
    let world = World::new(pool).await;
    let second = world.replica("second").await;
    let client = world.client("unforgiving", unforgiving).await;
    let id = world.import(client).await;
    let late = overtaken(&world, id, Hold::BeforeProcessing).await;
    world.pass(LEASE);
    assert_eq!(app::refresh::run_due(&second, 10).await.unwrap(), 1);
    let winner = world.connection(id).await;

    world.control().release();
    late.await.unwrap();
    let refused = world.refreshes();
    assert_eq!(refused[0].error.as_deref(), Some("invalid_grant"), "the loser was refused");
    assert_eq!(world.connection(id).await, winner);
    assert_eq!(verdicts(&world, id).await[0].1, Some(Verdict::Superseded));
    assert_eq!(world.audit("connection.condemned").await, []);
    lives_on(&world, id).await;
}

/// The lease is still the late one's here: only the generation has moved.
#[sqlx::test]
async fn consent_given_meanwhile_outlives_a_late_refusal(pool: PgPool) {
    let world = World::new(pool).await;
    let mut browser = world.sign_in(crate::domain::access::Role::Admin).await;
    let client = world.client("unforgiving", unforgiving).await;
    let id = world.connect(&mut browser, client, "alice").await;
    let late = overtaken(&world, id, Hold::BeforeProcessing).await;
    assert_eq!(world.sandbox.revoke_account("alice"), 1);
    let begun = browser.call("connection/reauthorize", &[("id", &id.to_string())]).await;
    let landing = world.consent(&mut browser, begun.location(), "alice").await;
    assert_eq!(landing, format!("/connections/{id}?connected=1"));
    assert_eq!(world.generation(id).await, 2);

    world.control().release();
    late.await.unwrap();
    assert_eq!(world.generation(id).await, 2);
    lives_on(&world, id).await;
}

#[sqlx::test]
async fn a_late_grant_does_not_bring_a_disconnected_connection_back(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let id = world.import(client).await;
    let late = overtaken(&world, id, Hold::BeforeAnswering).await;
    app::connection::disconnect(&world.app, &world.admin, id, false).await.unwrap();
    world.control().release();
    late.await.unwrap();
    assert_eq!(world.state(id).await.name(), StateName::Disconnected);
    let kept = "SELECT count(*) FROM token_sets
                WHERE sealed_access_token IS NOT NULL OR sealed_refresh_token IS NOT NULL";
    assert_eq!(world.count(kept).await, 0);
}

#[sqlx::test]
async fn a_deleted_connection_stays_deleted(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let id = world.import(client).await;
    let late = overtaken(&world, id, Hold::BeforeAnswering).await;
    app::connection::delete(&world.app, &world.admin, id, false).await.unwrap();
    world.control().release();
    late.await.unwrap();
    assert_eq!(world.count("SELECT count(*) FROM connections").await, 0);
    assert_eq!(world.count("SELECT count(*) FROM attempts").await, 0);
    let gone = app::connection::get(&world.app, &Actor::System, id).await;
    assert!(matches!(gone, Err(app::Error::NotFound(_))));
}

/// How many attempts are counted as ended so, whenever that was.
async fn counted(world: &World, verdict: Verdict) -> i64 {
    let counted =
        "SELECT coalesce(sum(attempts), 0)::bigint FROM attempt_windows WHERE verdict = $1";
    sqlx::query_scalar(counted).bind(verdict.as_str()).fetch_one(&world.pool).await.unwrap()
}

/// It was given up as in doubt, half an hour ago, and came through after all.
#[sqlx::test]
async fn what_was_in_doubt_and_came_through_is_counted_once(pool: PgPool) {
    let world = World::new(pool).await;
    let second = world.replica("second").await;
    let client = world.client("forgiving", forgiving).await;
    let id = world.import(client).await;
    let late = overtaken(&world, id, Hold::BeforeAnswering).await;
    world.pass(LEASE);
    world.control().fail_next(Fault::Unavailable, 1);
    assert_eq!(app::refresh::run_due(&second, 10).await.unwrap(), 1);
    let all = [Verdict::InDoubt, Verdict::Postponed, Verdict::Refreshed];
    let counts = async || {
        let mut counts = Vec::new();
        for verdict in all {
            counts.push(counted(&world, verdict).await);
        }
        counts
    };
    assert_eq!(counts().await, [1, 1, 0]);
    world.pass(Duration::minutes(31));
    world.control().release();
    late.await.unwrap();
    let expected = [
        ("first".to_owned(), Some(Verdict::Refreshed)),
        ("second".to_owned(), Some(Verdict::Postponed)),
    ];
    assert_eq!(verdicts(&world, id).await, expected);
    assert_eq!(counts().await, [0, 1, 1]);
    let lowest = "SELECT min(sum)::bigint FROM
        (SELECT sum(attempts) FROM attempt_windows GROUP BY began_at, verdict) AS windows";
    assert_eq!(world.count(lowest).await, 0, "it is taken back where it was counted");
}

/// Nobody comes back to say how it ended: whoever ends it in its place counts it.
#[sqlx::test]
async fn an_attempt_that_others_end_is_counted(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("forgiving", forgiving).await;
    let (taken_over, forgotten) =
        (world.import(client).await, world.import_of(client, "bob").await);
    world.until_due(taken_over).await;
    world.until_due(forgotten).await;
    world.control().hold(Hold::BeforeAnswering);
    let begun = app::refresh::begin_due(&world.app, 10).await.unwrap();
    world.control().until_held(2).await;
    for task in begun {
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    }
    world.control().release();
    app::connection::disconnect(&world.app, &world.admin, forgotten, false).await.unwrap();
    world.pass(LEASE);
    assert_eq!(world.tick().await, 1);
    assert_eq!(counted(&world, Verdict::InDoubt).await, 1);
    assert_eq!(counted(&world, Verdict::Refreshed).await, 1);
    // The other one is ended by nobody until it is swept up, and then once.
    world.pass(Duration::hours(2));
    for _ in 0..2 {
        app::upkeep::sweep(&world.app).await.unwrap();
        assert_eq!(counted(&world, Verdict::InDoubt).await, 2);
    }
}
