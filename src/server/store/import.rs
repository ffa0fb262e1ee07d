//! Imports: one row each, counted up as they go.

use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{Error, Result, first_id};
use crate::domain::import::{Import, ImportState, RowPlace, RowProblem};

/// By how much clocks may differ that tell of one import.
const CLOCKS: Duration = Duration::minutes(5);

struct ImportRow {
    id: Uuid,
    client_id: Uuid,
    dry_run: bool,
    file_name: Option<String>,
    state: String,
    read_bytes: i64,
    total_bytes: Option<i64>,
    rows: i64,
    imported: i64,
    without_end: i64,
    expired: i64,
    ending: i64,
    first_end_at: Option<OffsetDateTime>,
    last_end_at: Option<OffsetDateTime>,
    unverified: i64,
    skipped: i64,
    failed: i64,
    problems: serde_json::Value,
    detail: Option<String>,
    begun_at: OffsetDateTime,
    ended_at: Option<OffsetDateTime>,
}

impl TryFrom<ImportRow> for Import {
    type Error = Error;

    fn try_from(row: ImportRow) -> Result<Self> {
        let state = match row.state.as_str() {
            "running" => ImportState::Running,
            "done" => ImportState::Done,
            "broken" => ImportState::Broken,
            other => return Err(Error::Unreadable(format!("an import is {other}"))),
        };
        Ok(Self {
            id: row.id,
            client_id: row.client_id,
            dry_run: row.dry_run,
            file_name: row.file_name,
            state,
            read_bytes: row.read_bytes,
            total_bytes: row.total_bytes,
            rows: row.rows,
            imported: row.imported,
            without_end: row.without_end,
            expired: row.expired,
            ending: row.ending,
            first_end_at: row.first_end_at,
            last_end_at: row.last_end_at,
            unverified: row.unverified,
            skipped: row.skipped,
            failed: row.failed,
            problems: serde_json::from_value(row.problems)?,
            detail: row.detail,
            begun_at: row.begun_at,
            ended_at: row.ended_at,
        })
    }
}

/// An import that begins.
pub struct NewImport {
    pub id: Uuid,
    pub client_id: Uuid,
    pub dry_run: bool,
    pub file_name: Option<String>,
    pub total_bytes: Option<i64>,
    pub begun_at: OffsetDateTime,
}

/// `beat_at`: `None`: now, by the database's clock; so it is wherever an import shows that it lives.
pub async fn insert(
    conn: &mut PgConnection,
    new: &NewImport,
    beat_at: Option<OffsetDateTime>,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO imports (id, client_id, dry_run, state, total_bytes, begun_at, beat_at, file_name)
         VALUES ($1, $2, $3, 'running', $4, $5, coalesce($6::timestamptz, clock_timestamp()), $7)",
        new.id,
        new.client_id,
        new.dry_run,
        new.total_bytes,
        new.begun_at,
        beat_at,
        new.file_name
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What a batch adds to the counts.
#[derive(Default)]
pub struct Progress {
    /// How far the file is read, this batch included.
    pub read_bytes: i64,
    pub imported: i64,
    pub without_end: i64,
    pub expired: i64,
    pub ending: i64,
    pub first_end_at: Option<OffsetDateTime>,
    pub last_end_at: Option<OffsetDateTime>,
    pub unverified: i64,
    pub skipped: i64,
    pub failed: i64,
    pub problems: Vec<RowProblem>,
}

impl Progress {
    /// Counts a row that can't be imported, and says why.
    pub fn fail(&mut self, at: RowPlace, external_id: Option<&str>, field: &str, message: &str) {
        self.failed += 1;
        self.problems.push(RowProblem::new(at, field, message).of(external_id));
    }
}

/// Counts a batch, which may come before one that stood before it. Of the problems the first thousand
/// are kept, by their rows. `false`: the import was ended meanwhile, and nothing may follow.
pub async fn add(
    conn: &mut PgConnection,
    id: Uuid,
    progress: &Progress,
    beat_at: Option<OffsetDateTime>,
) -> Result<bool> {
    let problems = serde_json::to_value(&progress.problems)?;
    let done = sqlx::query!(
        "UPDATE imports
         SET rows = rows + $2 + $3 + $4, imported = imported + $2, skipped = skipped + $3,
             failed = failed + $4, read_bytes = greatest(read_bytes, $5),
             without_end = without_end + $8, expired = expired + $9,
             ending = ending + $10, first_end_at = least(first_end_at, $11),
             last_end_at = greatest(last_end_at, $12), unverified = unverified + $13,
             beat_at = coalesce($7::timestamptz, clock_timestamp()),
             problems = CASE WHEN $6::jsonb = '[]' THEN problems ELSE (
                 SELECT jsonb_agg(problem ORDER BY place, n)
                 FROM (SELECT problem, (problem ->> 'row')::bigint AS place, n
                       FROM jsonb_array_elements(problems || $6) WITH ORDINALITY AS every (problem, n)
                       ORDER BY place, n LIMIT 1000) first
             ) END
         WHERE id = $1 AND state = 'running'",
        id,
        progress.imported,
        progress.skipped,
        progress.failed,
        progress.read_bytes,
        problems,
        beat_at,
        progress.without_end,
        progress.expired,
        progress.ending,
        progress.first_end_at,
        progress.last_end_at,
        progress.unverified
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Shows that the import lives. `false`: it was ended meanwhile.
pub async fn beat(
    conn: &mut PgConnection,
    id: Uuid,
    beat_at: Option<OffsetDateTime>,
) -> Result<bool> {
    let done = sqlx::query!(
        "UPDATE imports SET beat_at = coalesce($2::timestamptz, clock_timestamp())
         WHERE id = $1 AND state = 'running'",
        id,
        beat_at
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Ends an import, if nobody else did. `detail`: why it broke off.
pub async fn end(
    conn: &mut PgConnection,
    id: Uuid,
    detail: Option<&str>,
    now: OffsetDateTime,
) -> Result<()> {
    let state = if detail.is_some() { ImportState::Broken } else { ImportState::Done };
    sqlx::query!(
        "UPDATE imports SET state = $2, detail = $3, ended_at = $4 WHERE id = $1 AND state = 'running'",
        id,
        state.as_str(),
        detail,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends the imports that showed no life for so many seconds; gives their ids.
pub async fn end_silent(
    conn: &mut PgConnection,
    seconds: f64,
    detail: &str,
    now: Option<OffsetDateTime>,
) -> Result<Vec<Uuid>> {
    Ok(sqlx::query_scalar!(
        "UPDATE imports SET state = 'broken', detail = $2, ended_at = beat_at
         WHERE state = 'running'
           AND beat_at < coalesce($3::timestamptz, clock_timestamp()) - make_interval(secs => $1)
         RETURNING id",
        seconds,
        detail,
        now
    )
    .fetch_all(conn)
    .await?)
}

pub async fn find(conn: &mut PgConnection, id: Uuid) -> Result<Option<Import>> {
    sqlx::query_as!(
        ImportRow,
        "SELECT id, client_id, dry_run, state, read_bytes, total_bytes, rows, imported, without_end, expired,
                ending, first_end_at, last_end_at, unverified,
                skipped, failed, problems, detail, begun_at, ended_at, file_name
         FROM imports WHERE id = $1",
        id
    )
    .fetch_optional(conn)
    .await?
    .map(Import::try_from)
    .transpose()
}

/// An import, and the ids that were made while it ran.
#[derive(Clone, Copy, Debug)]
pub struct Ran {
    pub id: Uuid,
    pub from: Uuid,
    pub before: Uuid,
}

/// When an import ran, if there is one.
pub async fn ran(conn: &mut PgConnection, id: Uuid) -> Result<Option<Ran>> {
    let ran = sqlx::query!("SELECT begun_at, ended_at FROM imports WHERE id = $1", id)
        .fetch_optional(conn)
        .await?;
    Ok(ran.map(|ran| Ran {
        id,
        from: first_id(ran.begun_at - CLOCKS),
        // One that broke off ended with its last sign of life.
        before: ran.ended_at.map_or(Uuid::max(), |end| first_id(end + CLOCKS)),
    }))
}

/// The connections that an import brought, whatever became of them since, as the audit log has it: each begins
/// there, while the import ran. At most `limit` of them, in no order.
pub async fn brought(conn: &mut PgConnection, ran: &Ran, limit: i64) -> Result<Vec<Uuid>> {
    Ok(sqlx::query_scalar!(
        r#"SELECT subject_id::uuid AS "id!" FROM audit
           WHERE action = 'connection.import' AND id >= $1 AND id < $2
             AND detail @> jsonb_build_object('import', $3::uuid) AND subject_id IS NOT NULL
           LIMIT $4"#,
        ran.from,
        ran.before,
        ran.id,
        limit
    )
    .fetch_all(conn)
    .await?)
}

/// The newest imports of a client, without their problems.
pub async fn list(conn: &mut PgConnection, client_id: Uuid) -> Result<Vec<Import>> {
    sqlx::query_as!(
        ImportRow,
        r#"SELECT id, client_id, dry_run, state, read_bytes, total_bytes, rows, imported, without_end, expired,
                  ending, first_end_at, last_end_at, unverified,
                  skipped, failed, '[]'::jsonb AS "problems!", detail, begun_at, ended_at, file_name
           FROM imports WHERE client_id = $1 ORDER BY id DESC LIMIT 20"#,
        client_id
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(Import::try_from)
    .collect()
}
