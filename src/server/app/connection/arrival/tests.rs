use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::http::StatusCode;
use serde_json::json;
use sqlx::PgPool;
use tokio::net::TcpListener;

use super::*;
use crate::{
    domain::provider::{AccountSource, IdentityOrigin, Profile},
    server::app::{
        Actor,
        connection::{account, flow},
        refresh::flights::Hand,
    },
    tests::support::{Told, World, new_connection},
};

fn granted(world: &World, response: &serde_json::Value) -> Grant {
    let text = |name: &str| response[name].as_str().unwrap_or_default().to_owned();
    Grant {
        access_token: text("access_token").into(),
        refresh_token: Some(text("refresh_token").into()),
        id_token: None,
        token_type: text("token_type"),
        scopes: None,
        access_expires_at: Some(world.now() + time::Duration::hours(1)),
        refresh_expires_at: None,
        account: None,
        extras: serde_json::Map::new(),
        obtained_at: world.now(),
    }
}

fn consent(connection_id: Uuid) -> Consent {
    let who = (&Actor::Operator).into();
    Consent { connection_id, relink: None, device: None, flow_id: None, newest: None, who }
}

async fn caller(world: &World, client: Uuid) -> Caller {
    let mut conn = world.pool.acquire().await.unwrap();
    Caller::load(&world.app, &mut conn, client, Vec::new()).await.unwrap()
}

/// The code is spent: a provider that is busy for a moment costs nobody their grant.
#[sqlx::test]
async fn a_provider_that_does_not_say_whose_a_grant_is_is_asked_again(pool: PgPool) {
    let world = World::new(pool).await;
    let asked = Arc::new(AtomicUsize::new(0));
    let client = busy_client(&world, asked.clone()).await;
    let caller = caller(&world, client).await;
    let given = granted(&world, &json!({ "access_token": "a", "refresh_token": "r" }));
    let account = identify_patiently(&world.app, &caller, &given).await;
    assert_eq!(account.map(|account| account.id).as_deref(), Some("somebody"));
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}

/// A client whose provider says whose a grant is when it is asked for the second time.
async fn busy_client(world: &World, asked: Arc<AtomicUsize>) -> Uuid {
    let answer = move || async move {
        match asked.fetch_add(1, Ordering::Relaxed) {
            0 => Err(StatusCode::TOO_MANY_REQUESTS),
            _ => Ok(axum::Json(json!({ "sub": "somebody" }))),
        }
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let at = listener.local_addr().unwrap();
    let router = axum::Router::new().route("/me", axum::routing::get(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    world
        .provider("busy", |profile: &mut Profile| {
            profile.endpoints.userinfo = Some(format!("http://{at}/me"));
            profile.response.id_token.clear();
            let (from, pointer) = (IdentityOrigin::Userinfo, "/sub".into());
            profile.response.account.id = vec![AccountSource { from, pointer }];
        })
        .await;
    world.client_of("busy", "busy", |_| {}).await
}

/// When its code was spent there was no account to compare with; by the time it is stored there is one.
#[sqlx::test]
async fn a_connection_that_gets_its_account_meanwhile_takes_the_grant_all_the_same(pool: PgPool) {
    let world = World::new(pool).await;
    let client = busy_client(&world, Arc::default()).await;
    let id = world.import(client).await;
    assert_eq!(world.connection(id).await.account_id, None);
    for (account, outcome) in [("somebody", Outcome::Done), ("another", Outcome::WrongAccount)] {
        let name = "UPDATE connections SET account_id = $1";
        sqlx::query(name).bind(account).execute(&world.pool).await.unwrap();
        world.pass(time::Duration::minutes(1));
        let given = granted(&world, &world.token_response(client, "alice").await);
        let caller = caller(&world, client).await;
        let arrival = Arrival::new(&world.app, given, &caller, Purpose::Consent(consent(id)));
        let settled = receive(&world.app, arrival, caller).await.unwrap();
        assert_eq!(settled.map(|settled| settled.outcome), Some(outcome), "{account}");
    }
    assert_eq!(world.generation(id).await, 2);
    assert_eq!(world.audit("connection.consent_failed").await.len(), 1);
}

/// It took long to find out whose the older one is, and it is offered for the first time.
#[sqlx::test]
async fn an_older_consent_is_not_put_over_a_newer_one(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let id = world.import(client).await;
    let mut given = Vec::new();
    for _ in 0..2 {
        world.pass(time::Duration::minutes(1));
        let response = world.token_response(client, "alice").await;
        let account = world.connection(id).await.account_id;
        let account = account.map(|id| Account { id, label: None });
        given.push(Grant { account, ..granted(&world, &response) });
    }
    let caller = caller(&world, client).await;
    let mut outcomes = Vec::new();
    for given in given.iter().rev() {
        let mut conn = world.pool.acquire().await.unwrap();
        let consent = consent(id);
        let settled = settle::settle(&world.app, &mut conn, &consent, &caller, given, false).await;
        outcomes.push(settled.unwrap().unwrap().outcome);
    }
    assert_eq!(outcomes, [Outcome::Done, Outcome::Expired]);
    assert_eq!(world.generation(id).await, 2);
}

/// The database's clock was ahead when it was consented to for the first time, and is right again.
#[sqlx::test]
async fn a_consent_is_newer_than_what_was_there_when_it_was_spent(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let id = world.import(client).await;
    world.execute("UPDATE connections SET consented_at = consented_at + interval '1 hour'").await;
    let mut conn = world.pool.acquire().await.unwrap();
    let newest = store::connection::consented_at(&mut conn, id).await.unwrap();
    let response = world.token_response(client, "alice").await;
    let account = world.connection(id).await.account_id;
    let account = account.map(|id| Account { id, label: None });
    let given = Grant { account, ..granted(&world, &response) };
    let (consent, caller) = (Consent { newest, ..consent(id) }, caller(&world, client).await);
    let settled = settle::settle(&world.app, &mut conn, &consent, &caller, &given, false).await;
    assert_eq!(settled.unwrap(), Some(Settled::done(id)));
}

/// A clock that jumped says that a lease is over, while its holder waits for the provider's answer.
#[sqlx::test]
async fn what_goes_on_with_a_token_waits_for_its_refresh_whatever_clocks_say(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let id = world.import(client).await;
    let lease = "UPDATE connections SET lease_id = gen_random_uuid(), leased_until = $1";
    sqlx::query(lease).bind(world.now()).execute(&world.pool).await.unwrap();
    let response = world.token_response(client, "alice").await;
    let account = world.connection(id).await.account_id;
    let account = account.map(|id| Account { id, label: None });
    world.pass(time::Duration::minutes(1));
    let given = Grant { account, refresh_token: None, ..granted(&world, &response) };
    let (consent, caller) = (consent(id), caller(&world, client).await);
    let mut conn = world.pool.acquire().await.unwrap();
    let hand = Hand::take(world.app.flights(), id, world.app.new_id());
    let settled = settle::settle(&world.app, &mut conn, &consent, &caller, &given, false).await;
    assert_eq!(settled.unwrap(), None, "it is in hand here");
    drop(hand);
    let settled = settle::settle(&world.app, &mut conn, &consent, &caller, &given, false).await;
    assert_eq!(settled.unwrap(), Some(Settled::done(id)));
}

/// The same of another replica: it has the time to prolong its lease, or to bring its answer.
#[sqlx::test]
async fn what_goes_on_with_a_token_waits_for_whoever_may_still_refresh_it(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let id = world.import(client).await;
    let lease = "UPDATE connections SET lease_id = gen_random_uuid(),
                        leased_until = clock_timestamp() - interval '1 second'";
    world.execute(lease).await;
    let response = world.token_response(client, "alice").await;
    let account = world.connection(id).await.account_id;
    let account = account.map(|id| Account { id, label: None });
    world.pass(time::Duration::minutes(1));
    let given = Grant { account, refresh_token: None, ..granted(&world, &response) };
    let (consent, caller) = (consent(id), caller(&world, client).await);
    let clock = Told::new();
    let app = world.replica_by(clock.clone(), "another").await;
    let settled = async || {
        let mut conn = world.pool.acquire().await.unwrap();
        settle::settle(&app, &mut conn, &consent, &caller, &given, false).await.unwrap()
    };
    assert_eq!(settled().await, None, "it has only just come");
    clock.keep_in_touch(&app);
    *clock.off.lock().unwrap() = time::Duration::hours(-1);
    for _ in 0..7 {
        assert_eq!(settled().await, None, "the database's clock jumped");
        clock.pass(3);
    }
    assert_eq!(settled().await, Some(Settled::done(id)));
}

/// The refresh token that was to go on can't be read any more: the grant is worth keeping without it.
#[sqlx::test]
async fn a_kept_token_that_is_damaged_costs_no_grant(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let id = world.import(client).await;
    world.execute("UPDATE token_sets SET sealed_refresh_token = 'damaged'").await;
    world.pass(time::Duration::minutes(1));
    let response = world.token_response(client, "alice").await;
    let account = world.connection(id).await.account_id;
    let account = account.map(|id| Account { id, label: None });
    let given = Grant { account, refresh_token: None, ..granted(&world, &response) };
    let caller = caller(&world, client).await;
    let mut conn = world.pool.acquire().await.unwrap();
    let settled = settle::settle(&world.app, &mut conn, &consent(id), &caller, &given, false).await;
    assert_eq!(settled.unwrap(), Some(Settled::done(id)));
    let connection = world.connection(id).await;
    assert_eq!((connection.generation, connection.has_refresh_token), (2, false));
}

/// The database took the grant and could not say so; before it is offered again it is refreshed.
/// Offered again it must not take the place of its own successor.
#[sqlx::test]
async fn a_grant_that_was_stored_unheard_is_not_stored_over_its_successor(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let id = world.import(client).await;
    world.pass(time::Duration::minutes(1));
    let response = world.token_response(client, "alice").await;
    let account = world.connection(id).await.account_id;
    let account = account.map(|id| Account { id, label: None });
    let given = Grant { account, ..granted(&world, &response) };
    let (consent, caller) = (consent(id), caller(&world, client).await);
    for (is_again, generation) in [(false, 2), (true, 3)] {
        let mut conn = world.pool.acquire().await.unwrap();
        let settled =
            settle::settle(&world.app, &mut conn, &consent, &caller, &given, is_again).await;
        assert_eq!(settled.unwrap(), Some(Settled::done(id)));
        drop(conn);
        assert_eq!(world.generation(id).await, generation);
        world.until_due(id).await;
        assert_eq!(world.tick().await, 1);
        assert_eq!(world.generation(id).await, generation + 1);
    }
}

/// Whoever waits is told the truth before long, and nothing depends on their waiting.
#[sqlx::test]
async fn a_grant_is_stored_after_nobody_waits_for_it_any_more(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let made = flow::create(&world.app, &Actor::Operator, new_connection(client)).await;
    let id = made.unwrap().0.id;
    let response = world.token_response(client, "alice").await;
    let (consent, caller) = (consent(id), caller(&world, client).await);
    let given = granted(&world, &response);
    let arrival = Arrival::new(&world.app, given, &caller, Purpose::Consent(consent));
    let waited = receive_within(&world.app, arrival, caller, Duration::ZERO).await;
    assert_eq!(waited.unwrap(), None);
    world.until_count("SELECT count(*) FROM connections WHERE state = 'active'", 1).await;
    assert_eq!(world.generation(id).await, 1);
}

/// Its process died when it was stored, before anybody was asked: another one asks.
#[sqlx::test]
async fn whose_a_grant_is_is_asked_even_if_its_process_dies(pool: PgPool) {
    let world = World::new(pool).await;
    let client = busy_client(&world, Arc::new(AtomicUsize::new(1))).await;
    let made = flow::create(&world.app, &Actor::Operator, new_connection(client)).await;
    let id = made.unwrap().0.id;
    let given = granted(&world, &world.token_response(client, "alice").await);
    let caller = caller(&world, client).await;
    let mut conn = world.pool.acquire().await.unwrap();
    let settled = settle::settle(&world.app, &mut conn, &consent(id), &caller, &given, false).await;
    assert_eq!(settled.unwrap(), Some(Settled::done(id)));
    drop(conn);

    // Who stored it would be asking now.
    assert_eq!(account::ask_due(&world.app).await.unwrap(), 0);
    world.pass(NAMED_WITHIN);
    assert_eq!(account::ask_due(&world.app).await.unwrap(), 1);
    assert_eq!(world.connection(id).await.account_id.as_deref(), Some("somebody"));
    assert_eq!(world.count("SELECT count(*) FROM account_questions").await, 0);
}

/// Who stores a grant and lives asks at once, and leaves nothing to be asked.
#[sqlx::test]
async fn a_grant_that_has_its_name_is_not_asked_about_again(pool: PgPool) {
    let world = World::new(pool).await;
    let asked = Arc::new(AtomicUsize::new(1));
    let client = busy_client(&world, asked.clone()).await;
    let id = world.import(client).await;
    assert_eq!(world.connection(id).await.account_id.as_deref(), Some("somebody"));
    world.pass(NAMED_WITHIN);
    assert_eq!(account::ask_due(&world.app).await.unwrap(), 0);
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}
