//! Jobs: one row each, counted up as they go. What they work on is in [`item`].

pub mod item;
pub mod straggler;

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Error, Result};
use crate::domain::job::Job;

struct JobRow {
    id: Uuid,
    action: String,
    name: Option<String>,
    tag: Option<String>,
    revoke: bool,
    client_scopes: bool,
    stragglers_of: Option<Uuid>,
    state: String,
    total: i64,
    done: i64,
    skipped: i64,
    failed: i64,
    detail: Option<String>,
    created_by: String,
    created_at: OffsetDateTime,
    ended_at: Option<OffsetDateTime>,
}

impl TryFrom<JobRow> for Job {
    type Error = Error;

    fn try_from(row: JobRow) -> Result<Self> {
        Ok(Self {
            id: row.id,
            action: row.action.parse()?,
            name: row.name,
            tag: row.tag,
            revoke: row.revoke,
            client_scopes: row.client_scopes,
            stragglers_of: row.stragglers_of,
            state: row.state.parse()?,
            total: row.total,
            done: row.done,
            skipped: row.skipped,
            failed: row.failed,
            detail: row.detail,
            created_by: row.created_by,
            created_at: row.created_at,
            ended_at: row.ended_at,
        })
    }
}

/// What is chosen of one client.
pub struct Chosen {
    pub client_id: Uuid,
    pub count: i64,
    /// Another one when others of its connections are chosen.
    pub mark: i64,
}

/// Whose job it is.
pub struct Asker<'a> {
    pub kind: &'a str,
    pub id: Uuid,
    pub label: &'a str,
}

/// `false`: its asker has used the key before.
pub async fn insert(
    conn: &mut PgConnection,
    job: &Job,
    asker: &Asker<'_>,
    key: Option<(Uuid, &[u8])>,
) -> Result<bool> {
    let done = sqlx::query!(
        "INSERT INTO jobs (id, action, tag, revoke, total, actor_kind, actor_id, actor_label, created_at,
                           name, client_scopes, stragglers_of, request_key, request_digest)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
         ON CONFLICT (actor_id, request_key) DO NOTHING",
        job.id,
        job.action.as_str(),
        job.tag,
        job.revoke,
        job.total,
        asker.kind,
        asker.id,
        asker.label,
        job.created_at,
        job.name,
        job.client_scopes,
        job.stragglers_of,
        key.map(|(key, _)| key),
        key.map(|(_, digest)| digest)
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Until the transaction ends nobody else makes a job in somebody's name: the same sent twice is seen to be the
/// same, and many at once do not slip past a limit.
pub async fn lock_asker(conn: &mut PgConnection, asker: &Asker<'_>) -> Result<()> {
    sqlx::query!(
        r#"SELECT pg_advisory_xact_lock(hashtextextended('regrant jobs ' || $1::uuid::text, 0)) AS "locked""#,
        asker.id
    )
    .fetch_one(conn)
    .await?;
    Ok(())
}

/// How many jobs of somebody are under way.
pub async fn count_running(conn: &mut PgConnection, asker: &Asker<'_>) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM jobs
           WHERE state = 'running' AND actor_kind = $1 AND actor_id = $2"#,
        asker.kind,
        asker.id
    )
    .fetch_one(conn)
    .await?)
}

/// Notes how many items a job has, and of which clients. All of them are there by then.
pub async fn set_total(conn: &mut PgConnection, id: Uuid, total: i64) -> Result<()> {
    sqlx::query!(
        "UPDATE jobs
         SET total = $2,
             clients = ARRAY (SELECT DISTINCT client_id FROM job_items
                              WHERE job_id = $1 AND client_id IS NOT NULL)
         WHERE id = $1",
        id,
        total
    )
    .execute(conn)
    .await?;
    Ok(())
}

macro_rules! select {
    ($tail:literal $(, $argument:expr)*) => {
        sqlx::query_as!(
            JobRow,
            "SELECT id, action, name, tag, revoke, client_scopes, stragglers_of, state, total, done, skipped, failed, detail,
                    actor_label AS created_by, created_at, ended_at
             FROM jobs " + $tail
            $(, $argument)*
        )
    };
}

pub async fn find(conn: &mut PgConnection, id: Uuid) -> Result<Option<Job>> {
    select!("WHERE id = $1", id).fetch_optional(conn).await?.map(TryInto::try_into).transpose()
}

/// The job that its asker made with a key.
pub async fn find_by_key(
    conn: &mut PgConnection,
    asker: &Asker<'_>,
    key: Uuid,
) -> Result<Option<Job>> {
    select!("WHERE actor_id = $1 AND request_key = $2", asker.id, key)
        .fetch_optional(conn)
        .await?
        .map(TryInto::try_into)
        .transpose()
}

/// Whether a job was asked for in such words. `true`, where nobody noted them.
pub async fn is_of_request(conn: &mut PgConnection, id: Uuid, digest: &[u8]) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"SELECT coalesce(request_digest = $2, true) AS "same!" FROM jobs WHERE id = $1"#,
        id,
        digest
    )
    .fetch_one(conn)
    .await?)
}

/// The newest first, from `before` on.
pub async fn list(conn: &mut PgConnection, before: Option<Uuid>, limit: i64) -> Result<Vec<Job>> {
    select!("WHERE $1::uuid IS NULL OR id < $1 ORDER BY id DESC LIMIT $2", before, limit)
        .fetch_all(conn)
        .await?
        .into_iter()
        .map(TryInto::try_into)
        .collect()
}

/// Jobs of relinks that were made after a moment, but for those on another's stragglers; the newest first.
pub async fn list_campaigns(
    conn: &mut PgConnection,
    since: OffsetDateTime,
    limit: i64,
) -> Result<Vec<Job>> {
    select!(
        "WHERE action = 'relink' AND stragglers_of IS NULL AND created_at > $1
         ORDER BY id DESC LIMIT $2",
        since,
        limit
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(TryInto::try_into)
    .collect()
}

/// A job that somebody works at.
pub struct Leased {
    pub id: Uuid,
    pub lease_id: Uuid,
    pub actor_kind: String,
    pub actor_id: Uuid,
    /// Up to which item all have their outcome.
    pub position: i64,
    /// Up to which item all had their turn in this round. Those that were put off are among them.
    pub seen: i64,
}

/// Takes the job that was worked at the longest ago, of those that nobody works at, for `seconds`. It is the
/// last in turn from then on, whatever becomes of whoever took it. `now`: `None`: by the database's clock.
pub async fn claim(
    conn: &mut PgConnection,
    lease_id: Uuid,
    seconds: f64,
    now: Option<OffsetDateTime>,
) -> Result<Option<Leased>> {
    Ok(sqlx::query_as!(
        Leased,
        r#"UPDATE jobs
           SET lease_id = $1,
               leased_until = coalesce($3::timestamptz, clock_timestamp()) + make_interval(secs => $2),
               turn = nextval('job_turns')
           WHERE id = (SELECT id FROM jobs
                       WHERE state = 'running'
                         AND (leased_until IS NULL
                              OR leased_until <= coalesce($3::timestamptz, clock_timestamp()))
                       ORDER BY turn, id LIMIT 1 FOR UPDATE SKIP LOCKED)
           RETURNING id, lease_id AS "lease_id!", actor_kind, actor_id, position,
                     greatest(seen, position) AS "seen!""#,
        lease_id,
        seconds,
        now
    )
    .fetch_optional(conn)
    .await?)
}

/// Keeps a job for `seconds` more. `false`: it is another's, or over.
pub async fn prolong(
    conn: &mut PgConnection,
    job: &Leased,
    seconds: f64,
    now: Option<OffsetDateTime>,
) -> Result<bool> {
    let done = sqlx::query!(
        "UPDATE jobs
         SET leased_until = coalesce($4::timestamptz, clock_timestamp()) + make_interval(secs => $3)
         WHERE id = $1 AND lease_id = $2 AND state = 'running'",
        job.id,
        job.lease_id,
        seconds,
        now
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Gives a job back, for anybody to go on with: at once, or after so many seconds.
pub async fn release(
    conn: &mut PgConnection,
    job: &Leased,
    seconds: Option<f64>,
    now: Option<OffsetDateTime>,
) -> Result<()> {
    sqlx::query!(
        "UPDATE jobs
         SET lease_id = NULL,
             leased_until = coalesce($4::timestamptz, clock_timestamp()) + make_interval(secs => $3::float8)
         WHERE id = $1 AND lease_id = $2",
        job.id,
        job.lease_id,
        seconds,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// How many came to what.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    pub done: i64,
    pub skipped: i64,
    pub failed: i64,
}

/// Counts what was worked at, and notes how far the job and its round are. `false`: the job is another's,
/// or over, and nothing counts.
pub async fn add(
    conn: &mut PgConnection,
    job: &Leased,
    tally: Tally,
    position: i64,
    seen: i64,
) -> Result<bool> {
    let done = sqlx::query!(
        "UPDATE jobs
         SET done = done + $3, skipped = skipped + $4, failed = failed + $5, position = $6, seen = $7
         WHERE id = $1 AND lease_id = $2 AND state = 'running'",
        job.id,
        job.lease_id,
        tally.done,
        tally.skipped,
        tally.failed,
        position,
        seen
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Has what is open looked at from the first on again.
pub async fn begin_round(conn: &mut PgConnection, job: &Leased) -> Result<()> {
    sqlx::query!(
        "UPDATE jobs SET seen = position WHERE id = $1 AND lease_id = $2",
        job.id,
        job.lease_id
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends a job, if nobody else did. `detail`: why it was stopped.
pub async fn end(
    conn: &mut PgConnection,
    id: Uuid,
    detail: Option<&str>,
    now: OffsetDateTime,
) -> Result<bool> {
    let done = sqlx::query!(
        "UPDATE jobs
         SET state = CASE WHEN $2::text IS NULL THEN 'done' ELSE 'stopped' END, detail = $2, ended_at = $3,
             lease_id = NULL, leased_until = NULL
         WHERE id = $1 AND state = 'running'",
        id,
        detail,
        now
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Forgets jobs that ended long ago.
pub async fn delete_before(conn: &mut PgConnection, moment: OffsetDateTime) -> Result<()> {
    sqlx::query!("DELETE FROM jobs WHERE ended_at < $1", moment).execute(conn).await?;
    Ok(())
}
