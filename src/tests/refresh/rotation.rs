//! Point 8: rotation is followed, silence keeps what we have, and every generation leaves its
//! fingerprint.

use sqlx::{PgPool, Row};

use crate::{
    domain::connection::State,
    sandbox::Rotation,
    tests::support::{PROVIDER, World},
};

#[sqlx::test]
async fn the_newest_refresh_token_is_the_one_that_is_sent(pool: PgPool) {
    let world = World::new(pool).await;
    for (name, rotation) in [
        ("always", Rotation::Always),
        ("sometimes", Rotation::Every(3)),
        ("never", Rotation::Never),
    ] {
        let client = world.client(name, |client| client.refresh.rotation = rotation).await;
        let id = world.import(client).await;
        let before = world.refreshes().len();
        for _ in 0..6 {
            world.until_due(id).await;
            assert_eq!(world.tick().await, 1);
        }
        assert_eq!((world.state(id).await, world.generation(id).await), (State::Active, 7));
        let requests = world.refreshes().split_off(before);
        for pair in requests.windows(2) {
            assert_eq!(pair[0].refresh_out, pair[1].refresh_in, "{name}");
        }
        let mut sent: Vec<_> = requests.iter().map(|request| &request.refresh_in).collect();
        sent.dedup();
        let different = match rotation {
            Rotation::Always => 6,
            Rotation::Every(_) => 2,
            Rotation::Never => 1,
        };
        assert_eq!(sent.len(), different, "{name}");
        crate::server::app::connection::delete(&world.app, &world.admin, id, false).await.unwrap();
    }
}

/// The provider's answer to a refresh has none at the place where this profile looks.
#[sqlx::test]
async fn silence_keeps_the_refresh_token_we_have(pool: PgPool) {
    let world = World::new(pool).await;
    world
        .provider("silent", |profile| profile.response.refresh_token = vec!["/first".into()])
        .await;
    let client = world
        .client_of("silent", "silent", |client| client.refresh.rotation = Rotation::Never)
        .await;
    let mut response = world.token_response(client, "alice").await;
    response["first"] = response["refresh_token"].take();
    let id = world.import_text(client, response.to_string()).await.unwrap().id;
    for _ in 0..3 {
        world.until_due(id).await;
        assert_eq!(world.tick().await, 1);
    }
    assert_eq!((world.state(id).await, world.generation(id).await), (State::Active, 4));
    assert!(world.connection(id).await.has_refresh_token);
}

#[sqlx::test]
async fn every_generation_leaves_its_fingerprint_and_only_the_last_its_tokens(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("always", |_| {}).await;
    let id = world.import(client).await;
    const HELD: &str = "SELECT generation, fingerprint FROM token_sets
                        WHERE sealed_access_token IS NOT NULL AND sealed_refresh_token IS NOT NULL";
    let mut fingerprints: Vec<String> = vec![world.row(HELD).await.get("fingerprint")];
    for generation in 2..=4 {
        world.until_due(id).await;
        world.tick().await;
        let held = world.row(HELD).await;
        assert_eq!(held.get::<i64, _>("generation"), generation);
        fingerprints.push(held.get("fingerprint"));
    }
    assert_eq!(world.count("SELECT count(*) FROM token_sets").await, 1);
    let mut different = fingerprints.clone();
    different.sort();
    different.dedup();
    assert_eq!(different.len(), 4);
    // A keyed hash: not what anyone could make of the token.
    let log = world.refreshes();
    assert!(fingerprints.iter().all(|print| log.iter().all(|request| {
        [&request.refresh_in, &request.refresh_out]
            .into_iter()
            .flatten()
            .all(|hash| !print.starts_with(hash.as_str()))
    })));
    let attempts = world.attempts(id).await;
    assert_eq!(attempts.len(), 3);
    for (attempt, pair) in attempts.iter().zip(fingerprints.windows(2)) {
        assert_eq!(attempt.fingerprint_before.as_deref(), Some(pair[0].as_str()));
        assert_eq!(attempt.fingerprint_after.as_deref(), Some(pair[1].as_str()));
    }
    assert_eq!(PROVIDER, world.connection(id).await.provider);
}
