//! Leases: who may use a connection's refresh token now. Every save names its lease and generation
//! and does nothing if either has moved (DESIGN section 3, points 1 and 2).

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{domain::connection::StateName, server::store::Result};

/// A connection that is ours until the lease runs out.
#[derive(Clone, Debug)]
pub struct Leased {
    pub id: Uuid,
    pub client_id: Uuid,
    pub lease_id: Uuid,
    pub leased_until: OffsetDateTime,
    pub generation: i64,
    pub state: StateName,
    pub failures: i32,
    pub doubtful_attempt_id: Option<Uuid>,
    pub has_refresh_token: bool,
    pub access_expires_at: Option<OffsetDateTime>,
    pub refresh_expires_at: Option<OffsetDateTime>,
    pub consented_at: Option<OffsetDateTime>,
    pub grant_type: String,
}

struct LeasedRow {
    id: Uuid,
    client_id: Uuid,
    generation: i64,
    state: String,
    failures: i32,
    doubtful_attempt_id: Option<Uuid>,
    has_refresh_token: bool,
    access_expires_at: Option<OffsetDateTime>,
    refresh_expires_at: Option<OffsetDateTime>,
    consented_at: Option<OffsetDateTime>,
    grant_type: String,
}

/// A lease to take.
#[derive(Clone, Copy, Debug)]
pub struct Lease {
    pub id: Uuid,
    pub now: OffsetDateTime,
    pub until: OffsetDateTime,
}

impl LeasedRow {
    fn leased(self, lease: Lease) -> Result<Leased> {
        Ok(Leased {
            id: self.id,
            client_id: self.client_id,
            lease_id: lease.id,
            leased_until: lease.until,
            generation: self.generation,
            state: self.state.parse()?,
            failures: self.failures,
            doubtful_attempt_id: self.doubtful_attempt_id,
            has_refresh_token: self.has_refresh_token,
            access_expires_at: self.access_expires_at,
            refresh_expires_at: self.refresh_expires_at,
            consented_at: self.consented_at,
            grant_type: self.grant_type,
        })
    }
}

/// Leases what is due, the most overdue of each client first, at most `per_client` of one client
/// and `limit` in all. Connections of clients that are not ready wait.
pub async fn claim_due(
    conn: &mut PgConnection,
    lease: Lease,
    per_client: i64,
    limit: i64,
) -> Result<Vec<Leased>> {
    sqlx::query_as!(
        LeasedRow,
        "WITH due AS (
             SELECT n.id
             FROM clients c
             CROSS JOIN LATERAL (
                 SELECT id, due_at FROM connections
                 WHERE client_id = c.id AND due_at <= $2 AND (leased_until IS NULL OR leased_until <= $2)
                 ORDER BY due_at LIMIT $4 FOR UPDATE SKIP LOCKED
             ) n
             WHERE c.state = 'ready'
             ORDER BY n.due_at LIMIT $5
         )
         UPDATE connections SET lease_id = $1, leased_until = $3 FROM due WHERE connections.id = due.id
         RETURNING connections.id, client_id, generation, state, failures, doubtful_attempt_id,
                   has_refresh_token, access_expires_at, refresh_expires_at, consented_at, grant_type",
        lease.id,
        lease.now,
        lease.until,
        per_client,
        limit
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(|row| row.leased(lease))
    .collect()
}

/// Leases one connection that holds the token set of `generation`, due or not. `None`: someone else
/// holds it or has refreshed it, or it is gone. If the holder dies it is due at once, so that nobody
/// has to wait for its usual time.
pub async fn claim_one(
    conn: &mut PgConnection,
    lease: Lease,
    id: Uuid,
    generation: i64,
) -> Result<Option<Leased>> {
    sqlx::query_as!(
        LeasedRow,
        "UPDATE connections SET lease_id = $1, leased_until = $3, due_at = least(due_at, $2)
         WHERE id = $4 AND generation = $5 AND state IN ('active', 'retrying', 'in_doubt')
           AND (leased_until IS NULL OR leased_until <= $2)
         RETURNING id, client_id, generation, state, failures, doubtful_attempt_id,
                   has_refresh_token, access_expires_at, refresh_expires_at, consented_at, grant_type",
        lease.id,
        lease.now,
        lease.until,
        id,
        generation
    )
    .fetch_optional(conn)
    .await?
    .map(|row| row.leased(lease))
    .transpose()
}

/// Marks leased connections whose earlier attempt never got its verdict.
pub async fn doubt(
    conn: &mut PgConnection,
    id: Uuid,
    lease_id: Uuid,
    attempt_id: Uuid,
    now: OffsetDateTime,
) -> Result<()> {
    sqlx::query!(
        "UPDATE connections SET state = 'in_doubt', state_since = $4, doubtful_attempt_id = $3, updated_at = $4
         WHERE id = $1 AND lease_id = $2",
        id,
        lease_id,
        attempt_id,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What a refresh that was granted changes.
pub struct Renewal<'a> {
    pub scopes_granted: Option<&'a [String]>,
    pub has_refresh_token: bool,
    pub obtained_at: OffsetDateTime,
    pub access_expires_at: Option<OffsetDateTime>,
    pub refresh_expires_at: Option<OffsetDateTime>,
    pub needs_human_by: Option<OffsetDateTime>,
    pub due_at: Option<OffsetDateTime>,
}

/// Saves a refresh as the next generation and gives the lease back. `false`: the lease or the
/// generation has moved, and nothing was changed.
pub async fn renew(
    conn: &mut PgConnection,
    leased: &Leased,
    renewal: &Renewal<'_>,
    now: OffsetDateTime,
) -> Result<bool> {
    let done = sqlx::query!(
        "UPDATE connections
         SET state = 'active', state_since = CASE WHEN state = 'active' THEN state_since ELSE $4 END,
             reason = NULL, failures = 0, doubtful_attempt_id = NULL, last_error = NULL,
             generation = generation + 1, scopes_granted = coalesce($5, scopes_granted),
             has_refresh_token = $6, obtained_at = $7, access_expires_at = $8, refresh_expires_at = $9,
             needs_human_by = $10, due_at = $11, lease_id = NULL, leased_until = NULL, updated_at = $4
         WHERE id = $1 AND lease_id = $2 AND generation = $3",
        leased.id,
        leased.lease_id,
        leased.generation,
        now,
        renewal.scopes_granted as Option<&[String]>,
        renewal.has_refresh_token,
        renewal.obtained_at,
        renewal.access_expires_at,
        renewal.refresh_expires_at,
        renewal.needs_human_by,
        renewal.due_at
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// What a refresh that was not granted changes.
pub struct Setback<'a> {
    pub state: StateName,
    pub reason: Option<&'a str>,
    pub failures: i32,
    pub doubtful_attempt_id: Option<Uuid>,
    pub last_error: Option<serde_json::Value>,
    pub needs_human_by: Option<OffsetDateTime>,
    pub due_at: Option<OffsetDateTime>,
}

/// Saves a verdict and gives the lease back. `false`: the lease or the generation has moved, and
/// nothing was changed: a late loser's refusal never condemns the winner's grant.
pub async fn set_back(
    conn: &mut PgConnection,
    leased: &Leased,
    setback: &Setback<'_>,
    now: OffsetDateTime,
) -> Result<bool> {
    let done = sqlx::query!(
        "UPDATE connections
         SET state = $4, state_since = CASE WHEN state = $4 THEN state_since ELSE $5 END, reason = $6,
             failures = $7, doubtful_attempt_id = $8, last_error = coalesce($9, last_error),
             needs_human_by = $10, due_at = $11, lease_id = NULL, leased_until = NULL, updated_at = $5
         WHERE id = $1 AND lease_id = $2 AND generation = $3",
        leased.id,
        leased.lease_id,
        leased.generation,
        setback.state.as_str(),
        now,
        setback.reason,
        setback.failures,
        setback.doubtful_attempt_id,
        setback.last_error,
        setback.needs_human_by,
        setback.due_at
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Gives the lease back without a verdict, for when no request was made.
pub async fn release(
    conn: &mut PgConnection,
    leased: &Leased,
    due_at: Option<OffsetDateTime>,
) -> Result<()> {
    sqlx::query!(
        "UPDATE connections SET lease_id = NULL, leased_until = NULL, due_at = $3
         WHERE id = $1 AND lease_id = $2",
        leased.id,
        leased.lease_id,
        due_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether someone holds the connection now.
pub async fn is_held(conn: &mut PgConnection, id: Uuid, now: OffsetDateTime) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM connections WHERE id = $1 AND leased_until > $2) AS "held!""#,
        id,
        now
    )
    .fetch_one(conn)
    .await?)
}

/// Spreads what came due while a client was refused over `spread` seconds from `now` on.
pub async fn resume(
    conn: &mut PgConnection,
    client_id: Uuid,
    now: OffsetDateTime,
    spread: f64,
    seed: i64,
) -> Result<u64> {
    Ok(sqlx::query!(
        "UPDATE connections
         SET due_at = $2::timestamptz + make_interval(secs =>
             $3::float8 * (hashtextextended(id::text, $4) & 65535)::float8 / 65536.0)
         WHERE client_id = $1 AND due_at <= $2::timestamptz + make_interval(secs => $3::float8)
           AND (leased_until IS NULL OR leased_until <= $2)",
        client_id,
        now,
        spread,
        seed
    )
    .execute(conn)
    .await?
    .rows_affected())
}
