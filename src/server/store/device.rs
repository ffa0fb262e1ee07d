//! Device authorizations that wait for a person, and what came of them. The lease keeps two
//! processes from asking at once; what a holder that died may have been given is not known.

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Of, Result};
use crate::domain::device::{DeviceAuthorization, DeviceState};

/// A device authorization to be kept in place of the connection's last one.
pub struct NewDevice<'a> {
    pub id: Uuid,
    pub connection_id: Uuid,
    /// The relink that it follows.
    pub relink_id: Option<Uuid>,
    pub sealed_device_code: &'a [u8],
    pub user_code: &'a str,
    pub verification_uri: &'a str,
    pub verification_uri_complete: Option<&'a str>,
    pub interval_seconds: i32,
    pub actor_kind: &'a str,
    pub actor_id: Option<Uuid>,
    pub actor_label: &'a str,
    pub created_at: OffsetDateTime,
    pub expires_at: OffsetDateTime,
    pub due_at: OffsetDateTime,
}

/// Keeps a device authorization; [`withdraw_idle`] has made room for it.
pub async fn insert(conn: &mut PgConnection, new: &NewDevice<'_>) -> Result<()> {
    sqlx::query!(
        "INSERT INTO device_codes (connection_id, id, sealed_device_code, user_code, verification_uri,
                                   verification_uri_complete, interval_seconds, actor_kind, actor_id,
                                   actor_label, created_at, expires_at, due_at, relink_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        new.connection_id,
        new.id,
        new.sealed_device_code,
        new.user_code,
        new.verification_uri,
        new.verification_uri_complete,
        new.interval_seconds,
        new.actor_kind,
        new.actor_id,
        new.actor_label,
        new.created_at,
        new.expires_at,
        new.due_at,
        new.relink_id
    )
    .execute(conn)
    .await?;
    Ok(())
}

struct DeviceRow {
    relink_id: Option<Uuid>,
    state: String,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: Option<String>,
    interval_seconds: i32,
    detail: Option<String>,
    created_at: OffsetDateTime,
    expires_at: OffsetDateTime,
}

/// The connection's newest device authorization, and the relink that it follows.
pub async fn find(
    conn: &mut PgConnection,
    connection_id: Uuid,
) -> Result<Option<(DeviceAuthorization, Option<Uuid>)>> {
    let row = sqlx::query_as!(
        DeviceRow,
        "SELECT relink_id, state, user_code, verification_uri, verification_uri_complete, interval_seconds, detail,
                created_at, expires_at
         FROM device_codes WHERE connection_id = $1",
        connection_id
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        let device = DeviceAuthorization {
            state: row.state.parse()?,
            user_code: row.user_code,
            verification_uri: row.verification_uri,
            verification_uri_complete: row.verification_uri_complete,
            interval_seconds: u32::try_from(row.interval_seconds).unwrap_or_default(),
            detail: row.detail,
            created_at: row.created_at,
            expires_at: row.expires_at,
        };
        Ok((device, row.relink_id))
    })
    .transpose()
}

/// A device authorization that is ours to ask about until the lease runs out.
pub struct Held {
    pub connection_id: Uuid,
    pub relink_id: Option<Uuid>,
    pub id: Uuid,
    pub lease_id: Uuid,
    pub leased_until: OffsetDateTime,
    pub sealed_device_code: Option<Vec<u8>>,
    pub interval_seconds: i32,
    pub answer_lost: bool,
    pub actor_kind: String,
    pub actor_id: Option<Uuid>,
    pub actor_label: String,
    pub expires_at: OffsetDateTime,
}

/// Which one it is, and by which lease whoever asks has it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Lease {
    pub connection_id: Uuid,
    pub id: Uuid,
    pub lease_id: Uuid,
}

impl Held {
    pub fn lease(&self) -> Lease {
        Lease { connection_id: self.connection_id, id: self.id, lease_id: self.lease_id }
    }
}

/// Leases what is due, the most overdue first. What another holder left behind is marked: its answer
/// may have been lost with it. Those of a client that is refused or switched off wait.
pub async fn claim_due(
    conn: &mut PgConnection,
    lease_id: Uuid,
    now: OffsetDateTime,
    until: OffsetDateTime,
    limit: i64,
) -> Result<Vec<Held>> {
    Ok(sqlx::query_as!(
        Held,
        r#"WITH due AS (
             SELECT d.connection_id FROM device_codes d
             JOIN connections n ON n.id = d.connection_id
             JOIN clients c ON c.id = n.client_id
             WHERE d.due_at <= $2 AND (d.leased_until IS NULL OR d.leased_until <= $2)
               AND c.state IN ('ready', 'incident')
             ORDER BY d.due_at LIMIT $4 FOR UPDATE OF d SKIP LOCKED
         )
         UPDATE device_codes d
         SET answer_lost = answer_lost OR lease_id IS NOT NULL, lease_id = $1, leased_until = $3
         FROM due WHERE d.connection_id = due.connection_id
         RETURNING d.connection_id, relink_id, id, lease_id AS "lease_id!", leased_until AS "leased_until!",
                   sealed_device_code, interval_seconds, answer_lost, actor_kind, actor_id, actor_label,
                   expires_at"#,
        lease_id,
        now,
        until,
        limit
    )
    .fetch_all(conn)
    .await?)
}

/// Gives the lease back until the provider is to be asked again. Nothing happens if the lease has
/// moved.
pub async fn postpone(
    conn: &mut PgConnection,
    held: &Held,
    interval_seconds: i32,
    answer_lost: bool,
    due_at: OffsetDateTime,
) -> Result<()> {
    sqlx::query!(
        "UPDATE device_codes
         SET interval_seconds = $4, answer_lost = answer_lost OR $5, due_at = $6, lease_id = NULL,
             leased_until = NULL
         WHERE connection_id = $1 AND id = $2 AND lease_id = $3",
        held.connection_id,
        held.id,
        held.lease_id,
        interval_seconds,
        answer_lost,
        due_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Prolongs a lease: what came of it is here and not stored yet. Nothing happens if the lease has moved.
pub async fn hold_on(conn: &mut PgConnection, lease: &Lease, until: OffsetDateTime) -> Result<()> {
    sqlx::query!(
        "UPDATE device_codes SET leased_until = greatest(leased_until, $4)
         WHERE connection_id = $1 AND id = $2 AND lease_id = $3",
        lease.connection_id,
        lease.id,
        lease.lease_id,
        until
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends it without tokens. `false`: the lease has moved, and nothing was changed: who lost the lease
/// knows less than who has it.
pub async fn fail(
    conn: &mut PgConnection,
    lease: &Lease,
    state: DeviceState,
    detail: Option<&str>,
) -> Result<bool> {
    let done = sqlx::query!(
        "UPDATE device_codes
         SET state = $4, detail = $5, sealed_device_code = NULL, due_at = NULL, lease_id = NULL,
             leased_until = NULL
         WHERE connection_id = $1 AND id = $2 AND lease_id = $3",
        lease.connection_id,
        lease.id,
        lease.lease_id,
        state.as_str(),
        detail
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Ends it with tokens, whoever holds the lease by now: tokens are proof. `false`: it was replaced,
/// or withdrawn.
pub async fn succeed(conn: &mut PgConnection, connection_id: Uuid, id: Uuid) -> Result<bool> {
    let done = sqlx::query!(
        "UPDATE device_codes
         SET state = 'done', detail = NULL, sealed_device_code = NULL, due_at = NULL, lease_id = NULL,
             leased_until = NULL
         WHERE connection_id = $1 AND id = $2",
        connection_id,
        id
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Forgets what is waited for, but what somebody is asking the provider about. `false`: there is such.
pub async fn withdraw_idle(conn: &mut PgConnection, of: Of, now: OffsetDateTime) -> Result<bool> {
    let (connection, client) = of.ids();
    sqlx::query!(
        "DELETE FROM device_codes
         WHERE connection_id IN (SELECT id FROM connections WHERE id = $1
                                 UNION ALL SELECT id FROM connections WHERE client_id = $2)
           AND (leased_until IS NULL OR leased_until <= $3)",
        connection,
        client,
        now
    )
    .execute(&mut *conn)
    .await?;
    Ok(sqlx::query_scalar!(
        r#"SELECT NOT EXISTS (SELECT FROM device_codes
             WHERE connection_id IN (SELECT id FROM connections WHERE id = $1
                                     UNION ALL SELECT id FROM connections WHERE client_id = $2)) AS "none!""#,
        connection,
        client
    )
    .fetch_one(conn)
    .await?)
}

/// Whether somebody is asking the provider about it.
pub async fn is_held(
    conn: &mut PgConnection,
    connection_id: Uuid,
    now: OffsetDateTime,
) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM device_codes
                          WHERE connection_id = $1 AND leased_until > $2) AS "held!""#,
        connection_id,
        now
    )
    .fetch_one(conn)
    .await?)
}

/// Deletes what ended before `before`.
pub async fn delete_expired(conn: &mut PgConnection, before: OffsetDateTime) -> Result<u64> {
    Ok(sqlx::query!("DELETE FROM device_codes WHERE expires_at <= $1", before)
        .execute(conn)
        .await?
        .rows_affected())
}
