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
    domain::provider::{AccountSource, IdentityOrigin},
    server::app::{Actor, connection::flow},
    tests::support::{World, new_connection},
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

/// The code is spent: a provider that is busy for a moment costs nobody their grant.
#[sqlx::test]
async fn a_provider_that_does_not_say_whose_a_grant_is_is_asked_again(pool: PgPool) {
    let world = World::new(pool).await;
    let asked = Arc::new(AtomicUsize::new(0));
    let answer = {
        let asked = asked.clone();
        move || async move {
            match asked.fetch_add(1, Ordering::Relaxed) {
                0 => Err(StatusCode::TOO_MANY_REQUESTS),
                _ => Ok(axum::Json(json!({ "sub": "somebody" }))),
            }
        }
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let at = listener.local_addr().unwrap();
    let router = axum::Router::new().route("/me", axum::routing::get(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    world
        .provider("busy", |profile| {
            profile.endpoints.userinfo = Some(format!("http://{at}/me"));
            let (from, pointer) = (IdentityOrigin::Userinfo, "/sub".into());
            profile.response.account.id = vec![AccountSource { from, pointer }];
        })
        .await;
    let client = world.client_of("busy", "busy", |_| {}).await;
    let mut conn = world.app.pool().acquire().await.unwrap();
    let caller = Caller::load(&world.app, &mut conn, client, Vec::new()).await.unwrap();
    drop(conn);
    let given = granted(&world, &json!({ "access_token": "a", "refresh_token": "r" }));
    let account = identify_patiently(&world.app, &caller, &given).await;
    assert_eq!(account.map(|account| account.id).as_deref(), Some("somebody"));
    assert_eq!(asked.load(Ordering::Relaxed), 2);
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
    let consent = Consent {
        connection_id: id,
        relink: None,
        device: None,
        flow_id: None,
        who: (&Actor::Operator).into(),
    };
    let mut conn = world.pool.acquire().await.unwrap();
    let caller = Caller::load(&world.app, &mut conn, client, Vec::new()).await.unwrap();
    drop(conn);
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
    let mut conn = world.pool.acquire().await.unwrap();
    let caller = Caller::load(&world.app, &mut conn, client, Vec::new()).await.unwrap();
    let consent = Consent {
        connection_id: id,
        relink: None,
        device: None,
        flow_id: None,
        who: (&Actor::Operator).into(),
    };
    let given = granted(&world, &response);
    let arrival = Arrival::new(&world.app, given, &caller, Purpose::Consent(consent));
    let waited = receive_within(&world.app, arrival, caller, Duration::ZERO).await;
    assert_eq!(waited.unwrap(), None);
    world.until_count("SELECT count(*) FROM connections WHERE state = 'active'", 1).await;
    assert_eq!(world.generation(id).await, 1);
}
