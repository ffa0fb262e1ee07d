//! Failed logins, counted by account and by address.

use sqlx::PgConnection;
use time::OffsetDateTime;

use super::Result;

pub async fn insert(conn: &mut PgConnection, key: &str, at: OffsetDateTime) -> Result<()> {
    sqlx::query!("INSERT INTO login_failures (key, at) VALUES ($1, $2)", key, at)
        .execute(conn)
        .await?;
    Ok(())
}

pub async fn count(conn: &mut PgConnection, key: &str, since: OffsetDateTime) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM login_failures WHERE key = $1 AND at > $2"#,
        key,
        since
    )
    .fetch_one(conn)
    .await?)
}

pub async fn clear(conn: &mut PgConnection, key: &str) -> Result<()> {
    sqlx::query!("DELETE FROM login_failures WHERE key = $1", key).execute(conn).await?;
    Ok(())
}

/// Takes back one count of this moment, which was no failure after all.
pub async fn forgive(conn: &mut PgConnection, key: &str, at: OffsetDateTime) -> Result<()> {
    sqlx::query!(
        "DELETE FROM login_failures WHERE ctid =
             (SELECT ctid FROM login_failures WHERE key = $1 AND at = $2 LIMIT 1)",
        key,
        at
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub async fn delete_before(conn: &mut PgConnection, at: OffsetDateTime) -> Result<u64> {
    Ok(sqlx::query!("DELETE FROM login_failures WHERE at <= $1", at)
        .execute(conn)
        .await?
        .rows_affected())
}
