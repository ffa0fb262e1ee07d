//! Browser sessions.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Result;

pub async fn insert(
    conn: &mut PgConnection,
    id: &str,
    user_id: Option<Uuid>,
    data: &serde_json::Value,
    expires_at: OffsetDateTime,
) -> Result<bool> {
    let done = sqlx::query!(
        "INSERT INTO sessions (id, user_id, data, expires_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (id) DO NOTHING",
        id,
        user_id,
        data,
        expires_at
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Changes a session that still exists: one that was ended meanwhile stays ended.
pub async fn update(
    conn: &mut PgConnection,
    id: &str,
    user_id: Option<Uuid>,
    data: &serde_json::Value,
    expires_at: OffsetDateTime,
) -> Result<()> {
    sqlx::query!(
        "UPDATE sessions SET user_id = $2, data = $3, expires_at = $4 WHERE id = $1",
        id,
        user_id,
        data,
        expires_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Moves the end of a session, and touches nothing else of it.
pub async fn prolong(conn: &mut PgConnection, id: &str, expires_at: OffsetDateTime) -> Result<()> {
    sqlx::query!(
        "UPDATE sessions SET expires_at = $2 WHERE id = $1 AND expires_at < $2",
        id,
        expires_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub async fn find(
    conn: &mut PgConnection,
    id: &str,
    now: OffsetDateTime,
) -> Result<Option<(serde_json::Value, OffsetDateTime)>> {
    Ok(sqlx::query!(
        "SELECT data, expires_at FROM sessions WHERE id = $1 AND expires_at > $2",
        id,
        now
    )
    .fetch_optional(conn)
    .await?
    .map(|row| (row.data, row.expires_at)))
}

pub async fn delete(conn: &mut PgConnection, id: &str) -> Result<()> {
    sqlx::query!("DELETE FROM sessions WHERE id = $1", id).execute(conn).await?;
    Ok(())
}

pub async fn delete_of_user(conn: &mut PgConnection, user_id: Uuid) -> Result<()> {
    sqlx::query!("DELETE FROM sessions WHERE user_id = $1", user_id).execute(conn).await?;
    Ok(())
}

pub async fn delete_expired(conn: &mut PgConnection, now: OffsetDateTime) -> Result<u64> {
    Ok(sqlx::query!("DELETE FROM sessions WHERE expires_at <= $1", now)
        .execute(conn)
        .await?
        .rows_affected())
}
