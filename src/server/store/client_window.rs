//! How many connections of each client were refreshed of late, by the minute.

use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::Result;

/// Counts refreshes of this moment, as (client, how many).
pub async fn add(
    conn: &mut PgConnection,
    counts: &[(Uuid, i64)],
    replica: &str,
    now: OffsetDateTime,
) -> Result<()> {
    let (clients, refreshed): (Vec<Uuid>, Vec<i64>) = counts.iter().copied().unzip();
    sqlx::query!(
        "INSERT INTO client_windows (client_id, minute, replica, refreshed)
         SELECT c.id, date_trunc('minute', $4::timestamptz), $3, c.refreshed
         FROM unnest($1::uuid[], $2::bigint[]) AS c (id, refreshed)
         WHERE EXISTS (SELECT FROM clients WHERE clients.id = c.id)
         ORDER BY c.id
         ON CONFLICT (client_id, minute, replica)
         DO UPDATE SET refreshed = client_windows.refreshed + excluded.refreshed",
        &clients,
        &refreshed,
        replica,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// How many connections of a client were refreshed since, to the minute.
pub async fn sum(conn: &mut PgConnection, client_id: Uuid, since: OffsetDateTime) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        r#"SELECT coalesce(sum(refreshed), 0)::bigint AS "sum!" FROM client_windows
           WHERE client_id = $1 AND minute > $2"#,
        client_id,
        since - Duration::minutes(1)
    )
    .fetch_one(conn)
    .await?)
}

pub async fn clear(conn: &mut PgConnection, client_id: Uuid) -> Result<()> {
    sqlx::query!("DELETE FROM client_windows WHERE client_id = $1", client_id)
        .execute(conn)
        .await?;
    Ok(())
}

pub async fn delete_before(conn: &mut PgConnection, at: OffsetDateTime) -> Result<()> {
    sqlx::query!("DELETE FROM client_windows WHERE minute < $1", at).execute(conn).await?;
    Ok(())
}
