//! What the questions may cost: nothing that connections live by, and no more of the provider's time than its
//! client has.

use futures::future::join;
use sqlx::PgPool;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{check, found, only, provider_wants_another};
use crate::{
    domain::access::Scope,
    sandbox::{Fault, Hold},
    server::{app, store},
    tests::support::{PROVIDER, SECRET, World},
};

/// The same OAuth client once more, under another name.
async fn registered_again(world: &World, provider: &str, oauth_client_id: &str) -> Uuid {
    let new = app::client::NewClient {
        provider: provider.into(),
        name: "Registered again".into(),
        oauth_client_id: oauth_client_id.into(),
        client_secret: Some(SECRET.into()),
        scopes: Vec::new(),
        variables: Default::default(),
    };
    app::client::create(&world.app, &world.admin, new).await.unwrap().id
}

fn own_tokens(world: &World) -> usize {
    let own =
        |asked: &crate::sandbox::TokenRequest| asked.grant.as_deref() == Some("client_credentials");
    world.sandbox.log().iter().filter(|asked| own(asked)).count()
}

#[sqlx::test]
async fn a_token_is_asked_for_only_where_nothing_else_tells(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let told = check(&world, client).await;
    assert_eq!(found(&told).0, "accepted");
    assert_ne!(found(&told).1, Some("client_credentials"));
    assert_eq!(own_tokens(&world), 0);
}

#[sqlx::test]
async fn connections_of_another_registration_of_the_client_count_too(pool: PgPool) {
    let world = World::new(pool).await;
    let url = world.sandbox.url().to_owned();
    world.provider("own", only("client_credentials", url)).await;
    let first = world.client_of("own", "own", |_| {}).await;
    let id = world.import(first).await;
    let again = registered_again(&world, "own", "own").await;
    assert_eq!(found(&check(&world, again).await), ("unknown", None, Some("in_use")));
    assert_eq!(own_tokens(&world), 0);
    app::connection::disconnect(&world.app, &world.admin, id, false).await.unwrap();
    assert_eq!(found(&check(&world, again).await).0, "accepted");
}

/// The provider's preset was copied, and the same client registered with the copy.
#[sqlx::test]
async fn connections_of_the_client_at_a_copy_of_the_provider_count_too(pool: PgPool) {
    let world = World::new(pool).await;
    for slug in ["own", "copy"] {
        world.provider(slug, only("client_credentials", world.sandbox.url().to_owned())).await;
    }
    let first = world.client_of("own", "own", |_| {}).await;
    world.import(first).await;
    let again = registered_again(&world, "copy", "own").await;
    assert_eq!(found(&check(&world, again).await), ("unknown", None, Some("in_use")));
    assert_eq!(own_tokens(&world), 0);
}

/// Checks while the client's provider asks for a pause after the first question.
async fn check_until_paused(world: &World, client: Uuid) -> serde_json::Value {
    world.control().hold(Hold::BeforeProcessing);
    let pausing = async {
        world.control().until_held(1).await;
        let mut conn = world.pool.acquire().await.unwrap();
        let until = world.now() + Duration::minutes(5);
        store::client::limit::pause(&mut conn, client, until).await.unwrap();
        world.control().release();
    };
    join(check(world, client), pausing).await.0
}

/// What was heard is told, also where there is no turn for the question after it.
#[sqlx::test]
async fn what_was_heard_before_the_turns_ended_is_told(pool: PgPool) {
    let world = World::new(pool).await;
    let url = world.sandbox.url().to_owned();
    world
        .provider("slow", |profile| {
            only("code", url)(profile);
            profile.renewal = crate::domain::provider::Renewal::RefreshToken;
        })
        .await;
    let client = world.client_of("slow", "slow", |_| {}).await;
    let told = check_until_paused(&world, client).await;
    assert_eq!(found(&told), ("unknown", None, Some("no_turn")));
    let mut conn = world.pool.acquire().await.unwrap();
    store::client::limit::end_pause(&mut conn, client).await.unwrap();
    drop(conn);
    provider_wants_another(&world, "slow");
    let told = check_until_paused(&world, client).await;
    assert_eq!(found(&told), ("refused", Some("code"), None));
    let begun = world.audit("client.begin_check").await.len();
    assert_eq!((begun, world.audit("client.check").await.len()), (2, 2));
}

/// Whoever asked died, and then the database's clock was set back: its place seems to be held for an hour.
#[sqlx::test]
async fn a_place_of_another_time_is_free(pool: PgPool) {
    let world = World::new(pool).await;
    world.provider("narrow", |profile| profile.policy.concurrency = Some(1)).await;
    let client = world.client_of("narrow", "narrow", |_| {}).await;
    let id = world.import(client).await;
    world.until_due(id).await;
    let held = "UPDATE clients SET question_id = gen_random_uuid(), question_until = $1";
    let hold = async || {
        let until = world.now() + Duration::hours(1);
        sqlx::query(held).bind(until).execute(&world.pool).await.unwrap();
    };
    hold().await;
    assert_eq!(world.tick().await, 1);
    assert_eq!(world.generation(id).await, 2);
    hold().await;
    assert_eq!(found(&check(&world, client).await).0, "accepted");
}

/// While the question waits for its turn somebody connects.
#[sqlx::test]
async fn what_was_connected_while_the_question_waited_counts(pool: PgPool) {
    let world = World::new(pool).await;
    let url = world.sandbox.url().to_owned();
    world.provider("own", only("client_credentials", url)).await;
    let first = world.client_of("own", "own", |_| {}).await;
    let again = registered_again(&world, "own", "own").await;
    let mut tx = world.pool.begin().await.unwrap();
    store::client::lock(&mut tx, &[again]).await.unwrap();
    let connecting = async {
        world
            .until_count("SELECT count(*) FROM audit WHERE action = 'client.begin_check'", 1)
            .await;
        world.import(first).await;
        tx.commit().await.unwrap();
    };
    let (told, ()) = join(check(&world, again), connecting).await;
    assert_eq!(found(&told), ("unknown", None, Some("in_use")));
    assert_eq!(own_tokens(&world), 0);
}

/// Each question is one request, and a pause that the provider asked for is kept.
#[sqlx::test]
async fn the_clients_limits_are_kept(pool: PgPool) {
    let world = World::new(pool).await;
    world.provider("rated", |profile| profile.policy.requests_per_minute = Some(60)).await;
    let client = world.client_of("rated", "rated", |_| {}).await;
    // By revocation, and once more in disguise, which the sandbox refuses.
    check(&world, client).await;
    let spent: OffsetDateTime =
        sqlx::query_scalar("SELECT next_request_at FROM clients WHERE id = $1")
            .bind(client)
            .fetch_one(&world.pool)
            .await
            .unwrap();
    assert_eq!(spent - world.now(), Duration::seconds(2));

    let until = world.now() + Duration::minutes(5);
    let mut conn = world.pool.acquire().await.unwrap();
    store::client::limit::pause(&mut conn, client, until).await.unwrap();
    drop(conn);
    let asked = world.sandbox.log().len();
    let program = world.program(&[Scope::ClientsWrite]).await;
    let refused = program.press(&format!("/clients/{client}/check")).await;
    assert_eq!(refused.refusal(), (503, "provider_unavailable".into()));
    assert_eq!(refused.header("retry-after"), "300");
    // Nobody asked for a refresh.
    let told = refused.text.to_lowercase();
    assert!(told.contains("asked for a pause") && !told.contains("refresh"), "{told}");
    assert_eq!(world.sandbox.log().len(), asked);
}

#[sqlx::test]
async fn a_provider_that_asks_for_a_pause_is_left_alone(pool: PgPool) {
    let world = World::new(pool).await;
    let url = world.sandbox.url().to_owned();
    world.provider("busy", only("code", url)).await;
    let client = world.client_of("busy", "busy", |_| {}).await;
    world.control().set(|settings| settings.retry_after = 120);
    world.control().fail_next(Fault::RateLimited, 1);
    let told = check(&world, client).await;
    assert_eq!(found(&told), ("unknown", None, Some("unanswered")));
    let paused_until = world.client_now(client).await.paused_until;
    assert_eq!(paused_until, Some(world.now() + Duration::minutes(2)));
}

/// A question is under way like a refresh: beside it there is one place less.
#[sqlx::test]
async fn a_question_holds_a_place(pool: PgPool) {
    let world = World::new(pool).await;
    let url = world.sandbox.url().to_owned();
    world
        .provider("narrow", |profile| {
            only("code", url)(profile);
            profile.renewal = crate::domain::provider::Renewal::RefreshToken;
            profile.policy.concurrency = Some(1);
        })
        .await;
    let client = world.client_of("narrow", "narrow", |_| {}).await;
    let id = world.import(client).await;
    world.until_due(id).await;
    world.control().hold(Hold::BeforeProcessing);
    let watching = async {
        world.control().until_held(1).await;
        assert_eq!(world.tick().await, 0, "the one place is taken");
        world.control().release();
    };
    let (told, ()) = join(check(&world, client), watching).await;
    assert_eq!(found(&told).0, "accepted");
    assert_eq!(world.tick().await, 1);
    assert_eq!(world.generation(id).await, 2);
}

/// Whoever asked closes the page.
#[sqlx::test]
async fn what_was_sent_is_on_record_whoever_goes_away(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client_of(PROVIDER, "one", |_| {}).await;
    world.control().hold(Hold::BeforeAnswering);
    let asked = tokio::spawn({
        let (app, actor) = (world.app.clone(), world.admin.clone());
        async move { app::client::check::run(&app, &actor, client).await }
    });
    world.control().until_held(1).await;
    assert_eq!(world.audit("client.begin_check").await.len(), 1);
    asked.abort();
    assert!(asked.await.unwrap_err().is_cancelled());
    world.control().release();
    world.until_count("SELECT count(*) FROM audit WHERE action = 'client.check'", 1).await;
    let told = &world.audit("client.check").await[0];
    assert_eq!(told.detail["finding"], "accepted");
}
