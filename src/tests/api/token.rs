//! The token endpoint: a live token or a reason, and what the reader asked for.

use futures::future::join_all;
use serde_json::{Value, json};
use sqlx::PgPool;
use time::Duration;
use uuid::Uuid;

use crate::{domain::access::Scope, sandbox::Fault, tests::support::World};

#[sqlx::test]
async fn a_token_has_the_life_that_was_asked_for(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = world.program(&[Scope::Admin]).await;
    let reader = world.program(&[Scope::TokensRead]).await;
    let client = world.client("one", |_| {}).await;
    let connection = admin.import(&world, client).await;
    let token = format!("{connection}/token");
    let page = reader.get(&token).await;
    assert_eq!(page.header("cache-control"), "no-store");
    let first = page.ok();
    assert_eq!((&first["generation"], &first["token_type"]), (&json!(1), &json!("Bearer")));
    let fresh = admin.get(&connection).await.ok();
    assert_eq!(first["expires_at"], fresh["access_expires_at"]);
    // 300 seconds before the end: enough for some, not for others.
    let end = world.connection(fresh["id"].as_str().unwrap().parse().unwrap()).await;
    world.clock.set(end.access_expires_at.unwrap() - Duration::seconds(300));
    for (min_ttl, generation) in [(0, 1), (299, 1), (301, 2), (301, 2)] {
        let given = reader.get(&format!("{token}?min_ttl={min_ttl}")).await.ok();
        assert_eq!(given["generation"], generation, "{min_ttl}");
    }
    assert_ne!(reader.get(&token).await.ok()["access_token"], first["access_token"]);
    let attempts = admin.get(&format!("{connection}/attempts")).await.ok();
    assert_eq!(attempts["items"].as_array().unwrap().len(), 1);
    assert_eq!(attempts["items"][0]["trigger"], "demand");
}

#[sqlx::test]
async fn a_dead_grant_says_that_a_person_is_needed(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = world.program(&[Scope::Admin]).await;
    let client = world.client("one", |_| {}).await;
    let connection = admin.import(&world, client).await;
    world.sandbox.revoke_account("alice");
    let attempt = admin.press(&format!("{connection}/refresh")).await.ok();
    assert_eq!(
        (&attempt["verdict"], &attempt["error_code"]),
        (&json!("condemned"), &json!("invalid_grant"))
    );
    world.pass(Duration::days(1));
    for page in [
        admin.get(&format!("{connection}/token")).await,
        admin.press(&format!("{connection}/refresh")).await,
    ] {
        assert_eq!(page.refusal(), (409, "reauth_required".into()));
        assert_eq!(page.json::<Value>()["reason"], "revoked");
    }
    let state = &admin.get(&connection).await.ok()["state"];
    assert_eq!((&state["name"], &state["reason"]), (&json!("needs_reauth"), &json!("revoked")));
}

#[sqlx::test]
async fn an_outage_says_when_to_come_back(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = world.program(&[Scope::Admin]).await;
    let client = world.client("one", |_| {}).await;
    let connection = admin.import(&world, client).await;
    world.pass(Duration::days(1));
    world.control().set(|settings| settings.retry_after = 600);
    world.control().fail_next(Fault::RateLimited, 1);
    let page = admin.get(&format!("{connection}/token")).await;
    assert_eq!(page.refusal(), (503, "provider_unavailable".into()));
    let wait: i64 = page.header("retry-after").parse().expect("seconds");
    assert!((600..1200).contains(&wait), "{wait}");
    world.pass(Duration::seconds(wait));
    assert_eq!(admin.get(&format!("{connection}/token")).await.ok()["generation"], 2);
}

#[sqlx::test]
async fn without_tokens_there_is_a_conflict(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = world.program(&[Scope::Admin]).await;
    let client = world.client("one", |_| {}).await;
    let body = json!({ "client_id": client, "grant": "authorization_code" });
    let pending = admin.post("/connections", &body).await.ok();
    let pending = format!("/connections/{}", pending["id"].as_str().unwrap());
    let gone = admin.import(&world, client).await;
    assert_eq!(admin.press(&format!("{gone}/disconnect")).await.ok()["provider"], "not_asked");
    for connection in [pending, gone] {
        for page in [
            admin.get(&format!("{connection}/token")).await,
            admin.press(&format!("{connection}/refresh")).await,
        ] {
            assert_eq!(page.refusal(), (409, "conflict".into()), "{}", page.text);
        }
    }
}

#[sqlx::test]
async fn who_may_not_read_learns_nothing_else(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = world.program(&[Scope::Admin]).await;
    let reader = world.program(&[Scope::TokensRead]).await;
    let watcher = world.program(&[Scope::ConnectionsRead]).await;
    let stranger = world.program_with(Some("rgk_unknown")).await;
    let client = world.client("one", |_| {}).await;
    let connection = admin.import(&world, client).await;
    let (token, nowhere) =
        (format!("{connection}/token"), format!("/connections/{}/token", Uuid::nil()));
    let (unreadable, misspelt) = ("/connections/7/token", format!("{token}?min_tll=5"));
    for path in [&token, &nowhere, unreadable, &misspelt] {
        assert_eq!(stranger.get(path).await.status, 401, "{path}");
    }
    for path in [&token, &nowhere] {
        assert_eq!(watcher.get(path).await.status, 403, "{path}");
    }
    assert_eq!(reader.get(&token).await.status, 200);
    assert_eq!(reader.get(&nowhere).await.refusal(), (404, "not_found".into()));
    for (path, field) in [(unreadable, "id"), (&*misspelt, "min_tll")] {
        let page = reader.get(path).await;
        assert_eq!((page.refusal(), &*page.field()), ((422, "invalid".into()), field));
    }
}

#[sqlx::test]
async fn a_revoked_key_reads_nothing_from_that_moment_on(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = world.program(&[Scope::Admin]).await;
    let reader = world.program(&[Scope::TokensRead]).await;
    let client = world.client("one", |_| {}).await;
    let token = format!("{}/token", admin.import(&world, client).await);
    assert_eq!(reader.get(&token).await.status, 200);
    world.execute("UPDATE api_keys SET revoked_at = now() WHERE scopes = '{tokens:read}'").await;
    assert_eq!(reader.get(&token).await.status, 401);
    assert_eq!(admin.get(&token).await.status, 200);
}

#[sqlx::test]
async fn that_a_key_is_in_use_is_written_down_once_a_minute(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = world.program(&[Scope::Admin]).await;
    let reader = world.program(&[Scope::TokensRead]).await;
    let client = world.client("one", |_| {}).await;
    let token = format!("{}/token", admin.import(&world, client).await);
    const WRITTEN: &str = "SELECT xmin::text::bigint FROM api_keys WHERE scopes = '{tokens:read}'";
    reader.get(&token).await.ok();
    let first = world.count(WRITTEN).await;
    world.pass(Duration::seconds(59));
    reader.get(&token).await.ok();
    assert_eq!(world.count(WRITTEN).await, first);
    world.pass(Duration::seconds(1));
    reader.get(&token).await.ok();
    assert_ne!(world.count(WRITTEN).await, first);
}

/// Many at once go to the database together, and each gets its own.
#[sqlx::test]
async fn readers_that_come_together_get_each_their_own(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = world.program(&[Scope::Admin]).await;
    let client = world.client("one", |_| {}).await;
    let mut connections = Vec::new();
    for account in ["alice", "bob", "carol"] {
        connections.push(world.import_of(client, account).await);
    }
    let programs = [
        world.program(&[Scope::TokensRead]).await,
        world.program(&[Scope::ConnectionsRead]).await,
        world.program_with(Some("rgk_unknown")).await,
    ];
    let mut alone = Vec::new();
    for id in &connections {
        alone.push(admin.get(&token_of(*id)).await.ok()["access_token"].clone());
    }
    assert!(alone[0] != alone[1] && alone[1] != alone[2]);
    let asked = (0..90).map(|n| {
        let (program, connection) = (n % 3, n / 3 % 3);
        let (program, path) = (&programs[program], token_of(connections[connection]));
        async move { (n % 3, connection, program.get(&path).await) }
    });
    for (program, connection, page) in join_all(asked).await {
        assert_eq!(page.status, [200, 403, 401][program]);
        if program == 0 {
            assert_eq!(page.ok()["access_token"], alone[connection]);
        }
    }
}

fn token_of(id: Uuid) -> String {
    format!("/connections/{id}/token")
}
