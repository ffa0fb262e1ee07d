//! Data keys, wrapped.

use sqlx::PgConnection;
use time::OffsetDateTime;

use super::Result;

pub struct WrappedKey {
    pub id: i32,
    pub sealed_key: Vec<u8>,
    pub purpose: String,
    pub created_at: OffsetDateTime,
    pub uses: i64,
}

/// Keeps two replicas from making keys at once, until the transaction ends.
pub async fn lock(conn: &mut PgConnection) -> Result<()> {
    sqlx::query!("LOCK TABLE data_keys IN SHARE ROW EXCLUSIVE MODE").execute(conn).await?;
    Ok(())
}

pub async fn list(conn: &mut PgConnection) -> Result<Vec<WrappedKey>> {
    Ok(sqlx::query_as!(
        WrappedKey,
        "SELECT id, sealed_key, purpose, created_at, uses FROM data_keys ORDER BY id"
    )
    .fetch_all(conn)
    .await?)
}

pub async fn insert(
    conn: &mut PgConnection,
    purpose: &str,
    sealed_key: &[u8],
    now: OffsetDateTime,
) -> Result<i32> {
    Ok(sqlx::query_scalar!(
        "INSERT INTO data_keys (purpose, sealed_key, created_at) VALUES ($1, $2, $3) RETURNING id",
        purpose,
        sealed_key,
        now
    )
    .fetch_one(conn)
    .await?)
}

pub async fn rewrap(conn: &mut PgConnection, id: i32, sealed_key: &[u8]) -> Result<()> {
    sqlx::query!("UPDATE data_keys SET sealed_key = $2 WHERE id = $1", id, sealed_key)
        .execute(conn)
        .await?;
    Ok(())
}

pub async fn count_uses(conn: &mut PgConnection, id: i32, uses: i64) -> Result<()> {
    sqlx::query!("UPDATE data_keys SET uses = uses + $2 WHERE id = $1", id, uses)
        .execute(conn)
        .await?;
    Ok(())
}
