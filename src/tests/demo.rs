//! Sample data is data: rows that every reader understands, tokens that open, grants that a provider
//! refreshes.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    ops::Range,
};

use sqlx::PgPool;
use time::Duration;
use uuid::Uuid;

use super::support::World;
use crate::{
    domain::{
        attempt::Verdict,
        connection::{Connection, ConnectionFilter, StateName},
        page::Paging,
    },
    sandbox,
    server::app::{
        self, Actor,
        demo::{Life, Plan, REFRESH_TOKEN},
    },
};

async fn sample_client(world: &World, id: &str) -> Uuid {
    world.client(id, |client| client.inherits = Some(REFRESH_TOKEN)).await
}

async fn fill(world: &World, clients: &[Uuid], numbers: Range<u64>, attempts: u32, life: Life) {
    let plan = Plan { clients: clients.to_vec(), numbers, attempts, seed: 1, life };
    app::demo::fill(&world.app, &Actor::Operator, plan).await.expect("sample data");
}

async fn all(world: &World) -> Vec<Connection> {
    let (mut found, mut cursor) = (Vec::new(), None);
    loop {
        let paging = Paging { cursor, limit: Some(200) };
        let filter = ConnectionFilter::default();
        let page = app::connection::list(&world.app, &Actor::System, &filter, &paging).await;
        let page = page.expect("a list").page;
        found.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            return found;
        }
    }
}

#[sqlx::test]
async fn a_grown_house_can_be_read_in_every_part(pool: PgPool) {
    let world = World::new(pool).await;
    let clients = [sample_client(&world, "one").await, sample_client(&world, "two").await];
    fill(&world, &clients, 0..1200, 6, Life::Grown).await;
    let connections = all(&world).await;
    assert_eq!(connections.len(), 1200);
    let states: BTreeSet<&str> = connections.iter().map(|one| one.state.name().as_str()).collect();
    assert_eq!(states.len(), StateName::ALL.len());
    assert_eq!(world.count("SELECT count(*) FROM audit WHERE subject_id IS NOT NULL").await, {
        let ended = [StateName::NeedsReauth, StateName::Disconnected];
        let ended = connections.iter().filter(|one| ended.contains(&one.state.name()));
        // The provider and the two clients are in the log too.
        i64::try_from(connections.len() + ended.count() + 3).unwrap()
    });
    for connection in connections.iter().step_by(40) {
        let id = connection.id;
        let attempts = world.attempts(id).await;
        match connection.state.name() {
            StateName::Pending => assert_eq!((attempts.len(), connection.generation), (0, 0)),
            name => {
                let refreshed =
                    attempts.iter().filter(|one| one.verdict == Some(Verdict::Refreshed)).count();
                assert_eq!(attempts.len(), 6, "{name:?}");
                assert_eq!(connection.generation, 1 + i64::try_from(refreshed).unwrap());
                for pair in attempts.windows(2) {
                    let kept = pair[0].fingerprint_before.as_ref();
                    let known = pair[0].fingerprint_after.as_ref().or(kept);
                    assert_eq!(pair[1].fingerprint_before.as_ref(), known);
                }
            }
        }
        app::connection::detail(&world.app, &Actor::System, id).await.expect("a page");
        if connection.state.name() == StateName::Active {
            let given = world.token(id, Duration::ZERO).await.expect("a token that opens");
            assert_eq!(given.generation, connection.generation);
        }
    }
}

#[sqlx::test]
async fn a_sample_connection_is_refreshed_like_any_other(pool: PgPool) {
    let world = World::new(pool).await;
    let client = sample_client(&world, "one").await;
    let way = |at: f64| Life::Even { lifetime: Duration::hours(1), way: at..at };
    fill(&world, &[client], 0..5, 2, way(1.0)).await;
    fill(&world, &[client], 5..8, 2, way(0.5)).await;
    assert_eq!(world.tick().await, 5);
    let generations: Vec<i64> = all(&world).await.iter().map(|one| one.generation).collect();
    assert_eq!(generations.iter().filter(|generation| **generation == 4).count(), 5);
    assert_eq!(world.refreshes().iter().filter(|request| request.status == 200).count(), 5);
    // The next token is the provider's own, and the sample one was good for one time.
    let refreshed = all(&world).await.into_iter().find(|one| one.generation == 4).unwrap();
    world.until_due(refreshed.id).await;
    world.tick().await;
    assert_eq!(world.generation(refreshed.id).await, 5);
}

#[sqlx::test]
async fn what_is_shown_as_retrying_stays_so_and_nothing_else_does(pool: PgPool) {
    let world = World::new(pool).await;
    let listen = (Ipv4Addr::LOCALHOST, 0).into();
    let demo = sandbox::demo::prepare(&world.app, listen, None, |_| {}).await.expect("a demo");
    let states = async || -> BTreeMap<String, StateName> {
        all(&world).await.into_iter().map(|one| (one.label, one.state.name())).collect()
    };
    let before = states().await;
    for _ in 0..12 {
        world.pass(Duration::minutes(10));
        world.tick().await;
    }
    assert_eq!(states().await, before);
    let retrying: Vec<&String> = before
        .iter()
        .filter(|(_, state)| **state == StateName::Retrying)
        .map(|one| one.0)
        .collect();
    assert_eq!(retrying, ["Alice's contacts"]);
    demo.end().await;
}

#[sqlx::test]
async fn only_a_demo_is_emptied(pool: PgPool) {
    let world = World::new(pool).await;
    let client = sample_client(&world, "one").await;
    fill(&world, &[client], 0..3, 1, Life::Grown).await;
    assert!(!app::demo::clear(&world.app, &[], &["other"]).await.unwrap());
    assert_eq!(all(&world).await.len(), 3);
    assert!(app::demo::clear(&world.app, &[], &["strict"]).await.unwrap());
    assert_eq!(all(&world).await.len(), 0);
}
