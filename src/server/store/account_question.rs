//! Connections whose account the provider is to be asked for: which, when, and which client's turn it is.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Result;

/// A connection to ask about.
pub struct Question {
    pub connection_id: Uuid,
    /// How often it was asked in vain.
    pub tries: i32,
}

/// A client whose turn it is.
pub struct Round {
    pub client_id: Uuid,
    /// How often in a row its provider was not able to answer.
    pub failures: i32,
}

/// Has these connections of a client asked about, not before `ask_at`. What was asked in vain of a grant
/// that they had before counts no more.
pub async fn insert(
    conn: &mut PgConnection,
    client_id: Uuid,
    connections: &[Uuid],
    ask_at: OffsetDateTime,
) -> Result<()> {
    sqlx::query!(
        "WITH round AS (
             INSERT INTO account_rounds (client_id, next_at) VALUES ($1, '-infinity')
             ON CONFLICT DO NOTHING
         )
         INSERT INTO account_questions (connection_id, client_id, ask_at)
         SELECT id, $1, $3 FROM unnest($2::uuid[]) AS id
         ON CONFLICT (connection_id) DO UPDATE SET ask_at = excluded.ask_at, tries = 0",
        client_id,
        connections,
        ask_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes the turn of at most `limit` clients of which something is to be asked now. It is nobody else's
/// before `until`.
pub async fn claim_rounds(
    conn: &mut PgConnection,
    now: OffsetDateTime,
    until: OffsetDateTime,
    limit: i64,
) -> Result<Vec<Round>> {
    Ok(sqlx::query_as!(
        Round,
        "WITH due AS (
             SELECT client_id FROM account_rounds r
             WHERE next_at <= $1
               AND EXISTS (SELECT FROM account_questions WHERE client_id = r.client_id AND ask_at <= $1)
             ORDER BY next_at LIMIT $3 FOR UPDATE SKIP LOCKED
         )
         UPDATE account_rounds r SET next_at = $2 FROM due WHERE r.client_id = due.client_id
         RETURNING r.client_id, r.failures",
        now,
        until,
        limit
    )
    .fetch_all(conn)
    .await?)
}

/// Gives a client's turn back, until `next_at`.
pub async fn end_round(
    conn: &mut PgConnection,
    client_id: Uuid,
    next_at: OffsetDateTime,
    failures: i32,
) -> Result<()> {
    sqlx::query!(
        "UPDATE account_rounds SET next_at = $2, failures = $3 WHERE client_id = $1",
        client_id,
        next_at,
        failures
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What is to be asked of a client now, the oldest first.
pub async fn due(
    conn: &mut PgConnection,
    client_id: Uuid,
    now: OffsetDateTime,
    limit: i64,
) -> Result<Vec<Question>> {
    Ok(sqlx::query_as!(
        Question,
        "SELECT connection_id, tries FROM account_questions
         WHERE client_id = $1 AND ask_at <= $2 ORDER BY ask_at, connection_id LIMIT $3",
        client_id,
        now,
        limit
    )
    .fetch_all(conn)
    .await?)
}

/// Has a question wait.
pub async fn postpone(
    conn: &mut PgConnection,
    question: &Question,
    ask_at: OffsetDateTime,
) -> Result<()> {
    sqlx::query!(
        "UPDATE account_questions SET ask_at = $2, tries = $3 WHERE connection_id = $1",
        question.connection_id,
        ask_at,
        question.tries
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Has a connection asked about by `ask_at`, if it is to be at all.
pub async fn bring_forward(
    conn: &mut PgConnection,
    connection_id: Uuid,
    ask_at: OffsetDateTime,
) -> Result<()> {
    sqlx::query!(
        "UPDATE account_questions SET ask_at = $2 WHERE connection_id = $1 AND ask_at > $2",
        connection_id,
        ask_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub async fn delete(conn: &mut PgConnection, connection_id: Uuid) -> Result<()> {
    sqlx::query!("DELETE FROM account_questions WHERE connection_id = $1", connection_id)
        .execute(conn)
        .await?;
    Ok(())
}

/// Drops at most `limit` of a client's questions.
pub async fn delete_some(conn: &mut PgConnection, client_id: Uuid, limit: i64) -> Result<()> {
    sqlx::query!(
        "DELETE FROM account_questions
         WHERE connection_id IN (SELECT connection_id FROM account_questions WHERE client_id = $1 LIMIT $2)",
        client_id,
        limit
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether a connection of a client is to be refreshed by then.
pub async fn is_refresh_due(
    conn: &mut PgConnection,
    client_id: Uuid,
    by: OffsetDateTime,
) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM connections WHERE client_id = $1 AND due_at <= $2) AS "due!""#,
        client_id,
        by
    )
    .fetch_one(conn)
    .await?)
}
