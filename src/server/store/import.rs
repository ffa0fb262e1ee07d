//! Imports: one row each, counted up as they go.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Error, Result};
use crate::domain::import::{Import, ImportState, RowProblem};

struct ImportRow {
    id: Uuid,
    client_id: Uuid,
    dry_run: bool,
    state: String,
    rows: i64,
    imported: i64,
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
            state,
            rows: row.rows,
            imported: row.imported,
            skipped: row.skipped,
            failed: row.failed,
            problems: serde_json::from_value(row.problems)
                .map_err(|error| Error::Unreadable(error.to_string()))?,
            detail: row.detail,
            begun_at: row.begun_at,
            ended_at: row.ended_at,
        })
    }
}

pub async fn insert(
    conn: &mut PgConnection,
    id: Uuid,
    client_id: Uuid,
    dry_run: bool,
    now: OffsetDateTime,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO imports (id, client_id, dry_run, state, begun_at) VALUES ($1, $2, $3, 'running', $4)",
        id,
        client_id,
        dry_run,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What a batch adds to the counts.
#[derive(Default)]
pub struct Progress {
    pub imported: i64,
    pub skipped: i64,
    pub failed: i64,
    pub problems: Vec<RowProblem>,
}

pub async fn add(conn: &mut PgConnection, id: Uuid, progress: &Progress) -> Result<()> {
    let problems = serde_json::to_value(&progress.problems)
        .map_err(|error| Error::Unreadable(error.to_string()))?;
    sqlx::query!(
        "UPDATE imports
         SET rows = rows + $2 + $3 + $4, imported = imported + $2, skipped = skipped + $3,
             failed = failed + $4, problems = problems || $5
         WHERE id = $1",
        id,
        progress.imported,
        progress.skipped,
        progress.failed,
        problems
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends an import. `detail`: why it broke off.
pub async fn end(
    conn: &mut PgConnection,
    id: Uuid,
    detail: Option<&str>,
    now: OffsetDateTime,
) -> Result<()> {
    let state = if detail.is_some() { ImportState::Broken } else { ImportState::Done };
    sqlx::query!(
        "UPDATE imports SET state = $2, detail = $3, ended_at = $4 WHERE id = $1",
        id,
        state.as_str(),
        detail,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub async fn find(conn: &mut PgConnection, id: Uuid) -> Result<Option<Import>> {
    sqlx::query_as!(
        ImportRow,
        "SELECT id, client_id, dry_run, state, rows, imported, skipped, failed, problems, detail,
                begun_at, ended_at
         FROM imports WHERE id = $1",
        id
    )
    .fetch_optional(conn)
    .await?
    .map(Import::try_from)
    .transpose()
}

/// The newest imports of a client, without their problems.
pub async fn list(conn: &mut PgConnection, client_id: Uuid) -> Result<Vec<Import>> {
    sqlx::query_as!(
        ImportRow,
        r#"SELECT id, client_id, dry_run, state, rows, imported, skipped, failed,
                  '[]'::jsonb AS "problems!", detail, begun_at, ended_at
           FROM imports WHERE client_id = $1 ORDER BY id DESC LIMIT 20"#,
        client_id
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(Import::try_from)
    .collect()
}
