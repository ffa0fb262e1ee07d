//! Jobs take turns, and nobody has all of them.

use sqlx::PgPool;
use time::Duration;

use super::{admin, begin, crowd, now, on, on_all, run};
use crate::{
    domain::{
        access::Role,
        job::{Action, JobState},
        problem::Obstacle,
    },
    server::{
        app::{self, Actor},
        store,
    },
    tests::support::{World, email},
};

/// Customers on the telephone do not wait for a job of thousands.
#[sqlx::test]
async fn a_short_job_does_not_wait_for_a_long_one(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = admin(&world).await;
    crowd(&world, 200).await;
    let client = world.client("one", |_| {}).await;
    let one = world.import(client).await;
    let long = begin(&world, &admin, on_all(Action::Pause)).await;
    world.pass(Duration::seconds(1));
    let short = begin(&world, &admin, on(Action::Refresh, &[one])).await;
    assert_eq!(run(&world.app).await, 2);
    for job in [&long, &short] {
        assert_eq!(now(&world, job).await.state, JobState::Done);
    }
    // Each change of a row has a number; they are given out in order.
    let earlier = "SELECT (SELECT xmin::text::bigint FROM jobs WHERE action = 'refresh')
                        < (SELECT xmin::text::bigint FROM jobs WHERE action = 'pause')";
    let earlier = format!("SELECT ({earlier})::int::bigint");
    let earlier: i64 =
        sqlx::query_scalar(sqlx::AssertSqlSafe(earlier)).fetch_one(&world.pool).await.unwrap();
    assert_eq!(earlier, 1, "the short one was over first");
}

/// A provider that asked for a pause is no reason to give its connections up; those of others go on.
#[sqlx::test]
async fn what_has_no_turn_now_waits_for_it(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = admin(&world).await;
    let (paused, free) = (world.client("one", |_| {}).await, world.client("two", |_| {}).await);
    let mut ids = Vec::new();
    for client in [free, paused, paused, free, paused] {
        ids.push(world.import(client).await);
    }
    let until = world.now() + Duration::minutes(5);
    let mut conn = world.pool.acquire().await.unwrap();
    store::client::limit::pause(&mut conn, paused, until).await.unwrap();
    let job = begin(&world, &admin, on(Action::Refresh, &ids)).await;
    assert_eq!(run(&world.app).await, 0);
    let halfway = now(&world, &job).await;
    assert_eq!((halfway.state, halfway.done, halfway.worked()), (JobState::Running, 2, 2));
    assert_eq!(world.refreshes().len(), 2);
    // An admin ends the pause: it is seen within a minute.
    store::client::limit::end_pause(&mut conn, paused).await.unwrap();
    assert_eq!(run(&world.app).await, 0, "it rests");
    world.pass(Duration::seconds(61));
    assert_eq!(run(&world.app).await, 1);
    let over = now(&world, &job).await;
    assert_eq!((over.state, over.done, over.worked()), (JobState::Done, 5, 5));
    assert_eq!(world.refreshes().len(), 5, "each once");
}

#[sqlx::test]
async fn nobody_has_more_jobs_under_way_than_may_be(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = admin(&world).await;
    let client = world.client("one", |_| {}).await;
    let one = world.import(client).await;
    let new = on(Action::Refresh, &[one]);
    for _ in 0..20 {
        begin(&world, &admin, new.clone()).await;
    }
    let refused = app::job::create(&world.app, &admin, &new).await.unwrap_err();
    let app::Error::Conflict(conflict) = refused else { panic!("{refused}") };
    assert_eq!(conflict.obstacle, Obstacle::LimitReached);
    assert!(conflict.why.contains("20 jobs"), "{}", conflict.why);
    let id = world.person_named("desk", Role::Support).await;
    let other = Actor::User { id, email: email("desk"), role: Role::Support };
    begin(&world, &other, new.clone()).await;
    run(&world.app).await;
    begin(&world, &admin, new).await;
}
