//! Point 1: a refresh token is never in two requests at once, over all replicas and callers.

use futures::future::join_all;
use sqlx::PgPool;
use time::Duration;
use tokio::task::JoinHandle;

use crate::{
    domain::attempt::{Trigger, Verdict},
    sandbox::{Fault, Hold},
    server::app::{self, Actor, App, refresh::Ask},
    tests::support::World,
};

/// How many pressed the button.
const ASKED: &str = "SELECT count(*) FROM audit WHERE action = 'connection.refresh'";

async fn joined<T>(tasks: Vec<JoinHandle<app::Result<T>>>) -> Vec<T> {
    let done = join_all(tasks).await;
    done.into_iter().map(|done| done.expect("no panic").expect("an answer")).collect()
}

fn alternating<'a>(one: &'a App, other: &'a App) -> impl Iterator<Item = App> + use<'a> {
    (0..50).map(move |n| if n % 2 == 0 { one.clone() } else { other.clone() })
}

#[sqlx::test]
async fn fifty_buttons_and_two_workers_make_one_request(pool: PgPool) {
    let world = World::new(pool).await;
    let second = world.replica("second").await;
    let client = world.client("one", |_| {}).await;
    let id = world.import(client).await;
    world.until_due(id).await;
    world.control().hold(Hold::BeforeProcessing);
    let pressed = alternating(&world.app, &second)
        .map(|app| {
            tokio::spawn(async move { app::connection::refresh(&app, &Actor::Operator, id).await })
        })
        .collect();
    // Each writes what it wants before it claims, having seen the connection as it is.
    world.until_count(ASKED, 50).await;
    world.control().until_held(1).await;
    assert_eq!(world.tick().await, 0);
    assert_eq!(app::refresh::run_due(&second, 100).await.unwrap(), 0);
    world.control().release();

    let attempts = joined(pressed).await;
    assert_eq!(world.refreshes().len(), 1);
    assert!(attempts.iter().all(|attempt| attempt.id == attempts[0].id));
    assert_eq!(attempts[0].verdict, Some(Verdict::Refreshed));
    assert_eq!(world.attempts(id).await.len(), 1);
    assert_eq!(world.generation(id).await, 2);
}

#[sqlx::test]
async fn fifty_readers_of_an_expired_token_make_one_request(pool: PgPool) {
    let world = World::new(pool).await;
    let second = world.replica("second").await;
    let client = world.client("one", |_| {}).await;
    let id = world.import(client).await;
    world.pass(Duration::hours(1));
    let readers = alternating(&world.app, &second)
        .map(|app| {
            let reader = Actor::System;
            let wanted = Duration::minutes(5);
            tokio::spawn(async move { app::connection::token(&app, &reader, id, wanted).await })
        })
        .collect();
    let tokens = joined(readers).await;
    assert_eq!(world.refreshes().len(), 1);
    assert!(tokens.iter().all(|token| token.generation == 2));
}

#[sqlx::test]
async fn who_comes_late_joins_instead_of_refreshing_again(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let id = world.import(client).await;
    let as_seen = world.connection(id).await;
    let ask = |trigger| Ask::new(trigger, &world.admin);
    let first = app::refresh::now(&world.app, &as_seen, ask(Trigger::Manual), false).await.unwrap();
    // The second looked before the first had its answer, and claims only now.
    let second =
        app::refresh::now(&world.app, &as_seen, ask(Trigger::Demand), false).await.unwrap();
    assert_eq!(second.id, first.id);
    assert_eq!(world.refreshes().len(), 1);
}

/// A thousand programs read the same expired token at the same moment, from two replicas.
#[sqlx::test]
async fn a_thousand_readers_of_an_expired_token_make_one_request(pool: PgPool) {
    let world = World::new(pool).await;
    let second = world.replica("second").await;
    let client = world.client("one", |_| {}).await;
    let id = world.import(client).await;
    world.pass(Duration::hours(2));
    world.control().hold(Hold::BeforeProcessing);
    let readers = (0..1000)
        .map(|n| {
            let app = if n % 2 == 0 { world.app.clone() } else { second.clone() };
            tokio::spawn(async move {
                app::connection::token(&app, &Actor::System, id, Duration::ZERO).await
            })
        })
        .collect();
    world.control().until_held(1).await;
    world.control().release();
    let tokens = joined(readers).await;
    assert_eq!(world.refreshes().len(), 1);
    assert!(tokens.iter().all(|token| token.generation == 2));
}

/// Whoever insists gets a request of their own, after the one under way; whoever insists at the same
/// time shares it.
#[sqlx::test]
async fn force_is_not_swallowed_by_a_refresh_under_way(pool: PgPool) {
    let world = World::new(pool).await;
    let second = world.replica("second").await;
    let client = world.client("one", |_| {}).await;
    let id = world.import(client).await;
    for (other, generation, asked) in [(&world.app, 3, 5), (&second, 5, 10)] {
        world.until_due(id).await;
        world.control().hold(Hold::BeforeAnswering);
        let begun = app::refresh::begin_due(&world.app, 10).await.unwrap();
        world.control().until_held(1).await;
        let insisting = (0..5)
            .map(|_| {
                let app = other.clone();
                tokio::spawn(async move {
                    app::connection::refresh_anew(&app, &Actor::Operator, id).await
                })
            })
            .collect();
        // All have asked before anything comes of the first; then the one they share waits for them.
        world.until_count(ASKED, asked).await;
        world.control().hold(Hold::BeforeProcessing);
        join_all(begun).await;
        world.control().until_held(1).await;
        world.control().hold_no_more();
        world.control().release();
        let attempts = joined(insisting).await;
        assert_eq!(world.generation(id).await, generation);
        assert!(attempts.iter().all(|attempt| attempt.generation_after == Some(generation)));
    }
    assert_eq!(world.refreshes().len(), 4);
}

#[sqlx::test]
async fn nothing_of_the_database_is_held_while_the_provider_thinks(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let id = world.import(client).await;
    world.until_due(id).await;
    world.control().hold(Hold::BeforeAnswering);
    let begun = app::refresh::begin_due(&world.app, 10).await.unwrap();
    world.control().until_held(1).await;

    let all_idle = async {
        while world.pool.num_idle() < world.pool.size() as usize {
            tokio::task::yield_now().await;
        }
    };
    let patience = std::time::Duration::from_secs(10);
    tokio::time::timeout(patience, all_idle).await.expect("a connection is held");
    // Connections of ours: the database may be vacuuming by itself meanwhile.
    let open = "SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
                  AND backend_type = 'client backend'";
    assert_eq!(world.count(open).await, 0);

    world.control().release();
    join_all(begun).await;
    assert_eq!(world.generation(id).await, 2);
}

/// The worker of one replica, in a row of many connections, meets the other's: none is refreshed
/// by both.
#[sqlx::test]
async fn two_workers_share_what_is_due(pool: PgPool) {
    let world = World::new(pool).await;
    let second = world.replica("second").await;
    let client = world.client("one", |_| {}).await;
    for _ in 0..24 {
        world.import(client).await;
    }
    world.pass(Duration::hours(1));
    let (one, other) =
        tokio::join!(app::refresh::run_due(&world.app, 12), app::refresh::run_due(&second, 100));
    // What one looks at the other passes by, so that some may be left to the next look.
    let next = world.tick().await;
    assert_eq!(one.unwrap() + other.unwrap() + next, 24);
    let requests = world.refreshes();
    let mut tokens: Vec<_> = requests.iter().map(|request| &request.refresh_in).collect();
    tokens.sort();
    tokens.dedup();
    assert_eq!((requests.len(), tokens.len()), (24, 24));
}

/// What was long ago is no answer to who asks now: whoever had the connection made no request.
#[sqlx::test]
async fn an_old_verdict_is_not_taken_for_an_answer(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let id = world.import(client).await;
    world.until_due(id).await;
    world.control().fail_next(Fault::Unavailable, 1);
    assert_eq!(world.tick().await, 1);
    assert_eq!(world.attempts(id).await[0].verdict, Some(Verdict::Postponed));
    world.pass(Duration::seconds(10));
    world
        .execute(
            "UPDATE connections SET lease_id = gen_random_uuid(),
                                    leased_until = '2026-03-02T00:00:00Z'",
        )
        .await;
    let (app, admin) = (world.app.clone(), world.admin.clone());
    let asking = tokio::spawn(async move { app::connection::refresh(&app, &admin, id).await });
    world.until_count(ASKED, 1).await;
    world.execute("UPDATE connections SET lease_id = NULL, leased_until = NULL").await;
    assert_eq!(asking.await.unwrap().unwrap().verdict, Some(Verdict::Refreshed));
}
