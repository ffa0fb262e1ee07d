//! What is held by clients: secrets, and connections that live by them.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::server::store::Result;

/// Which clients of a provider hold a secret, or tokens.
pub async fn names_with_secrets(conn: &mut PgConnection, provider: &str) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar!(
        "SELECT name FROM clients
         WHERE provider = $1
           AND (sealed_client_secret IS NOT NULL OR sealed_next_secret IS NOT NULL
                OR EXISTS (SELECT FROM connections n
                           WHERE n.client_id = clients.id AND n.generation > 0 AND n.state <> 'disconnected'))
         ORDER BY lower(name)",
        provider
    )
    .fetch_all(conn)
    .await?)
}

/// Whether connections of the client hold tokens.
pub async fn holds_tokens(conn: &mut PgConnection, id: Uuid) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM connections
                          WHERE client_id = $1 AND generation > 0 AND state <> 'disconnected') AS "holds!""#,
        id
    )
    .fetch_one(conn)
    .await?)
}

/// Whether connections live by an OAuth client, under whatever names it and its provider are registered here.
/// Two providers that call clients of their own alike are taken for one: that errs on the safe side.
pub async fn is_lived_by(conn: &mut PgConnection, oauth_client_id: &str) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM connections n JOIN clients c ON c.id = n.client_id
                          WHERE c.oauth_client_id = $1 AND n.state <> 'disconnected') AS "lives!""#,
        oauth_client_id
    )
    .fetch_one(conn)
    .await?)
}
