//! What was stored before its provider's profile asked for a refresh is not left to die.

use std::collections::BTreeSet;

use sqlx::PgPool;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::{
    domain::provider::WithoutExpiry,
    sandbox::{ExpiryForm, Fault},
    server::app,
    tests::support::World,
};

/// A client of a provider that does not say when its tokens end, and of which nothing is refreshed for that.
async fn left_alone(world: &World, idle: Option<Duration>) -> Uuid {
    world
        .provider("dear", |profile| {
            profile.lifetimes.without_expiry = WithoutExpiry::Leave;
            profile.lifetimes.refresh_idle_seconds = idle.map(|idle| idle.whole_seconds() as u64);
        })
        .await;
    world
        .client_of("dear", "dear", |client| {
            client.expiry_form = ExpiryForm::Absent;
            client.refresh.lifetime = None;
        })
        .await
}

/// The profile comes to take its tokens to have an end.
async fn comes_to_refresh(world: &World) {
    let mut profile = app::provider::get(&world.app, &world.admin, "dear").await.unwrap().profile;
    profile.lifetimes.without_expiry = WithoutExpiry::Refresh;
    app::provider::update(&world.app, &world.admin, "dear", profile).await.unwrap();
}

async fn plan(world: &World) {
    app::upkeep::unplanned::plan(&world.app).await.unwrap();
}

#[sqlx::test]
async fn what_has_no_next_refresh_is_planned_once_its_profile_asks_for_one(pool: PgPool) {
    let world = World::new(pool).await;
    let client = left_alone(&world, None).await;
    let bare = world.import(client).await;
    world.execute("UPDATE connections SET has_refresh_token = false").await;
    let [kept, rests] = [world.import(client).await, world.import(client).await];
    app::connection::pause(&world.app, &world.admin, rests).await.unwrap();
    world.pass(Duration::days(30));
    let due = async |id| world.connection(id).await.due_at;
    plan(&world).await;
    assert_eq!(due(kept).await, None, "its profile asks for none");

    comes_to_refresh(&world).await;
    plan(&world).await;
    let at = due(kept).await.expect("a next refresh");
    assert!(world.now() <= at && at <= world.now() + Duration::hours(1));
    assert_eq!((due(rests).await, due(bare).await), (None, None));
    assert_eq!(
        world.count("SELECT count(*) FROM connections WHERE resume_at IS NOT NULL").await,
        0,
        "what rests is planned when it goes on"
    );
    world.until_due(kept).await;
    assert_eq!(world.tick().await, 1);
    assert_eq!(world.connection(kept).await.generation, 2);
}

/// As many as two transactions take, alike.
const MANY_MORE: &str = "
    INSERT INTO connections (id, client_id, grant_type, state, state_since, has_refresh_token, obtained_at,
                             created_at, updated_at)
    SELECT gen_random_uuid(), client_id, grant_type, state, state_since, has_refresh_token, obtained_at,
           created_at, updated_at
    FROM connections, generate_series(1, 600)";
const UNPLANNED: &str = "SELECT count(*) FROM connections WHERE due_at IS NULL";

/// In how many minutes of the next hour something is due, and what is due after it.
async fn spread(world: &World) -> (usize, usize) {
    let due: Vec<OffsetDateTime> =
        sqlx::query_scalar("SELECT due_at FROM connections WHERE due_at IS NOT NULL")
            .fetch_all(&world.pool)
            .await
            .unwrap();
    let minutes = due.iter().map(|due| (*due - world.now()).whole_minutes());
    let (near, far): (BTreeSet<i64>, BTreeSet<i64>) =
        minutes.partition(|minute| (0..60).contains(minute));
    (near.len(), far.len())
}

#[sqlx::test]
async fn however_many_there_are_they_are_spread_over_an_hour(pool: PgPool) {
    let world = World::new(pool).await;
    let client = left_alone(&world, None).await;
    world.import(client).await;
    world.execute(MANY_MORE).await;
    world.pass(Duration::days(30));
    comes_to_refresh(&world).await;
    plan(&world).await;
    assert_eq!(world.count(UNPLANNED).await, 0);
    let (minutes, far) = spread(&world).await;
    assert!(minutes > 50 && far == 0, "{minutes} {far}");

    world.execute("UPDATE connections SET due_at = due_at + interval '100 days'").await;
    plan(&world).await;
    let (minutes, far) = spread(&world).await;
    assert!(minutes > 50 && far == 0, "{minutes} {far}: what is far off comes near, all of it");
}

/// After the clock was set back, what was obtained later than now would stay far off however often it were planned.
#[sqlx::test]
async fn what_was_obtained_later_than_now_does_not_keep_it_busy(pool: PgPool) {
    let world = World::new(pool).await;
    let client = left_alone(&world, None).await;
    world.import(client).await;
    world.execute(MANY_MORE).await;
    comes_to_refresh(&world).await;
    plan(&world).await;
    world
        .execute(
            "UPDATE connections
             SET obtained_at = obtained_at + interval '5 hours', due_at = due_at + interval '5 hours'",
        )
        .await;
    plan(&world).await;
    assert_eq!(spread(&world).await.0, 0, "it was left as it is");
}

/// A refresh planned for months from now, so that the refresh token does not idle out, comes too late where the
/// access token is taken to have an end.
#[sqlx::test]
async fn what_was_to_be_refreshed_in_months_is_brought_forward(pool: PgPool) {
    let world = World::new(pool).await;
    let client = left_alone(&world, Some(Duration::days(180))).await;
    let ends = world
        .client_of("dear", "ends", |client| {
            client.access_ttl = Duration::days(60);
            client.refresh.lifetime = None;
        })
        .await;
    let [silent, rests, refused] =
        [world.import(client).await, world.import(client).await, world.import(client).await];
    let ends = world.import(ends).await;
    let due = async |id| world.connection(id).await.due_at;
    let resting = due(rests).await;
    app::connection::pause(&world.app, &world.admin, rests).await.unwrap();
    world.control().set(|settings| settings.retry_after = 5 * 60 * 60);
    world.control().fail_next(Fault::RateLimited, 1);
    // Whether whoever asked hears of it is not what this is about.
    let _heard = app::connection::refresh(&world.app, &world.admin, refused).await;
    let waits = due(refused).await.unwrap();
    assert!(waits > world.now() + Duration::hours(4), "{waits}");
    let first = due(silent).await.unwrap();
    assert!(first > world.now() + Duration::days(100));
    let known = due(ends).await;
    plan(&world).await;
    assert_eq!(due(silent).await, Some(first), "its profile asks for nothing sooner");

    comes_to_refresh(&world).await;
    plan(&world).await;
    let at = due(silent).await.unwrap();
    assert!(world.now() <= at && at <= world.now() + Duration::hours(1));
    assert_eq!((due(ends).await, due(rests).await), (known, None));
    assert_eq!(due(refused).await, Some(waits), "what the provider put off stays put off");
    plan(&world).await;
    assert_eq!(due(silent).await, Some(at), "once");

    app::connection::resume(&world.app, &world.admin, rests, None).await.unwrap();
    assert_eq!(due(rests).await, resting, "as it was");
    plan(&world).await;
    assert!(due(rests).await.unwrap() <= world.now() + Duration::hours(1));
}

/// What a profile came to say of its access tokens holds for those that were stored before.
#[sqlx::test]
async fn a_lifetime_that_the_profile_names_now_is_not_taken_for_an_hour(pool: PgPool) {
    let world = World::new(pool).await;
    let client = left_alone(&world, None).await;
    let id = world.import(client).await;
    let mut profile = app::provider::get(&world.app, &world.admin, "dear").await.unwrap().profile;
    profile.lifetimes.access_seconds = Some(60 * 24 * 60 * 60);
    app::provider::update(&world.app, &world.admin, "dear", profile).await.unwrap();
    for _ in 0..2 {
        plan(&world).await;
        let due = world.connection(id).await.due_at.expect("a next refresh");
        assert!(due > world.now() + Duration::days(50), "{due}");
        comes_to_refresh(&world).await;
    }
}
