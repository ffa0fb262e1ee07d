//! The database's clock: the one that all replicas share.

use sqlx::PgConnection;
use time::OffsetDateTime;

use super::Result;

pub async fn now(conn: &mut PgConnection) -> Result<OffsetDateTime> {
    Ok(sqlx::query_scalar!(r#"SELECT clock_timestamp() AS "now!""#).fetch_one(conn).await?)
}
