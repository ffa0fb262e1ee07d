//! A key makes one job, and is taken for no other.

use sqlx::PgPool;
use uuid::Uuid;

use super::{admin, begin, on, on_all};
use crate::{
    domain::{
        connection::{ConnectionFilter, StateName},
        job::{Action, NewJob},
        problem::Obstacle,
    },
    server::app::{self, Actor},
    tests::support::World,
};

async fn obstacle(world: &World, actor: &Actor, new: &NewJob) -> Obstacle {
    match app::job::create(&world.app, actor, new).await {
        Err(app::Error::Conflict(conflict)) => conflict.obstacle,
        other => panic!("{other:?}"),
    }
}

#[sqlx::test]
async fn another_job_is_not_taken_for_the_first(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = admin(&world).await;
    let client = world.client("one", |_| {}).await;
    let (one, other) = (world.import(client).await, world.import(client).await);
    let key = Some(Uuid::from_u128(4711));
    let tag = |tag: &str| NewJob { tag: Some(tag.into()), key, ..on(Action::Tag, &[one, other]) };
    let made = begin(&world, &admin, tag("a")).await;
    let turned = NewJob { ids: Some(vec![other, one]), ..tag(" a ") };
    for same in [tag("a"), turned] {
        assert_eq!(begin(&world, &admin, same).await.id, made.id);
    }
    let filter = Some(ConnectionFilter::default());
    for different in [
        tag("b"),
        NewJob { ids: Some(vec![one]), ..tag("a") },
        NewJob { ids: None, filter, ..tag("a") },
        NewJob { action: Action::Untag, ..tag("a") },
        NewJob { key, ..on(Action::Disconnect, &[one, other]) },
    ] {
        assert_eq!(obstacle(&world, &admin, &different).await, Obstacle::Changed, "{different:?}");
    }
    assert_eq!(world.count("SELECT count(*) FROM jobs").await, 1);
}

/// Whoever presses twice on the last job that may be is not told that it was one too many.
#[sqlx::test]
async fn the_last_that_may_be_is_sent_twice(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = admin(&world).await;
    let client = world.client("one", |_| {}).await;
    let one = world.import(client).await;
    for _ in 0..19 {
        begin(&world, &admin, on(Action::Refresh, &[one])).await;
    }
    let key = Some(Uuid::from_u128(4711));
    let last = NewJob { key, ..on(Action::Refresh, &[one]) };
    let twice = tokio::join!(begin(&world, &admin, last.clone()), begin(&world, &admin, last));
    assert_eq!(twice.0.id, twice.1.id);
    assert_eq!(world.count("SELECT count(*) FROM jobs").await, 20);
}

/// One was mended and another died while the question stood open.
#[sqlx::test]
async fn as_many_but_others_are_not_what_was_shown(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = admin(&world).await;
    let client = world.client("one", |_| {}).await;
    let shown = world.import_of(client, "alice").await;
    let filter = ConnectionFilter { state: Some(StateName::Active), ..ConnectionFilter::default() };
    let new = NewJob { filter: Some(filter), ..on_all(Action::Disconnect) };
    let seen = app::job::preview(&world.app, &admin, &new).await.unwrap();
    let new = NewJob { expected: Some(seen.digest.clone()), ..new };
    app::connection::disconnect(&world.app, &admin, shown, false).await.unwrap();
    world.import_of(client, "bob").await;
    let now = app::job::preview(&world.app, &admin, &new).await.unwrap();
    assert_eq!((now.total, now.clients == seen.clients), (seen.total, true));
    assert_eq!(obstacle(&world, &admin, &new).await, Obstacle::Changed);
    begin(&world, &admin, NewJob { expected: Some(now.digest), ..new }).await;
}
