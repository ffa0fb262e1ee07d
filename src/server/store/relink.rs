//! One-time links.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Result;
use crate::domain::relink::Relink;

pub async fn insert(conn: &mut PgConnection, relink: &Relink, token_hash: &[u8]) -> Result<()> {
    sqlx::query!(
        "INSERT INTO relinks (id, connection_id, token_hash, created_by, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        relink.id,
        relink.connection_id,
        token_hash,
        relink.created_by,
        relink.created_at,
        relink.expires_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub async fn find_by_token(conn: &mut PgConnection, token_hash: &[u8]) -> Result<Option<Relink>> {
    Ok(sqlx::query_as!(
        Relink,
        "SELECT id, connection_id, created_by, created_at, expires_at, opened_at, used_at
         FROM relinks WHERE token_hash = $1",
        token_hash
    )
    .fetch_optional(conn)
    .await?)
}

/// The newest first.
pub async fn list(conn: &mut PgConnection, connection_id: Uuid) -> Result<Vec<Relink>> {
    Ok(sqlx::query_as!(
        Relink,
        "SELECT id, connection_id, created_by, created_at, expires_at, opened_at, used_at
         FROM relinks WHERE connection_id = $1 ORDER BY created_at DESC LIMIT 20",
        connection_id
    )
    .fetch_all(conn)
    .await?)
}

pub async fn mark_opened(conn: &mut PgConnection, id: Uuid, now: OffsetDateTime) -> Result<()> {
    sqlx::query!("UPDATE relinks SET opened_at = $2 WHERE id = $1 AND opened_at IS NULL", id, now)
        .execute(conn)
        .await?;
    Ok(())
}

/// Whether the link can still be used.
pub async fn is_open(conn: &mut PgConnection, id: Uuid, now: OffsetDateTime) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM relinks
                          WHERE id = $1 AND used_at IS NULL AND expires_at > $2) AS "open!""#,
        id,
        now
    )
    .fetch_one(conn)
    .await?)
}

/// Counts a code that is about to be asked for by a link. `false`: there were `most` of them.
pub async fn count_code(conn: &mut PgConnection, id: Uuid, most: i32) -> Result<bool> {
    let done =
        sqlx::query!("UPDATE relinks SET codes = codes + 1 WHERE id = $1 AND codes < $2", id, most)
            .execute(conn)
            .await?;
    Ok(done.rows_affected() > 0)
}

/// Uses the link up. `false`: it was used before, or its time is over.
pub async fn take(conn: &mut PgConnection, id: Uuid, now: OffsetDateTime) -> Result<bool> {
    let done = sqlx::query!(
        "UPDATE relinks SET used_at = $2 WHERE id = $1 AND used_at IS NULL AND expires_at > $2",
        id,
        now
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Ends the links of a connection that nobody has used.
pub async fn expire_open(
    conn: &mut PgConnection,
    connection_id: Uuid,
    now: OffsetDateTime,
) -> Result<()> {
    sqlx::query!(
        "UPDATE relinks SET expires_at = $2
         WHERE connection_id = $1 AND used_at IS NULL AND expires_at > $2",
        connection_id,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}
