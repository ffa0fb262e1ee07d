//! What the first page tells of the time ahead.

use serde_json::json;
use sqlx::PgPool;
use time::Duration;

use super::support::World;
use crate::{
    domain::{access::Scope, client::ClientPatch},
    server::app,
};

#[sqlx::test]
async fn refreshes_ahead_are_counted_by_when_they_are_due(pool: PgPool) {
    let world = World::new(pool).await;
    let reader = world.program(&[Scope::ConnectionsRead]).await;
    let (one, two) = (world.client("one", |_| {}).await, world.client("two", |_| {}).await);
    let now = world.now();
    let due = [
        (one, -Duration::SECOND),
        (one, Duration::ZERO),
        (one, Duration::minutes(30) - Duration::MICROSECOND),
        (two, Duration::minutes(30)),
        (two, Duration::DAY - Duration::MICROSECOND),
        (two, Duration::DAY),
    ];
    for (client, after) in due {
        let id = world.import(client).await;
        sqlx::query("UPDATE connections SET due_at = $2 WHERE id = $1")
            .bind(id)
            .bind(now + after)
            .execute(&world.pool)
            .await
            .unwrap();
    }
    let ahead = reader.get("/overview").await.ok()["refreshes"].clone();
    assert_eq!(ahead["overdue"], 1);
    let buckets = ahead["buckets"].as_array().unwrap();
    assert_eq!(buckets.len(), 48);
    let first =
        json!({ "from": "2026-03-01T12:00:00Z", "until": "2026-03-01T12:30:00Z", "due": 2 });
    assert_eq!(buckets[0], first);
    assert_eq!((&buckets[1]["due"], &buckets[47]["due"]), (&json!(1), &json!(1)));
    let total: i64 = buckets.iter().map(|bucket| bucket["due"].as_i64().unwrap()).sum();
    assert_eq!(total, 4);

    // Nothing of a client that is switched off is refreshed.
    let off = ClientPatch { disabled: Some(true), ..ClientPatch::default() };
    app::client::update(&world.app, &world.admin, one, off, None).await.unwrap();
    let ahead = reader.get("/overview").await.ok()["refreshes"].clone();
    assert_eq!((&ahead["overdue"], &ahead["buckets"][0]["due"]), (&json!(0), &json!(0)));
}
