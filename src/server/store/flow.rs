//! Authorization requests on their way through a browser.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Of, Result};

pub struct Flow {
    pub id: Uuid,
    pub connection_id: Uuid,
    pub relink_id: Option<Uuid>,
    pub state_hash: Option<Vec<u8>>,
    pub browser_hash: Option<Vec<u8>>,
    pub sealed_code_verifier: Vec<u8>,
    pub nonce: String,
    pub actor_kind: String,
    pub actor_id: Option<Uuid>,
    pub actor_label: String,
    pub created_at: OffsetDateTime,
    pub expires_at: OffsetDateTime,
    pub used_at: Option<OffsetDateTime>,
}

pub async fn insert(conn: &mut PgConnection, flow: &Flow, start_hash: &[u8]) -> Result<()> {
    sqlx::query!(
        "INSERT INTO flows (id, connection_id, relink_id, start_hash, sealed_code_verifier, nonce,
                            actor_kind, actor_id, actor_label, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        flow.id,
        flow.connection_id,
        flow.relink_id,
        start_hash,
        flow.sealed_code_verifier,
        flow.nonce,
        flow.actor_kind,
        flow.actor_id,
        flow.actor_label,
        flow.created_at,
        flow.expires_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// How many flows were opened by a relink and not brought to an end.
pub async fn count_open(
    conn: &mut PgConnection,
    connection_id: Uuid,
    relink_id: Uuid,
    now: OffsetDateTime,
) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM flows
           WHERE connection_id = $1 AND relink_id = $2 AND used_at IS NULL AND expires_at > $3"#,
        connection_id,
        relink_id,
        now
    )
    .fetch_one(conn)
    .await?)
}

/// Whether a flow waits to be begun.
pub async fn is_open(
    conn: &mut PgConnection,
    start_hash: &[u8],
    now: OffsetDateTime,
) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM flows
                          WHERE start_hash = $1 AND state_hash IS NULL AND expires_at > $2) AS "open!""#,
        start_hash,
        now
    )
    .fetch_one(conn)
    .await?)
}

/// Binds a flow that was not begun to a browser and a state. `None`: unknown, begun or expired.
pub async fn begin(
    conn: &mut PgConnection,
    start_hash: &[u8],
    state_hash: &[u8],
    browser_hash: &[u8],
    now: OffsetDateTime,
) -> Result<Option<Flow>> {
    Ok(sqlx::query_as!(
        Flow,
        "UPDATE flows SET state_hash = $2, browser_hash = $3
         WHERE start_hash = $1 AND state_hash IS NULL AND used_at IS NULL AND expires_at > $4
         RETURNING id, connection_id, relink_id, state_hash, browser_hash, sealed_code_verifier,
                   nonce, actor_kind, actor_id, actor_label, created_at, expires_at, used_at",
        start_hash,
        state_hash,
        browser_hash,
        now
    )
    .fetch_optional(conn)
    .await?)
}

/// Uses the flow up that has one of these states, if this is the browser that began it. `None`:
/// unknown, used, expired, or another browser's.
pub async fn take(
    conn: &mut PgConnection,
    state_hashes: &[Vec<u8>],
    browser_hash: &[u8],
    now: OffsetDateTime,
) -> Result<Option<Flow>> {
    Ok(sqlx::query_as!(
        Flow,
        "UPDATE flows SET used_at = $3
         WHERE state_hash = ANY ($1) AND browser_hash = $2 AND used_at IS NULL AND expires_at > $3
         RETURNING id, connection_id, relink_id, state_hash, browser_hash, sealed_code_verifier,
                   nonce, actor_kind, actor_id, actor_label, created_at, expires_at, used_at",
        state_hashes,
        browser_hash,
        now
    )
    .fetch_optional(conn)
    .await?)
}

/// Forgets flows but those whose code is being redeemed: used after `since`. `false`: there are such.
pub async fn withdraw_idle(conn: &mut PgConnection, of: Of, since: OffsetDateTime) -> Result<bool> {
    let (connection, client) = of.ids();
    // What is used while we wait for its row is looked at again, and stays.
    sqlx::query!(
        "DELETE FROM flows
         WHERE connection_id IN (SELECT id FROM connections WHERE id = $1
                                 UNION ALL SELECT id FROM connections WHERE client_id = $2)
           AND (used_at IS NULL OR used_at <= $3)",
        connection,
        client,
        since
    )
    .execute(&mut *conn)
    .await?;
    Ok(sqlx::query_scalar!(
        r#"SELECT NOT EXISTS (SELECT FROM flows
             WHERE connection_id IN (SELECT id FROM connections WHERE id = $1
                                     UNION ALL SELECT id FROM connections WHERE client_id = $2)) AS "none!""#,
        connection,
        client
    )
    .fetch_one(conn)
    .await?)
}

/// Whether a code that was brought back after `since` may be being redeemed.
pub async fn is_being_redeemed(
    conn: &mut PgConnection,
    connection_id: Uuid,
    since: OffsetDateTime,
) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM flows
                          WHERE connection_id = $1 AND used_at > $2) AS "some!""#,
        connection_id,
        since
    )
    .fetch_one(conn)
    .await?)
}

/// Says that a code is still being redeemed at `now`.
pub async fn hold_on(conn: &mut PgConnection, id: Uuid, now: OffsetDateTime) -> Result<()> {
    sqlx::query!(
        "UPDATE flows SET used_at = greatest(used_at, $2) WHERE id = $1 AND used_at IS NOT NULL",
        id,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends a flow, with its consent stored or without. `false`: it was withdrawn meanwhile.
pub async fn finish(conn: &mut PgConnection, id: Uuid) -> Result<bool> {
    let done = sqlx::query!("DELETE FROM flows WHERE id = $1", id).execute(conn).await?;
    Ok(done.rows_affected() > 0)
}

pub async fn delete_expired(conn: &mut PgConnection, now: OffsetDateTime) -> Result<u64> {
    // What came of one that was used may lie in the journal of a process that is away.
    Ok(sqlx::query!(
        "DELETE FROM flows
         WHERE expires_at <= $1 AND (used_at IS NULL OR used_at <= $1 - interval '7 days')",
        now
    )
    .execute(conn)
    .await?
    .rows_affected())
}
