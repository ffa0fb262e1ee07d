//! The state that a client itself is in, and those that are in trouble.

use sqlx::{PgConnection, types::Json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{ClientRow, Stored};
use crate::{
    domain::{client::StateName, incident::Incident},
    server::store::Result,
};

/// The ids of the clients that the provider refuses.
pub async fn ids_in_trouble(conn: &mut PgConnection) -> Result<Vec<Uuid>> {
    Ok(sqlx::query_scalar!(
        "SELECT id FROM clients WHERE state IN ('credentials_rejected', 'incident')"
    )
    .fetch_all(conn)
    .await?)
}

/// The names of those that no consent can be redeemed for.
pub async fn list_refused(conn: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar!(
        "SELECT name FROM clients WHERE id = ANY ($1) AND state IN ('credentials_rejected', 'disabled')
         ORDER BY lower(name)",
        ids
    )
    .fetch_all(conn)
    .await?)
}

/// Clients that the provider refuses, or whose pause, which the provider asked for, holds connections up; those first,
/// and the longest refused before the others.
pub async fn list_in_trouble(
    conn: &mut PgConnection,
    now: OffsetDateTime,
    limit: i64,
) -> Result<Vec<Stored>> {
    select!(
        "WHERE state IN ('credentials_rejected', 'incident')
            OR (state = 'ready' AND paused_until > $1
                AND EXISTS (SELECT FROM connections h
                            WHERE h.client_id = clients.id AND h.due_at < clients.paused_until
                              AND h.paused_at IS NULL AND h.state IN ('active', 'retrying', 'in_doubt')))
         ORDER BY state = 'ready', state_since LIMIT $2",
        now,
        limit
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(TryInto::try_into)
    .collect()
}

/// Marks a client whose credentials of `secret_generation` were refused; its name. `None`: it was
/// marked before, is switched off, or has another secret by now.
pub async fn reject_credentials(
    conn: &mut PgConnection,
    id: Uuid,
    secret_generation: i64,
    detail: &str,
    now: OffsetDateTime,
) -> Result<Option<String>> {
    Ok(sqlx::query_scalar!(
        "UPDATE clients
         SET state = CASE state WHEN 'incident' THEN state ELSE 'credentials_rejected' END,
             state_since = CASE state WHEN 'incident' THEN state_since ELSE $3 END, state_detail = $4
         WHERE id = $1 AND secret_generation = $2
           AND (state = 'ready' OR (state = 'incident' AND state_detail IS NULL)) RETURNING name",
        id,
        secret_generation,
        now,
        detail
    )
    .fetch_optional(conn)
    .await?)
}

/// Puts a client into another state.
pub async fn set_state(
    conn: &mut PgConnection,
    id: Uuid,
    state: StateName,
    detail: Option<&str>,
    now: OffsetDateTime,
) -> Result<()> {
    sqlx::query!(
        "UPDATE clients SET state = $2, state_since = $4, state_detail = $3 WHERE id = $1",
        id,
        state.as_str(),
        detail,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}
