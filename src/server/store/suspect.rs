//! Suspects: connections that were refused of late, with what it takes to give them back.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Result;
use crate::domain::connection::Reason;

/// A connection that is about to be condemned, as it is before that.
#[derive(Clone, Copy, Debug)]
pub struct Before {
    pub id: Uuid,
    pub doubtful_attempt_id: Option<Uuid>,
    pub needs_human_by: Option<OffsetDateTime>,
}

pub async fn before(conn: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<Before>> {
    Ok(sqlx::query_as!(
        Before,
        "SELECT id, doubtful_attempt_id, needs_human_by FROM connections WHERE id = ANY ($1)",
        ids
    )
    .fetch_all(conn)
    .await?)
}

/// A refusal that condemned a connection.
#[derive(Clone, Copy, Debug)]
pub struct Refused {
    pub before: Before,
    pub generation: i64,
    pub attempt_id: Uuid,
    pub reason: Reason,
}

/// Which of these connections had been given a last try, with the generations they have. The try is
/// used up.
pub async fn take_last_tries(conn: &mut PgConnection, refused: &[Refused]) -> Result<Vec<Uuid>> {
    let ids: Vec<Uuid> = refused.iter().map(|refused| refused.before.id).collect();
    let generations: Vec<i64> = refused.iter().map(|refused| refused.generation).collect();
    Ok(sqlx::query_scalar!(
        "DELETE FROM suspects s USING unnest($1::uuid[], $2::bigint[]) AS r (id, generation)
         WHERE s.connection_id = r.id AND s.generation = r.generation AND s.standing = 'last_try'
         RETURNING s.connection_id",
        &ids,
        &generations
    )
    .fetch_all(conn)
    .await?)
}

/// Remembers connections that were just condemned.
pub async fn note(
    conn: &mut PgConnection,
    client_id: Uuid,
    refused: &[Refused],
    now: OffsetDateTime,
) -> Result<()> {
    let ids: Vec<Uuid> = refused.iter().map(|refused| refused.before.id).collect();
    let generations: Vec<i64> = refused.iter().map(|refused| refused.generation).collect();
    let attempts: Vec<Uuid> = refused.iter().map(|refused| refused.attempt_id).collect();
    let reasons: Vec<String> =
        refused.iter().map(|refused| refused.reason.as_str().to_owned()).collect();
    let doubtful: Vec<Option<Uuid>> =
        refused.iter().map(|refused| refused.before.doubtful_attempt_id).collect();
    let needs_human_by: Vec<Option<OffsetDateTime>> =
        refused.iter().map(|refused| refused.before.needs_human_by).collect();
    sqlx::query!(
        "INSERT INTO suspects (connection_id, client_id, generation, attempt_id, reason, refused_at,
                               doubtful_attempt_id, needs_human_by, standing)
         SELECT r.id, $1, r.generation, r.attempt_id, r.reason, $2, r.doubtful, r.needs_human_by, 'condemned'
         FROM unnest($3::uuid[], $4::bigint[], $5::uuid[], $6::text[], $7::uuid[], $8::timestamptz[])
              AS r (id, generation, attempt_id, reason, doubtful, needs_human_by)
         ON CONFLICT (connection_id) DO UPDATE
         SET client_id = excluded.client_id, generation = excluded.generation,
             attempt_id = excluded.attempt_id, reason = excluded.reason, refused_at = excluded.refused_at,
             doubtful_attempt_id = excluded.doubtful_attempt_id,
             needs_human_by = coalesce(excluded.needs_human_by, suspects.needs_human_by),
             standing = excluded.standing",
        client_id,
        now,
        &ids,
        &generations,
        &attempts,
        &reasons,
        &doubtful as &[Option<Uuid>],
        &needs_human_by as &[Option<OffsetDateTime>]
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// How many connections of a client were condemned since.
pub async fn count(conn: &mut PgConnection, client_id: Uuid, since: OffsetDateTime) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM suspects
           WHERE client_id = $1 AND refused_at > $2 AND standing = 'condemned'"#,
        client_id,
        since
    )
    .fetch_one(conn)
    .await?)
}

/// A connection that is given back, and the attempt that had condemned it.
pub struct Held {
    pub connection_id: Uuid,
    pub attempt_id: Uuid,
}

/// Gives connections of a client back that were condemned since, unless something else became of
/// them: their verdicts wait. They are due again within `spread` seconds, once their client is.
pub async fn hold(
    conn: &mut PgConnection,
    client_id: Uuid,
    since: OffsetDateTime,
    now: OffsetDateTime,
    spread: f64,
) -> Result<Vec<Held>> {
    Ok(sqlx::query_as!(
        Held,
        "WITH back AS (
             UPDATE connections n
             SET state = CASE WHEN s.doubtful_attempt_id IS NULL THEN 'retrying' ELSE 'in_doubt' END,
                 state_since = $3, reason = NULL, doubtful_attempt_id = s.doubtful_attempt_id,
                 needs_human_by = coalesce(s.needs_human_by, n.refresh_expires_at),
                 due_at = $3::timestamptz + make_interval(secs =>
                     $4::float8 * (hashtext(n.id::text) & 65535)::float8 / 65536.0),
                 updated_at = $3
             FROM suspects s
             WHERE s.client_id = $1 AND s.refused_at > $2 AND s.standing = 'condemned'
               AND n.id = s.connection_id AND n.generation = s.generation
               AND n.state = 'needs_reauth' AND n.reason = s.reason
             RETURNING n.id
         )
         UPDATE suspects s SET standing = 'held' FROM back WHERE s.connection_id = back.id
         RETURNING s.connection_id, s.attempt_id",
        client_id,
        since,
        now,
        spread
    )
    .fetch_all(conn)
    .await?)
}

/// The suspect whose turn it is to be tried: what was never tried first.
pub async fn next_canary(
    conn: &mut PgConnection,
    client_id: Uuid,
    now: OffsetDateTime,
) -> Result<Option<(Uuid, i64)>> {
    let row = sqlx::query!(
        "UPDATE suspects SET tried_at = $2
         WHERE connection_id = (
             SELECT s.connection_id FROM suspects s JOIN connections n ON n.id = s.connection_id
             WHERE s.client_id = $1 AND s.standing = 'held' AND n.generation = s.generation
               AND n.state IN ('retrying', 'in_doubt')
             ORDER BY s.tried_at NULLS FIRST, s.refused_at, s.connection_id LIMIT 1)
         RETURNING connection_id, generation",
        client_id,
        now
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| (row.connection_id, row.generation)))
}

/// A connection that was condemned although nobody asked its provider again.
pub struct Condemned {
    pub id: Uuid,
    /// The label, or else the account's name.
    pub name: String,
    pub reason: String,
}

/// Condemns the suspects of a client whose verdicts wait. What is being tried at the moment is left to
/// its own verdict.
pub async fn condemn(
    conn: &mut PgConnection,
    client_id: Uuid,
    now: OffsetDateTime,
) -> Result<Vec<Condemned>> {
    Ok(sqlx::query_as!(
        Condemned,
        r#"UPDATE connections n
           SET state = 'needs_reauth', state_since = $2, reason = s.reason, doubtful_attempt_id = NULL,
               needs_human_by = $2, due_at = NULL, updated_at = $2
           FROM suspects s
           WHERE s.client_id = $1 AND s.standing = 'held' AND n.id = s.connection_id
             AND n.generation = s.generation AND n.state IN ('retrying', 'in_doubt')
             AND n.lease_id IS NULL
           RETURNING n.id, coalesce(nullif(n.label, ''), n.account_label, n.account_id, n.external_id, '') AS "name!",
                     s.reason"#,
        client_id,
        now
    )
    .fetch_all(conn)
    .await?)
}

/// Gives the suspects of a client whose verdicts wait a last try each.
pub async fn give_last_try(conn: &mut PgConnection, client_id: Uuid) -> Result<u64> {
    Ok(sqlx::query!(
        "UPDATE suspects SET standing = 'last_try' WHERE client_id = $1 AND standing = 'held'",
        client_id
    )
    .execute(conn)
    .await?
    .rows_affected())
}

/// Forgets what refusals a client met, but for last tries.
pub async fn clear(conn: &mut PgConnection, client_id: Uuid) -> Result<()> {
    sqlx::query!("DELETE FROM suspects WHERE client_id = $1 AND standing <> 'last_try'", client_id)
        .execute(conn)
        .await?;
    Ok(())
}

/// Forgets what is too old to matter.
pub async fn delete_before(conn: &mut PgConnection, at: OffsetDateTime) -> Result<()> {
    sqlx::query!("DELETE FROM suspects WHERE refused_at < $1 AND standing <> 'held'", at)
        .execute(conn)
        .await?;
    Ok(())
}
