//! The token endpoint: a live token or a reason, and what the reader asked for.

use serde_json::{Value, json};
use sqlx::PgPool;
use time::Duration;

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
