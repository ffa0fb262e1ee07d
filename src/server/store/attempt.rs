//! Attempts: intents, and what became of them.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Error, Result};
use crate::domain::attempt::{Attempt, Trigger, Verdict};

struct AttemptRow {
    id: Uuid,
    connection_id: Uuid,
    trigger: String,
    started_at: OffsetDateTime,
    finished_at: Option<OffsetDateTime>,
    verdict: Option<String>,
    error_class: Option<String>,
    status: Option<i32>,
    error_code: Option<String>,
    error_description: Option<String>,
    generation_before: i64,
    generation_after: Option<i64>,
    fingerprint_before: Option<String>,
    fingerprint_after: Option<String>,
    replica: String,
}

impl TryFrom<AttemptRow> for Attempt {
    type Error = Error;
    fn try_from(row: AttemptRow) -> Result<Self> {
        Ok(Self {
            id: row.id,
            connection_id: row.connection_id,
            trigger: row.trigger.parse()?,
            started_at: row.started_at,
            finished_at: row.finished_at,
            verdict: row.verdict.map(|verdict| verdict.parse()).transpose()?,
            error_class: row.error_class.map(|class| class.parse()).transpose()?,
            status: row.status.and_then(|status| u16::try_from(status).ok()),
            error_code: row.error_code,
            error_description: row.error_description,
            generation_before: row.generation_before,
            generation_after: row.generation_after,
            fingerprint_before: row.fingerprint_before,
            fingerprint_after: row.fingerprint_after,
            replica: row.replica,
        })
    }
}

/// An attempt about to be made.
pub struct Intent<'a> {
    pub id: Uuid,
    pub connection_id: Uuid,
    pub lease_id: Uuid,
    pub trigger: Trigger,
    /// Who wanted it.
    pub actor: &'a str,
    pub started_at: OffsetDateTime,
    pub generation_before: i64,
    pub fingerprint_before: Option<&'a str>,
    pub replica: &'a str,
}

/// Writes the intent, before the request leaves.
pub async fn insert(conn: &mut PgConnection, intent: &Intent<'_>) -> Result<()> {
    sqlx::query!(
        "INSERT INTO attempts (id, connection_id, lease_id, trigger, actor, started_at, generation_before,
                               fingerprint_before, replica)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        intent.id,
        intent.connection_id,
        intent.lease_id,
        intent.trigger.as_str(),
        intent.actor,
        intent.started_at,
        intent.generation_before,
        intent.fingerprint_before,
        intent.replica
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// How an attempt ended.
pub struct Ending<'a> {
    pub finished_at: OffsetDateTime,
    pub verdict: Verdict,
    pub error_class: Option<&'a str>,
    pub status: Option<u16>,
    pub error_code: Option<&'a str>,
    pub error_description: Option<&'a str>,
    pub generation_after: Option<i64>,
    pub fingerprint_after: Option<&'a str>,
}

/// A verdict that stands is not overwritten: a commit may have come through unheard.
pub async fn finish(
    conn: &mut PgConnection,
    connection_id: Uuid,
    id: Uuid,
    ending: &Ending<'_>,
) -> Result<()> {
    sqlx::query!(
        "UPDATE attempts SET finished_at = $3, verdict = $4, error_class = $5, status = $6, error_code = $7,
                             error_description = $8, generation_after = $9, fingerprint_after = $10
         WHERE connection_id = $1 AND id = $2 AND (verdict IS NULL OR verdict = 'in_doubt')",
        connection_id,
        id,
        ending.finished_at,
        ending.verdict.as_str(),
        ending.error_class,
        ending.status.map(i32::from),
        ending.error_code,
        ending.error_description,
        ending.generation_after,
        ending.fingerprint_after
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends the attempts of a connection whose holder never came back, as in doubt, and names the
/// newest of them that was made with `generation`.
pub async fn abandon(
    conn: &mut PgConnection,
    connection_id: Uuid,
    lease_id: Uuid,
    generation: i64,
    now: OffsetDateTime,
) -> Result<Option<Uuid>> {
    let open = sqlx::query!(
        "UPDATE attempts SET verdict = 'in_doubt', error_class = 'answer_lost', finished_at = $3
         WHERE connection_id = $1 AND lease_id <> $2 AND verdict IS NULL
         RETURNING id, generation_before",
        connection_id,
        lease_id,
        now
    )
    .fetch_all(conn)
    .await?;
    Ok(open.into_iter().filter(|row| row.generation_before == generation).map(|row| row.id).max())
}

/// Takes an intent back that no request followed.
pub async fn delete(conn: &mut PgConnection, connection_id: Uuid, id: Uuid) -> Result<()> {
    sqlx::query!("DELETE FROM attempts WHERE connection_id = $1 AND id = $2", connection_id, id)
        .execute(conn)
        .await?;
    Ok(())
}

macro_rules! select {
    ($tail:literal $(, $argument:expr)*) => {
        sqlx::query_as!(
            AttemptRow,
            "SELECT id, connection_id, trigger, started_at, finished_at, verdict, error_class, status, error_code,
                    error_description, generation_before, generation_after, fingerprint_before,
                    fingerprint_after, replica
             FROM attempts WHERE connection_id = $1 " + $tail
            $(, $argument)*
        )
    };
}

pub async fn find(
    conn: &mut PgConnection,
    connection_id: Uuid,
    id: Uuid,
) -> Result<Option<Attempt>> {
    select!("AND id = $2", connection_id, id)
        .fetch_optional(conn)
        .await?
        .map(TryInto::try_into)
        .transpose()
}

/// The newest first, from `before` on.
pub async fn list(
    conn: &mut PgConnection,
    connection_id: Uuid,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Attempt>> {
    select!(
        "AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3",
        connection_id,
        before,
        limit
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(TryInto::try_into)
    .collect()
}
