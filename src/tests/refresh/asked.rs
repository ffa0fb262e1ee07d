//! What a refresh asks for.

use serde_json::json;
use sqlx::PgPool;

use crate::{domain::connection::State, tests::support::World};

/// A refresh that names a scope which was not granted is refused (RFC 6749, section 6), and the grant
/// would be given up for it.
#[sqlx::test]
async fn a_refresh_names_what_was_granted(pool: PgPool) {
    let world = World::new(pool).await;
    let (stub, id) =
        world.stub_with(|profile| profile.request.refresh.send_scope = Some(true)).await;
    world.execute("UPDATE connections SET scopes_requested = '{read,write}'").await;
    world.execute("UPDATE connections SET scopes_granted = '{read}'").await;
    stub.answers(json!({ "access_token": "a1", "refresh_token": "r1", "expires_in": 600 }));
    world.until_due(id).await;
    world.tick().await;
    assert_eq!((world.state(id).await, world.generation(id).await), (State::Active, 2));
    assert_eq!(stub.heard("scope").as_deref(), Some("read"));
}
