//! Connections that rest. While one does, the database keeps it from being due and notes when it would be.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::server::store::Result;

/// `false`: it rests already, or is dead or disconnected.
pub async fn pause(conn: &mut PgConnection, id: Uuid, now: OffsetDateTime) -> Result<bool> {
    let done = sqlx::query!(
        "UPDATE connections SET paused_at = $2, updated_at = $2
         WHERE id = $1 AND paused_at IS NULL AND state NOT IN ('disconnected', 'needs_reauth')",
        id,
        now
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Goes on as it would have; what is overdue by now is due at `overdue_at`. `false`: it did not rest.
pub async fn resume(
    conn: &mut PgConnection,
    id: Uuid,
    overdue_at: OffsetDateTime,
    now: OffsetDateTime,
) -> Result<bool> {
    let done = sqlx::query!(
        "UPDATE connections
         SET paused_at = NULL, resume_at = NULL, updated_at = $3,
             due_at = CASE WHEN state NOT IN ('active', 'retrying', 'in_doubt') THEN NULL
                           WHEN resume_at < $3 THEN $2 ELSE resume_at END
         WHERE id = $1 AND paused_at IS NOT NULL",
        id,
        overdue_at,
        now
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}
