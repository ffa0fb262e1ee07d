//! What refreshes came to, written many at a time. Every row names its lease and its generation, and
//! changes nothing once these have moved (DESIGN section 3, point 2).

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    domain::connection::{Reason, StateName},
    server::store::Result,
};

/// Which lease a change is made under, of which generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fence {
    pub id: Uuid,
    pub lease_id: Uuid,
    pub generation: i64,
}

/// What a refresh that was granted changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Renewal {
    pub scopes_granted: Option<Vec<String>>,
    pub has_refresh_token: bool,
    pub obtained_at: OffsetDateTime,
    pub access_expires_at: Option<OffsetDateTime>,
    pub refresh_expires_at: Option<OffsetDateTime>,
    pub needs_human_by: Option<OffsetDateTime>,
    pub due_at: Option<OffsetDateTime>,
}

/// What a refresh that was not granted changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setback {
    pub state: StateName,
    pub reason: Option<Reason>,
    pub failures: i32,
    pub doubtful_attempt_id: Option<Uuid>,
    pub last_error: Option<serde_json::Value>,
    pub needs_human_by: Option<OffsetDateTime>,
    pub due_at: Option<OffsetDateTime>,
}

/// Saves refreshes, which these attempts made, as the next generations and gives the leases back; which
/// of them.
///
/// A grant exists nowhere else, so it is taken even when its lease is over, as long as nobody holds
/// another, the generation it renews is still the newest, and nobody ended the connection: then it is
/// due at once and stays in doubt, since someone may have used the old refresh token meanwhile.
pub async fn renew(
    conn: &mut PgConnection,
    renewals: &[(Fence, &Renewal)],
    attempts: &[Uuid],
    now: OffsetDateTime,
    lease_now: Option<OffsetDateTime>,
) -> Result<Vec<Uuid>> {
    let column = Columns(renewals);
    let scopes: Vec<Option<String>> = renewals
        .iter()
        .map(|(_, renewal)| renewal.scopes_granted.as_ref().map(serde_json::to_string).transpose())
        .collect::<std::result::Result<_, _>>()?;
    Ok(sqlx::query_scalar!(
        "UPDATE connections n
         SET state = 'active', state_since = CASE WHEN n.state = 'active' THEN n.state_since ELSE $1 END,
             reason = NULL, failures = 0, last_error = NULL,
             doubtful_attempt_id = CASE WHEN n.lease_id = r.lease_id THEN NULL 
                                         ELSE coalesce(n.doubtful_attempt_id, r.attempt_id) END,
             generation = n.generation + 1,
             scopes_granted = CASE WHEN r.scopes IS NULL THEN n.scopes_granted
                                   ELSE ARRAY (SELECT jsonb_array_elements_text(r.scopes::jsonb)) END,
             has_refresh_token = r.has_refresh_token, obtained_at = r.obtained_at,
             access_expires_at = r.access_expires_at, refresh_expires_at = r.refresh_expires_at,
             needs_human_by = r.needs_human_by,
             due_at = CASE WHEN n.lease_id = r.lease_id THEN r.due_at
                           WHEN r.has_refresh_token THEN $1 ELSE r.due_at END,
             lease_id = NULL, leased_until = NULL, updated_at = $1
         FROM unnest($3::uuid[], $4::uuid[], $5::bigint[], $6::text[], $7::boolean[], $8::timestamptz[],
                     $9::timestamptz[], $10::timestamptz[], $11::timestamptz[], $12::timestamptz[], $13::uuid[])
              AS r (id, lease_id, generation, scopes, has_refresh_token, obtained_at, access_expires_at,
                    refresh_expires_at, needs_human_by, due_at, attempt_id)
         WHERE n.id = r.id AND n.generation = r.generation
           AND (n.lease_id = r.lease_id
                OR ((n.leased_until IS NULL
                     OR lease_is_over(n.leased_until, coalesce($2::timestamptz, statement_timestamp())))
                    AND (n.state IN ('active', 'retrying', 'in_doubt') OR n.reason IN ('rotation_lost', 'refresh_token_expired'))))
         RETURNING n.id",
        now,
        lease_now,
        &column.ids(),
        &column.leases(),
        &column.generations(),
        &scopes as &[Option<String>],
        &column.of(|renewal| renewal.has_refresh_token),
        &column.of(|renewal| renewal.obtained_at),
        &column.of(|renewal| renewal.access_expires_at) as &[Option<OffsetDateTime>],
        &column.of(|renewal| renewal.refresh_expires_at) as &[Option<OffsetDateTime>],
        &column.of(|renewal| renewal.needs_human_by) as &[Option<OffsetDateTime>],
        &column.of(|renewal| renewal.due_at) as &[Option<OffsetDateTime>],
        attempts
    )
    .fetch_all(conn)
    .await?)
}

/// Saves verdicts and gives the leases back; which of them. A late loser's refusal never condemns the
/// winner's grant.
pub async fn set_back(
    conn: &mut PgConnection,
    setbacks: &[(Fence, &Setback)],
    now: OffsetDateTime,
) -> Result<Vec<Uuid>> {
    let column = Columns(setbacks);
    Ok(sqlx::query_scalar!(
        "UPDATE connections n
         SET state = r.state, state_since = CASE WHEN n.state = r.state THEN n.state_since ELSE $1 END,
             reason = r.reason, failures = r.failures, doubtful_attempt_id = r.doubtful_attempt_id,
             last_error = coalesce(r.last_error, n.last_error), needs_human_by = r.needs_human_by,
             due_at = r.due_at, lease_id = NULL, leased_until = NULL, updated_at = $1
         FROM unnest($2::uuid[], $3::uuid[], $4::bigint[], $5::text[], $6::text[], $7::int[], $8::uuid[],
                     $9::jsonb[], $10::timestamptz[], $11::timestamptz[])
              AS r (id, lease_id, generation, state, reason, failures, doubtful_attempt_id, last_error,
                    needs_human_by, due_at)
         WHERE n.id = r.id AND n.lease_id = r.lease_id AND n.generation = r.generation
         RETURNING n.id",
        now,
        &column.ids(),
        &column.leases(),
        &column.generations(),
        &column.of(|setback| setback.state.as_str().to_owned()),
        &column.of(|setback| setback.reason.map(|reason| reason.as_str().to_owned()))
            as &[Option<String>],
        &column.of(|setback| setback.failures),
        &column.of(|setback| setback.doubtful_attempt_id) as &[Option<Uuid>],
        &column.of(|setback| setback.last_error.clone()) as &[Option<serde_json::Value>],
        &column.of(|setback| setback.needs_human_by) as &[Option<OffsetDateTime>],
        &column.of(|setback| setback.due_at) as &[Option<OffsetDateTime>]
    )
    .fetch_all(conn)
    .await?)
}

/// Gives leases back with a new due time and nothing else changed; which of them.
pub async fn release(
    conn: &mut PgConnection,
    released: &[(Fence, &Option<OffsetDateTime>)],
) -> Result<Vec<Uuid>> {
    let column = Columns(released);
    Ok(sqlx::query_scalar!(
        "UPDATE connections n SET lease_id = NULL, leased_until = NULL, due_at = r.due_at
         FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::timestamptz[])
              AS r (id, lease_id, generation, due_at)
         WHERE n.id = r.id AND n.lease_id = r.lease_id AND n.generation = r.generation
         RETURNING n.id",
        &column.ids(),
        &column.leases(),
        &column.generations(),
        &column.of(|due_at| *due_at) as &[Option<OffsetDateTime>]
    )
    .fetch_all(conn)
    .await?)
}

/// Why a change was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub id: Uuid,
    pub generation: i64,
    pub is_over: bool,
}

/// How connections stand whose changes were not taken. What is missing is gone.
pub async fn standing(conn: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<Standing>> {
    Ok(sqlx::query_as!(
        Standing,
        r#"SELECT id, generation,
                  NOT (state IN ('active', 'retrying', 'in_doubt') OR coalesce(reason IN ('rotation_lost', 'refresh_token_expired'), false)) AS "is_over!"
           FROM connections WHERE id = ANY ($1)"#,
        ids
    )
    .fetch_all(conn)
    .await?)
}

/// Rows as the columns that `unnest` takes.
struct Columns<'a, T>(&'a [(Fence, &'a T)]);

impl<T> Columns<'_, T> {
    fn ids(&self) -> Vec<Uuid> {
        self.0.iter().map(|(fence, _)| fence.id).collect()
    }

    fn leases(&self) -> Vec<Uuid> {
        self.0.iter().map(|(fence, _)| fence.lease_id).collect()
    }

    fn generations(&self) -> Vec<i64> {
        self.0.iter().map(|(fence, _)| fence.generation).collect()
    }

    fn of<C>(&self, read: impl Fn(&T) -> C) -> Vec<C> {
        self.0.iter().map(|(_, row)| read(row)).collect()
    }
}
