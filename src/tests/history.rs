//! The history is kept by age, in a partition to each week.

use sqlx::{PgPool, Row};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::support::World;
use crate::server::{
    app::upkeep::history,
    store::attempt::{first_id, partition},
};

const KEPT: Duration = Duration::days(30);

/// Puts an attempt of that moment into the history.
async fn remember(world: &World, at: OffsetDateTime) -> Uuid {
    let id = first_id(at);
    sqlx::query(
        "INSERT INTO attempts (id, connection_id, client_id, lease_id, trigger, actor, started_at,
                               generation_before, replica)
         VALUES ($1, $1, $1, $1, 'schedule', 'worker', $2, 1, 'first')",
    )
    .bind(id)
    .bind(at)
    .execute(&world.pool)
    .await
    .unwrap();
    id
}

/// Which partition each attempt lies in, in order of time.
async fn places(world: &World) -> Vec<String> {
    sqlx::query("SELECT tableoid::regclass::text FROM attempts ORDER BY id")
        .fetch_all(&world.pool)
        .await
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect()
}

async fn partitions(world: &World) -> Vec<String> {
    let mut conn = world.pool.acquire().await.unwrap();
    let known = partition::list(&mut conn).await.unwrap();
    known.into_iter().map(|partition| partition.name).collect()
}

#[sqlx::test]
async fn weeks_to_come_are_made_and_old_ones_dropped(pool: PgPool) {
    let world = World::new(pool).await;
    let start = world.now();
    // A Sunday.
    history::keep(&world.app, KEPT).await.unwrap();
    let ahead =
        ["attempts_20260223", "attempts_20260302", "attempts_20260309", "attempts_20260316"];
    assert_eq!(partitions(&world).await, ahead);
    history::keep(&world.app, KEPT).await.unwrap();
    assert_eq!(partitions(&world).await, ahead);

    remember(&world, start).await;
    remember(&world, start + Duration::days(1)).await;
    assert_eq!(places(&world).await, ahead[..2]);

    // The older week ends on the second of March.
    world.pass(KEPT + Duration::hours(11));
    history::keep(&world.app, KEPT).await.unwrap();
    assert_eq!(places(&world).await, ahead[..2]);
    world.pass(Duration::hours(1));
    history::keep(&world.app, KEPT).await.unwrap();
    assert_eq!(places(&world).await, ahead[1..2]);
    assert_eq!(partitions(&world).await[0], ahead[1]);
}

/// No worker ran for a while: what came meanwhile is not lost, and is kept by age as all else.
#[sqlx::test]
async fn what_came_before_its_partition_moves_there(pool: PgPool) {
    let world = World::new(pool).await;
    let (now, week) = (world.now(), Duration::WEEK);
    remember(&world, now - KEPT - week).await;
    remember(&world, now - week).await;
    remember(&world, now).await;
    remember(&world, now + week * 10).await;
    assert_eq!(places(&world).await, ["attempts_default"; 4]);
    history::keep(&world.app, KEPT).await.unwrap();
    let kept = ["attempts_default", "attempts_20260223", "attempts_default"];
    assert_eq!(places(&world).await, kept);
}

/// Nobody is to wait long behind a change of partitions, which waits for everybody.
#[sqlx::test]
async fn a_history_in_use_is_changed_later(pool: PgPool) {
    let world = World::new(pool).await;
    let mut reader = world.pool.begin().await.unwrap();
    sqlx::query("SELECT count(*) FROM attempts").execute(&mut *reader).await.unwrap();
    history::keep(&world.app, KEPT).await.unwrap();
    assert!(partitions(&world).await.is_empty());
    reader.rollback().await.unwrap();
    history::keep(&world.app, KEPT).await.unwrap();
    assert_eq!(partitions(&world).await.len(), 4);
}
