//! What a refresh asks for.

use serde_json::json;
use sqlx::PgPool;

use crate::{domain::connection::State, tests::support::World};

/// A refresh that names a scope which was not granted is refused (RFC 6749, section 6), and the grant
/// would be given up for it; one that names too few may be answered with less.
#[sqlx::test]
async fn a_refresh_names_what_was_consented_to(pool: PgPool) {
    let world = World::new(pool).await;
    let (stub, id) =
        world.stub_with(|profile| profile.request.refresh.send_scope = Some(true)).await;
    world.execute("UPDATE connections SET scopes_requested = '{read,write,offline_access}'").await;
    let mut generation = 1;
    for (consented, asked) in [
        ("UPDATE connections SET scopes_consented = '{read}'", "read offline_access"),
        ("UPDATE connections SET scopes_consented = '{}'", "read write offline_access"),
        (
            "UPDATE connections SET scopes_consented = '{https://provider.example/read}'",
            "https://provider.example/read",
        ),
    ] {
        world.execute(consented).await;
        // The answer names one scope; the next refresh asks for all of them again.
        stub.answers(json!({
            "access_token": format!("a{generation}"), "refresh_token": format!("r{generation}"),
            "expires_in": 600, "scope": "read",
        }));
        world.until_due(id).await;
        world.tick().await;
        generation += 1;
        assert_eq!(
            (world.state(id).await, world.generation(id).await),
            (State::Active, generation)
        );
        assert_eq!(stub.heard("scope").as_deref(), Some(asked), "{consented}");
    }
}
