//! The one-time right to make the first admin.

use sqlx::PgConnection;
use time::OffsetDateTime;

use super::Result;

/// Forgets earlier tokens and keeps this one.
pub async fn replace(
    conn: &mut PgConnection,
    token_hash: &[u8],
    now: OffsetDateTime,
) -> Result<()> {
    sqlx::query!("DELETE FROM setup_tokens").execute(&mut *conn).await?;
    sqlx::query!(
        "INSERT INTO setup_tokens (token_hash, created_at) VALUES ($1, $2)",
        token_hash,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub async fn exists(conn: &mut PgConnection, token_hash: &[u8]) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM setup_tokens WHERE token_hash = $1) AS "exists!""#,
        token_hash
    )
    .fetch_one(conn)
    .await?)
}

/// Uses the token up. `false`: there is no such token.
pub async fn take(conn: &mut PgConnection, token_hash: &[u8]) -> Result<bool> {
    let done = sqlx::query!("DELETE FROM setup_tokens WHERE token_hash = $1", token_hash)
        .execute(conn)
        .await?;
    Ok(done.rows_affected() > 0)
}
