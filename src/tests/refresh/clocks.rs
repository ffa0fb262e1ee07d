//! Points 9 and 10: both clocks are watched, and the margin fits the lifetime.

use std::collections::BTreeSet;

use sqlx::PgPool;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::{
    domain::{
        access::Role,
        connection::{Reason, State},
        provider::{RefreshLifetime, WithoutExpiry},
    },
    sandbox::{Client, ExpiryForm, Hold, Issue, TokenForm},
    server::app,
    tests::support::{START, World},
};

#[sqlx::test]
async fn the_access_tokens_end_is_read_in_any_form(pool: PgPool) {
    let world = World::new(pool).await;
    world.provider("silent", |profile| profile.lifetimes.access_seconds = Some(1234)).await;
    world.provider("dumb", |_| {}).await;
    let life = Duration::minutes(10);
    for (provider, expiry, form, expected) in [
        ("silent", ExpiryForm::Seconds, TokenForm::Opaque, Some(life)),
        ("silent", ExpiryForm::SecondsText, TokenForm::Opaque, Some(life)),
        ("silent", ExpiryForm::EpochSeconds, TokenForm::Opaque, Some(life)),
        ("silent", ExpiryForm::EpochMillis, TokenForm::Opaque, Some(life)),
        ("silent", ExpiryForm::Rfc3339, TokenForm::Opaque, Some(life)),
        ("silent", ExpiryForm::Absent, TokenForm::JwtAccess, Some(life)),
        ("silent", ExpiryForm::Absent, TokenForm::Opaque, Some(Duration::seconds(1234))),
        ("dumb", ExpiryForm::Absent, TokenForm::Opaque, None),
    ] {
        let name = format!("{provider} {expiry:?} {form:?}");
        let client = world
            .client_of(provider, &name, |client| {
                client.expiry_form = expiry;
                client.token_form = form;
            })
            .await;
        let id = world.import(client).await;
        for _ in 0..2 {
            let connection = world.connection(id).await;
            let lives = connection.access_expires_at.map(|end| end - world.now());
            assert_eq!(lives, expected, "{name}");
            world.pass(Duration::minutes(1));
            app::connection::refresh(&world.app, &world.admin, id).await.unwrap();
        }
    }
}

#[sqlx::test]
async fn lifetimes_count_from_when_the_request_was_sent(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("slow", |_| {}).await;
    let id = world.import(client).await;
    world.until_due(id).await;
    let sent_at = world.now();
    world.control().hold(Hold::BeforeAnswering);
    let begun = app::refresh::begin_due(&world.app, 10).await.unwrap();
    world.control().until_held(1).await;
    world.pass(Duration::seconds(25));
    world.control().release();
    futures::future::join_all(begun).await;
    let connection = world.connection(id).await;
    assert_eq!(connection.generation, 2);
    assert_eq!(connection.access_expires_at, Some(sent_at + Duration::minutes(10)));
    assert_eq!(connection.obtained_at, Some(sent_at));
    assert_eq!(connection.refresh_expires_at, Some(sent_at + Duration::days(30)));
}

#[sqlx::test]
async fn the_refresh_tokens_end_is_read_where_it_is_told(pool: PgPool) {
    let world = World::new(pool).await;
    world.provider("default", |profile| profile.lifetimes.refresh_seconds = Some(86_400)).await;
    let month = Some(Duration::days(30));
    for (provider, field, form, expected) in [
        ("strict", Some("refresh_token_expires_in"), TokenForm::Opaque, month),
        ("strict", Some("refresh_expires_in"), TokenForm::Opaque, month),
        ("strict", None, TokenForm::Jwt, month),
        ("strict", None, TokenForm::Opaque, None),
        ("default", None, TokenForm::Opaque, Some(Duration::days(1))),
    ] {
        let name = format!("{provider} {field:?} {form:?}");
        let client = world
            .client_of(provider, &name, |client| {
                client.refresh_expiry_field = field;
                client.token_form = form;
            })
            .await;
        let id = world.import(client).await;
        for _ in 0..2 {
            let connection = world.connection(id).await;
            let lives = connection.refresh_expires_at.map(|end| end - world.now());
            assert_eq!(lives, expected, "{name}");
            world.pass(Duration::minutes(1));
            app::connection::refresh(&world.app, &world.admin, id).await.unwrap();
        }
    }
}

#[sqlx::test]
async fn zero_is_no_end(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("zero", |_| {}).await;
    let mut response = world.token_response(client, "alice").await;
    response["refresh_token_expires_in"] = 0.into();
    let connection = world.import_text(client, response.to_string()).await.unwrap();
    assert_eq!(connection.refresh_expires_at, None);
}

/// A fixed lifetime: refreshing does not lengthen it, and a person is needed at its end.
#[sqlx::test]
async fn a_fixed_end_stays_and_calls_for_a_human(pool: PgPool) {
    let world = World::new(pool).await;
    world
        .provider("fixed", |profile| {
            profile.lifetimes.refresh_kind = RefreshLifetime::Fixed;
            profile.lifetimes.refresh_seconds = Some(7200);
        })
        .await;
    let client = world
        .client_of("fixed", "fixed", |client| {
            two_hours(client);
            client.refresh_expiry_field = None;
        })
        .await;
    let id = world.import(client).await;
    assert!(world.connection(id).await.needs_human_by.is_some());
    ends_in_two_hours(&world, id).await;
}

/// The profile knows of no fixed end; the answers show it.
#[sqlx::test]
async fn an_end_that_does_not_move_is_recognised(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("countdown", two_hours).await;
    let id = world.import(client).await;
    assert_eq!(world.connection(id).await.needs_human_by, None);
    world.until_due(id).await;
    world.tick().await;
    world.clock.set(START + Duration::minutes(8));
    ends_in_two_hours(&world, id).await;
}

fn two_hours(client: &mut Client) {
    client.refresh.sliding = false;
    client.refresh.lifetime = Some(Duration::hours(2));
}

async fn ends_in_two_hours(world: &World, id: Uuid) {
    let end = START + Duration::hours(2);
    let mut refreshes = 0;
    while world.reason(id).await.is_none() {
        let connection = world.connection(id).await;
        let off = connection.refresh_expires_at.unwrap() - end;
        assert!(off.abs() < Duration::seconds(2), "{off}");
        assert_eq!(connection.needs_human_by, connection.refresh_expires_at);
        world.until_due(id).await;
        world.tick().await;
        refreshes += 1;
        assert!(refreshes < 25, "it should have ended");
    }
    assert_eq!(world.reason(id).await, Some(Reason::RefreshTokenExpired));
    assert!(world.now() >= end - Duration::seconds(2));
    assert!(refreshes > 10);
}

#[sqlx::test]
async fn an_expired_refresh_token_is_told_from_a_revoked_one(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world
        .client("short", |client| {
            client.refresh.lifetime = Some(Duration::hours(2));
        })
        .await;
    let id = world.import(client).await;
    world.pass(Duration::hours(2));
    world.tick().await;
    assert_eq!(world.reason(id).await, Some(Reason::RefreshTokenExpired));
}

/// Nobody reads this one for months; it lives on.
#[sqlx::test]
async fn an_unused_connection_is_kept_from_idling_out(pool: PgPool) {
    let world = World::new(pool).await;
    world
        .provider("idle", |profile| {
            profile.lifetimes.refresh_idle_seconds = Some(14 * 86_400);
        })
        .await;
    let client = world
        .client_of("idle", "idle", |client| {
            client.access_ttl = Duration::days(60);
            client.refresh.idle = Some(Duration::days(14));
            client.refresh.lifetime = None;
        })
        .await;
    let id = world.import(client).await;
    for _ in 0..8 {
        let due_at = world.connection(id).await.due_at.unwrap();
        assert!(due_at < world.now() + Duration::days(14));
        world.until_due(id).await;
        assert_eq!(world.tick().await, 1);
        assert_eq!(world.state(id).await, State::Active);
    }
    assert!(world.now() > START + Duration::days(60));
}

/// Its page says so; a provider may say that its tokens have no end, or that a refresh is not to be spent on it.
#[sqlx::test]
async fn a_token_without_an_expiry_is_refreshed_every_hour(pool: PgPool) {
    let world = World::new(pool).await;
    let mut admin = world.sign_in(Role::Admin).await;
    for (provider, without_expiry, refreshed, told) in [
        (
            "silent",
            WithoutExpiry::Refresh,
            true,
            "did not say when its access token ends. Regrant refreshes it in",
        ),
        ("dear", WithoutExpiry::Leave, false, "so no refresh is planned"),
        ("lasting", WithoutExpiry::Endless, false, "It needs no refresh."),
    ] {
        world.provider(provider, |profile| profile.lifetimes.without_expiry = without_expiry).await;
        let client = world
            .client_of(provider, provider, |client| {
                client.expiry_form = ExpiryForm::Absent;
                client.refresh.lifetime = None;
            })
            .await;
        let id = world.import(client).await;
        for _ in 0..2 {
            let page = admin.get(&format!("/connections/{id}")).await.text;
            assert!(page.contains(told), "{told} is missing in {page}");
            world.pass(Duration::hours(1));
            world.tick().await;
        }
        let generation = world.connection(id).await.generation;
        assert_eq!(generation, if refreshed { 3 } else { 1 }, "{provider}");
    }
}

#[sqlx::test]
async fn a_short_token_is_not_refreshed_at_every_look(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("short", |client| client.access_ttl = Duration::minutes(5)).await;
    let id = world.import(client).await;
    for _ in 0..30 * 60 / 5 {
        world.pass(Duration::seconds(5));
        world.tick().await;
        let left = world.connection(id).await.access_expires_at.unwrap() - world.now();
        assert!(left > Duration::seconds(60), "{left}: readers always find some life in it");
    }
    let refreshes = world.refreshes().len();
    assert!((6..=9).contains(&refreshes), "{refreshes} in half an hour");
}

#[sqlx::test]
async fn a_provider_that_counts_requests_is_asked_late(pool: PgPool) {
    let world = World::new(pool).await;
    world.provider("counting", |profile| profile.policy.refresh_late = true).await;
    let client =
        world.client_of("counting", "late", |client| client.access_ttl = Duration::hours(1)).await;
    let usual = world.client("usual", |client| client.access_ttl = Duration::hours(1)).await;
    let left = async |id| {
        let connection = world.connection(id).await;
        connection.access_expires_at.unwrap() - connection.due_at.unwrap()
    };
    let late = world.import(client).await;
    assert!(left(late).await <= Duration::minutes(3));
    assert!(left(late).await >= Duration::minutes(1), "late, but not too late");
    let usual = world.import(usual).await;
    assert!(left(usual).await >= Duration::minutes(10));
}

#[sqlx::test]
async fn what_was_issued_together_does_not_fall_due_together(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("many", |_| {}).await;
    let mut due: BTreeSet<OffsetDateTime> = BTreeSet::new();
    let mut ids = Vec::new();
    for _ in 0..30 {
        let id = world.import(client).await;
        due.insert(world.connection(id).await.due_at.unwrap());
        ids.push(id);
    }
    assert!(due.len() > 25);
    let spread = *due.last().unwrap() - *due.first().unwrap();
    assert!(spread > Duration::seconds(30), "{spread}");
    // And not after the first refresh either, when all were refreshed in one go.
    world.pass(Duration::minutes(9));
    assert_eq!(world.tick().await, 30);
    let mut due = BTreeSet::new();
    for id in ids {
        due.insert(world.connection(id).await.due_at.unwrap());
    }
    assert!(due.len() > 25);
}

#[sqlx::test]
async fn without_a_refresh_token_it_needs_a_person_when_it_ends_and_not_before(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("once", |client| client.refresh.issue = Issue::Never).await;
    let id = world.import(client).await;
    let end = world.connection(id).await.access_expires_at;
    assert_eq!(world.connection(id).await.needs_human_by, end);
    world.pass(Duration::minutes(10) - Duration::seconds(1));
    world.tick().await;
    assert_eq!(world.state(id).await, State::Active);
    // The button and a reader in a hurry change nothing.
    let pressed = app::connection::refresh(&world.app, &world.admin, id).await;
    assert!(matches!(pressed, Err(app::Error::Conflict(_))));
    assert!(world.token(id, Duration::hours(1)).await.is_ok());
    assert_eq!(world.state(id).await, State::Active);
    assert_eq!(world.attempts(id).await, []);

    world.pass(Duration::seconds(1));
    assert_eq!(world.tick().await, 1);
    assert_eq!(world.reason(id).await, Some(Reason::NoRefreshToken));
    assert_eq!(world.audit("connection.condemned").await.len(), 1);
    assert!(matches!(
        world.token(id, Duration::ZERO).await,
        Err(app::Error::ReauthRequired(Reason::NoRefreshToken))
    ));
    assert_eq!(world.sandbox.log().len(), 0, "there was nothing to ask for");
}
