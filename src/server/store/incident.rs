//! Incidents: what is known of clients whose verdicts are suspended. One a client at most.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Result;
use crate::domain::incident::{Counts, Evidence};

/// An incident that begins.
pub struct NewRow {
    pub client_id: Uuid,
    pub began_at: OffsetDateTime,
    pub counts: Counts,
    pub window_seconds: i64,
    pub canary_at: OffsetDateTime,
}

pub async fn insert(conn: &mut PgConnection, new: &NewRow) -> Result<()> {
    sqlx::query!(
        "INSERT INTO incidents (client_id, began_at, refused, refreshed, window_seconds, canary_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        new.client_id,
        new.began_at,
        new.counts.refused,
        new.counts.refreshed,
        new.window_seconds,
        new.canary_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Clients with an incident whose canary is due, and that may ask their provider.
pub async fn list_due(conn: &mut PgConnection, now: OffsetDateTime) -> Result<Vec<Uuid>> {
    Ok(sqlx::query_scalar!(
        "SELECT i.client_id FROM incidents i JOIN clients c ON c.id = i.client_id
         WHERE i.canary_at <= $1 AND (c.paused_until IS NULL OR c.paused_until <= $1)",
        now
    )
    .fetch_all(conn)
    .await?)
}

/// Counts a canary that is about to be tried, if it is time for one; how many were refused before: what
/// a provider that is away leaves unanswered does not put off the next. The caller holds the client's
/// row.
pub async fn take_turn(
    conn: &mut PgConnection,
    client_id: Uuid,
    now: OffsetDateTime,
) -> Result<Option<i32>> {
    Ok(sqlx::query_scalar!(
        r#"UPDATE incidents SET tried = tried + 1 WHERE client_id = $1 AND canary_at <= $2
           RETURNING confirmed"#,
        client_id,
        now
    )
    .fetch_optional(conn)
    .await?)
}

/// Says when the next canary is tried.
pub async fn put_off(
    conn: &mut PgConnection,
    client_id: Uuid,
    until: OffsetDateTime,
) -> Result<()> {
    sqlx::query!("UPDATE incidents SET canary_at = $2 WHERE client_id = $1", client_id, until)
        .execute(conn)
        .await?;
    Ok(())
}

/// Counts a canary that was refused again; what is known then.
pub async fn confirm(conn: &mut PgConnection, client_id: Uuid) -> Result<Option<Evidence>> {
    let row = sqlx::query!(
        "UPDATE incidents SET confirmed = confirmed + 1 WHERE client_id = $1
         RETURNING began_at, refreshed, confirmed",
        client_id
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Evidence {
        began_at: row.began_at,
        refreshed: row.refreshed,
        confirmed: row.confirmed.unsigned_abs(),
    }))
}

pub async fn delete(conn: &mut PgConnection, client_id: Uuid) -> Result<()> {
    sqlx::query!("DELETE FROM incidents WHERE client_id = $1", client_id).execute(conn).await?;
    Ok(())
}
