//! Leases: who may use a connection's refresh token now (DESIGN section 3, points 1 and 2).
//!
//! Leases are taken and given back many at a time, and run by the database's clock, which all
//! replicas share: a replica whose own clock is wrong can neither steal a lease nor keep one.

use std::collections::BTreeMap;

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    domain::connection::{GrantType, StateName},
    server::store::Result,
};

/// A connection that is ours until the lease runs out, with all that a refresh needs to know of it.
#[derive(Clone, Debug)]
pub struct Leased {
    pub id: Uuid,
    pub client_id: Uuid,
    pub lease_id: Uuid,
    /// Someone else's lease that ran out on it: what came of their attempt is not known.
    pub lease_before: Option<Uuid>,
    /// The label, or else the account's name.
    pub name: String,
    pub generation: i64,
    pub state: StateName,
    pub failures: i32,
    pub doubtful_attempt_id: Option<Uuid>,
    pub scopes_requested: Vec<String>,
    /// What was granted when somebody consented; empty where that is not known.
    pub scopes_consented: Vec<String>,
    /// What it fills in itself.
    pub variables: BTreeMap<String, String>,
    pub obtained_at: Option<OffsetDateTime>,
    pub access_expires_at: Option<OffsetDateTime>,
    pub refresh_expires_at: Option<OffsetDateTime>,
    pub consented_at: Option<OffsetDateTime>,
    pub due_at: Option<OffsetDateTime>,
    pub grant_type: GrantType,
}

impl Leased {
    /// Whether somebody else held it and never came back.
    pub fn is_orphan(&self) -> bool {
        self.lease_before.is_some()
    }
}

struct LeasedRow {
    id: Uuid,
    client_id: Uuid,
    lease_before: Option<Uuid>,
    name: String,
    generation: i64,
    state: String,
    failures: i32,
    doubtful_attempt_id: Option<Uuid>,
    scopes_requested: Vec<String>,
    scopes_consented: Vec<String>,
    variables: serde_json::Value,
    obtained_at: Option<OffsetDateTime>,
    access_expires_at: Option<OffsetDateTime>,
    refresh_expires_at: Option<OffsetDateTime>,
    consented_at: Option<OffsetDateTime>,
    due_at: Option<OffsetDateTime>,
    grant_type: String,
}

/// A lease to take.
#[derive(Clone, Copy, Debug)]
pub struct Lease {
    pub id: Uuid,
    /// The present moment; `None`: by the database's clock.
    pub now: Option<OffsetDateTime>,
    pub seconds: f64,
    /// Whether to take over what someone else's lease ran out on. Not while those who hold answers
    /// that the database did not take may be about to bring them.
    pub orphans: bool,
}

impl LeasedRow {
    fn leased(self, lease: Lease) -> Result<Leased> {
        Ok(Leased {
            id: self.id,
            client_id: self.client_id,
            lease_id: lease.id,
            lease_before: self.lease_before,
            name: self.name,
            generation: self.generation,
            state: self.state.parse()?,
            failures: self.failures,
            doubtful_attempt_id: self.doubtful_attempt_id,
            scopes_requested: self.scopes_requested,
            scopes_consented: self.scopes_consented,
            variables: serde_json::from_value(self.variables)?,
            obtained_at: self.obtained_at,
            access_expires_at: self.access_expires_at,
            refresh_expires_at: self.refresh_expires_at,
            consented_at: self.consented_at,
            due_at: self.due_at,
            grant_type: self.grant_type.parse()?,
        })
    }
}

/// How many connections of a client may be leased now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    pub client_id: Uuid,
    pub room: i32,
}

/// Leases what is due, at most what each client has room for and `limit` in all: the most overdue of
/// each client in turn, so that none waits behind another's backlog. Only what is leased is locked, and not
/// its key: rows that name it (a first reader, a relink) hide it from nobody. What others left is taken
/// over, but not of `except`.
pub async fn claim_due(
    conn: &mut PgConnection,
    lease: Lease,
    rooms: &[Room],
    except: &[Uuid],
    limit: i64,
) -> Result<Vec<Leased>> {
    let clients: Vec<Uuid> = rooms.iter().map(|room| room.client_id).collect();
    let room: Vec<i32> = rooms.iter().map(|room| room.room).collect();
    sqlx::query_as!(
        LeasedRow,
        r#"WITH found AS (
               SELECT n.id, n.due_at, c.id AS client_id
               FROM unnest($4::uuid[], $5::int[]) AS c (id, room)
               CROSS JOIN LATERAL (
                   SELECT id, due_at FROM connections
                   WHERE client_id = c.id AND due_at <= coalesce($2::timestamptz, statement_timestamp())
                     AND (leased_until IS NULL
                          OR ($7 AND lease_is_over(leased_until, coalesce($2::timestamptz, statement_timestamp()))
                              AND id <> ALL ($8::uuid[])))
                   ORDER BY due_at LIMIT least(c.room, $6::bigint)
               ) n
           ), chosen AS (
               SELECT id FROM found
               ORDER BY row_number() OVER (PARTITION BY client_id ORDER BY due_at), due_at LIMIT $6::bigint
           ), due AS (
               SELECT id, lease_id AS lease_before FROM connections
               WHERE id = ANY (ARRAY (SELECT id FROM chosen))
                 AND due_at <= coalesce($2::timestamptz, statement_timestamp())
                 AND (leased_until IS NULL
                      OR ($7 AND lease_is_over(leased_until, coalesce($2::timestamptz, statement_timestamp()))))
               FOR NO KEY UPDATE SKIP LOCKED
           )
           UPDATE connections
           SET lease_id = $1,
               leased_until = coalesce($2::timestamptz, statement_timestamp()) + make_interval(secs => $3)
           FROM due WHERE connections.id = due.id
           RETURNING connections.id, client_id, due.lease_before AS "lease_before?",
                     coalesce(nullif(label, ''), account_label, account_id, external_id, '') AS "name!",
                     generation, state, failures, doubtful_attempt_id, scopes_requested,
                     scopes_consented, variables, obtained_at, access_expires_at, refresh_expires_at, consented_at, due_at, grant_type"#,
        lease.id,
        lease.now,
        lease.seconds,
        &clients,
        &room,
        limit,
        lease.orphans,
        except
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
        r#"WITH found AS (
               SELECT id, lease_id AS lease_before, due_at FROM connections
               WHERE id = $4 AND generation = $5 AND state IN ('active', 'retrying', 'in_doubt')
                 AND (leased_until IS NULL
                      OR ($6 AND lease_is_over(leased_until, coalesce($2::timestamptz, statement_timestamp()))))
               FOR NO KEY UPDATE
           )
           UPDATE connections
           SET lease_id = $1,
               leased_until = coalesce($2::timestamptz, statement_timestamp()) + make_interval(secs => $3),
               due_at = least(found.due_at, coalesce($2::timestamptz, statement_timestamp()))
           FROM found WHERE connections.id = found.id
           RETURNING connections.id, client_id, found.lease_before AS "lease_before?",
                     coalesce(nullif(label, ''), account_label, account_id, external_id, '') AS "name!",
                     generation, state, failures, doubtful_attempt_id, scopes_requested,
                     scopes_consented, variables, obtained_at, access_expires_at, refresh_expires_at, consented_at, found.due_at, grant_type"#,
        lease.id,
        lease.now,
        lease.seconds,
        id,
        generation,
        lease.orphans
    )
    .fetch_optional(conn)
    .await?
    .map(|row| row.leased(lease))
    .transpose()
}

/// Marks leased connections as in doubt about an attempt that never got its verdict.
pub async fn doubt(
    conn: &mut PgConnection,
    lease_id: Uuid,
    doubts: &[(Uuid, Uuid)],
    now: OffsetDateTime,
) -> Result<()> {
    let (ids, attempts): (Vec<Uuid>, Vec<Uuid>) = doubts.iter().copied().unzip();
    sqlx::query!(
        "UPDATE connections n
         SET state = 'in_doubt', state_since = $4, updated_at = $4,
             doubtful_attempt_id = coalesce(n.doubtful_attempt_id, d.attempt_id)
         FROM unnest($2::uuid[], $3::uuid[]) AS d (id, attempt_id)
         WHERE n.id = d.id AND n.lease_id = $1",
        lease_id,
        &ids,
        &attempts,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Prolongs leases whose holders are still at work. A row that is just being changed is passed by, so
/// that it keeps no other from being prolonged.
pub async fn extend(
    conn: &mut PgConnection,
    held: &[(Uuid, Uuid)],
    now: Option<OffsetDateTime>,
    seconds: f64,
) -> Result<()> {
    let (ids, leases): (Vec<Uuid>, Vec<Uuid>) = held.iter().copied().unzip();
    sqlx::query!(
        "WITH held AS (
             SELECT n.id FROM connections n
             JOIN unnest($1::uuid[], $2::uuid[]) AS h (id, lease_id)
               ON n.id = h.id AND n.lease_id = h.lease_id
             FOR NO KEY UPDATE OF n SKIP LOCKED
         )
         UPDATE connections n
         SET leased_until = coalesce($3::timestamptz, statement_timestamp()) + make_interval(secs => $4)
         FROM held WHERE n.id = held.id",
        &ids,
        &leases,
        now,
        seconds
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Gives a lease back without a verdict, for when no refresh was made.
pub async fn release(conn: &mut PgConnection, leased: &Leased) -> Result<()> {
    sqlx::query!(
        "UPDATE connections SET lease_id = NULL, leased_until = NULL, due_at = $3
         WHERE id = $1 AND lease_id = $2",
        leased.id,
        leased.lease_id,
        leased.due_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether someone holds the connection now.
pub async fn is_held(
    conn: &mut PgConnection,
    id: Uuid,
    now: Option<OffsetDateTime>,
) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM connections
                          WHERE id = $1 AND leased_until IS NOT NULL
                            AND NOT lease_is_over(leased_until, coalesce($2::timestamptz, statement_timestamp())))
           AS "held!""#,
        id,
        now
    )
    .fetch_one(conn)
    .await?)
}

/// Whether someone held the connection and has not given it back.
pub async fn is_leased(conn: &mut PgConnection, id: Uuid) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM connections WHERE id = $1 AND leased_until IS NOT NULL)
           AS "leased!""#,
        id
    )
    .fetch_one(conn)
    .await?)
}

/// Spreads some of what came due before `since`, while a client was refused, over `spread` seconds from
/// then on; how many that were. What is just being changed is passed by.
pub async fn resume_some(
    conn: &mut PgConnection,
    client_id: Uuid,
    since: OffsetDateTime,
    now: Option<OffsetDateTime>,
    spread: f64,
    limit: i64,
) -> Result<u64> {
    Ok(sqlx::query!(
        "WITH overdue AS (
             SELECT id FROM connections
             WHERE client_id = $1 AND due_at <= $2
               AND (leased_until IS NULL OR leased_until <= coalesce($3::timestamptz, statement_timestamp()))
             ORDER BY due_at LIMIT $5 FOR UPDATE SKIP LOCKED
         )
         UPDATE connections n
         SET due_at = $2::timestamptz + make_interval(secs => 0.001 + ($4::float8 - 0.001)
             * (hashtextextended(n.id::text, extract(epoch FROM $2::timestamptz)::bigint) & 65535)::float8
             / 65536.0)
         FROM overdue WHERE n.id = overdue.id",
        client_id,
        since,
        now,
        spread,
        limit
    )
    .execute(conn)
    .await?
    .rows_affected())
}
