//! Secrets that are to take the place of those in use.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::server::store::Result;

/// Keeps a next secret in the place of the one before, to be tried at once.
pub async fn set(
    conn: &mut PgConnection,
    id: Uuid,
    sealed: &[u8],
    generation: i64,
    now: OffsetDateTime,
) -> Result<()> {
    sqlx::query!(
        "UPDATE clients
         SET sealed_next_secret = $2, next_secret_generation = $3, next_secret_set_at = $4, rehearsals = 0,
             next_secret_detail = NULL, rehearsal_at = $4, updated_at = $4
         WHERE id = $1",
        id,
        sealed,
        generation,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets the next secret.
pub async fn clear(conn: &mut PgConnection, id: Uuid, now: OffsetDateTime) -> Result<()> {
    sqlx::query!(
        "UPDATE clients
         SET sealed_next_secret = NULL, next_secret_set_at = NULL, rehearsals = 0, next_secret_detail = NULL,
             rehearsal_at = NULL, updated_at = $2
         WHERE id = $1",
        id,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Has it tried at once, also if it was refused before.
pub async fn try_again(conn: &mut PgConnection, id: Uuid, now: OffsetDateTime) -> Result<()> {
    sqlx::query!(
        "UPDATE clients SET next_secret_detail = NULL, rehearsal_at = $2, updated_at = $2
         WHERE id = $1 AND sealed_next_secret IS NOT NULL",
        id,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Clients whose next secret is to be tried now, and that may ask their provider at all.
pub async fn list_due(conn: &mut PgConnection, now: OffsetDateTime) -> Result<Vec<Uuid>> {
    Ok(sqlx::query_scalar!(
        "SELECT id FROM clients
         WHERE rehearsal_at <= $1 AND state IN ('ready', 'credentials_rejected')
           AND (paused_until IS NULL OR paused_until <= $1)",
        now
    )
    .fetch_all(conn)
    .await?)
}

/// Counts a rehearsal that is about to be made, if it is time for one; how many were made before. The
/// caller holds the client's row.
pub async fn take_turn(
    conn: &mut PgConnection,
    id: Uuid,
    now: OffsetDateTime,
) -> Result<Option<i32>> {
    Ok(sqlx::query_scalar!(
        r#"UPDATE clients SET rehearsals = rehearsals + 1
           WHERE id = $1 AND rehearsal_at <= $2 AND sealed_next_secret IS NOT NULL
           RETURNING rehearsals - 1 AS "made!""#,
        id,
        now
    )
    .fetch_optional(conn)
    .await?)
}

/// Says when it is tried next.
pub async fn put_off(conn: &mut PgConnection, id: Uuid, until: OffsetDateTime) -> Result<()> {
    sqlx::query!("UPDATE clients SET rehearsal_at = $2 WHERE id = $1", id, until)
        .execute(conn)
        .await?;
    Ok(())
}

/// Notes that the provider refused the next secret of this generation; the client's name. `None`: there
/// is another by now, or none.
pub async fn refuse(
    conn: &mut PgConnection,
    id: Uuid,
    generation: i64,
    said: &str,
) -> Result<Option<String>> {
    Ok(sqlx::query_scalar!(
        "UPDATE clients SET next_secret_detail = $3, rehearsal_at = NULL
         WHERE id = $1 AND next_secret_generation = $2 AND sealed_next_secret IS NOT NULL RETURNING name",
        id,
        generation,
        said
    )
    .fetch_optional(conn)
    .await?)
}

/// Whether there is a connection that a secret could be tried with, be it in use just now.
pub async fn has_understudy(conn: &mut PgConnection, id: Uuid) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM connections
                          WHERE client_id = $1 AND due_at IS NOT NULL AND state IN ('active', 'retrying')
                            AND doubtful_attempt_id IS NULL
                            AND (has_refresh_token OR grant_type = 'client_credentials')) AS "has!""#,
        id
    )
    .fetch_one(conn)
    .await?)
}

/// A connection to try a secret with: one that is well and nobody is using, the soonest due. As
/// (id, generation).
pub async fn understudy(conn: &mut PgConnection, id: Uuid) -> Result<Option<(Uuid, i64)>> {
    let row = sqlx::query!(
        "SELECT id, generation FROM connections
         WHERE client_id = $1 AND due_at IS NOT NULL AND state IN ('active', 'retrying')
           AND doubtful_attempt_id IS NULL AND (has_refresh_token OR grant_type = 'client_credentials')
           AND leased_until IS NULL
         ORDER BY due_at LIMIT 1",
        id
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| (row.id, row.generation)))
}
