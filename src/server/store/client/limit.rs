//! What clients may ask of their providers, counted over all replicas.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    domain::client::StateName,
    server::store::{Result, attempt, connection::lease::Room},
};

/// What a client may ask of its provider, over all replicas.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit {
    pub client_id: Uuid,
    /// Requests under way at once.
    pub concurrency: i32,
    /// How many of these places are left to callers while some wait.
    pub yields: i32,
    /// Seconds between two requests, evenly spread; `None`: as many as one likes.
    pub interval: Option<f64>,
    /// How many requests may come at once after a quiet time.
    pub burst: f64,
}

/// When what may still be under way began, by the ids of its attempts.
#[derive(Clone, Copy, Debug)]
pub struct Begun {
    pub since: OffsetDateTime,
    pub before: OffsetDateTime,
}

/// Locks clients for whoever counts what they may begin: until our transaction ends, whoever asks for the same
/// client goes without it. Nobody waits here, holding a connection that others need. Which of them are ours.
pub async fn lock(conn: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<Uuid>> {
    Ok(sqlx::query_scalar!(
        "SELECT id FROM clients WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED",
        ids
    )
    .fetch_all(conn)
    .await?)
}

/// How many requests each client may begin now, of those that are [locked](lock). Clients that are not in one of
/// these states, or that were asked to pause, are left out. Attempts begun at other times than `open` are under way
/// no more, also if nobody came back to say so; nor are those whose answers are here, as `answered`. Of these no
/// more than the client has places are left out, so that what is not stored yet does not pile up. What seems to be
/// held for longer than anybody holds it was held before a clock was set back.
pub async fn room(
    conn: &mut PgConnection,
    limits: &[Limit],
    locked: &[Uuid],
    states: &[StateName],
    open: Begun,
    answered: &[Uuid],
    now: Option<OffsetDateTime>,
) -> Result<Vec<Room>> {
    let ids: Vec<Uuid> = limits.iter().map(|limit| limit.client_id).collect();
    let concurrency: Vec<i32> = limits.iter().map(|limit| limit.concurrency).collect();
    let yields: Vec<i32> = limits.iter().map(|limit| limit.yields).collect();
    let interval: Vec<Option<f64>> = limits.iter().map(|limit| limit.interval).collect();
    let burst: Vec<f64> = limits.iter().map(|limit| limit.burst).collect();
    let states: Vec<String> = states.iter().map(|state| state.as_str().to_owned()).collect();
    Ok(sqlx::query_as!(
        Room,
        r#"SELECT c.id AS client_id,
                  greatest(0, least(
                      l.concurrency
                      - CASE WHEN NOT lease_is_over(c.callers_until, coalesce($6::timestamptz, statement_timestamp()))
                             THEN l.yields ELSE 0 END
                      - CASE WHEN NOT lease_is_over(c.question_until, coalesce($6::timestamptz, statement_timestamp()))
                             THEN 1 ELSE 0 END
                      - (SELECT count(*) - least(count(*) FILTER (WHERE a.id = ANY ($9)), l.concurrency)
                         FROM attempts a
                         WHERE a.client_id = c.id AND a.verdict IS NULL AND a.id >= $8 AND a.id < $11),
                      CASE WHEN l.spacing IS NULL THEN l.concurrency
                           ELSE floor(l.burst - coalesce(greatest(0, extract(epoch FROM
                                c.next_request_at - coalesce($6::timestamptz, statement_timestamp()))), 0)::float8
                                / l.spacing)
                      END))::int AS "room!"
           FROM clients c
           JOIN unnest($1::uuid[], $2::int[], $3::float8[], $4::float8[], $10::int[])
                AS l (id, concurrency, spacing, burst, yields) ON l.id = c.id
           WHERE c.id = ANY ($5) AND c.state = ANY ($7)
             AND (c.paused_until IS NULL OR c.paused_until <= coalesce($6::timestamptz, statement_timestamp()))"#,
        &ids,
        &concurrency,
        &interval as &[Option<f64>],
        &burst,
        locked,
        now,
        &states,
        attempt::first_id(open.since),
        answered,
        &yields,
        attempt::first_id(open.before)
    )
    .fetch_all(conn)
    .await?)
}

/// Counts requests that begin now against their client's rate.
pub async fn spend(
    conn: &mut PgConnection,
    id: Uuid,
    seconds: f64,
    now: Option<OffsetDateTime>,
) -> Result<()> {
    sqlx::query!(
        "UPDATE clients
         SET next_request_at = greatest(next_request_at, coalesce($2::timestamptz, statement_timestamp()))
                               + make_interval(secs => $3)
         WHERE id = $1",
        id,
        now,
        seconds
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes the place of a question at a client, for so many seconds. `false`: another question has it.
pub async fn hold(
    conn: &mut PgConnection,
    client_id: Uuid,
    question_id: Uuid,
    seconds: f64,
    now: Option<OffsetDateTime>,
) -> Result<bool> {
    let done = sqlx::query!(
        "UPDATE clients
         SET question_id = $2,
             question_until = coalesce($4::timestamptz, statement_timestamp()) + make_interval(secs => $3)
         WHERE id = $1 AND (question_until IS NULL
                            OR lease_is_over(question_until, coalesce($4::timestamptz, statement_timestamp())))",
        client_id,
        question_id,
        seconds,
        now
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Gives the place of a question back, if it is still its own.
pub async fn let_go(conn: &mut PgConnection, client_id: Uuid, question_id: Uuid) -> Result<()> {
    sqlx::query!(
        "UPDATE clients SET question_id = NULL, question_until = NULL WHERE id = $1 AND question_id = $2",
        client_id,
        question_id
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgives what clients spent that seem to have spent the rate up to `until` and longer.
pub async fn forget_debts(conn: &mut PgConnection, until: OffsetDateTime) -> Result<()> {
    sqlx::query!("UPDATE clients SET next_request_at = NULL WHERE next_request_at > $1", until)
        .execute(conn)
        .await?;
    Ok(())
}

/// Notes that somebody waits for a place at a client, for so many seconds. Nobody waits here either.
pub async fn call_for_room(
    conn: &mut PgConnection,
    id: Uuid,
    seconds: f64,
    now: Option<OffsetDateTime>,
) -> Result<()> {
    sqlx::query!(
        "UPDATE clients
         SET callers_until = coalesce($3::timestamptz, statement_timestamp()) + make_interval(secs => $2::float8)
         WHERE id = (SELECT id FROM clients
                     WHERE id = $1
                       AND (callers_until IS NULL
                            OR lease_is_over(callers_until, coalesce($3::timestamptz, statement_timestamp()))
                            OR callers_until < coalesce($3::timestamptz, statement_timestamp())
                                               + make_interval(secs => $2::float8 / 2))
                     FOR NO KEY UPDATE SKIP LOCKED)",
        id,
        seconds,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Makes all of a client's connections wait: its provider asked for it (`Retry-After`).
pub async fn pause(conn: &mut PgConnection, id: Uuid, until: OffsetDateTime) -> Result<()> {
    sqlx::query!(
        "UPDATE clients SET paused_until = greatest(paused_until, $2) WHERE id = $1",
        id,
        until
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends the pause, whatever the provider asked for.
pub async fn end_pause(conn: &mut PgConnection, id: Uuid) -> Result<()> {
    sqlx::query!("UPDATE clients SET paused_until = NULL WHERE id = $1", id).execute(conn).await?;
    Ok(())
}

/// Until when the client's provider asked it to wait.
pub async fn paused_until(conn: &mut PgConnection, id: Uuid) -> Result<Option<OffsetDateTime>> {
    Ok(sqlx::query_scalar!("SELECT paused_until FROM clients WHERE id = $1", id)
        .fetch_optional(conn)
        .await?
        .flatten())
}

/// Has what came due before `since` spread, a batch at a time, before the worker claims any of it.
pub async fn begin_resuming(
    conn: &mut PgConnection,
    id: Uuid,
    since: OffsetDateTime,
) -> Result<()> {
    sqlx::query!("UPDATE clients SET resuming_since = $2 WHERE id = $1", id, since)
        .execute(conn)
        .await?;
    Ok(())
}

/// Clients whose connections are being spread, and since when.
pub async fn list_resuming(conn: &mut PgConnection) -> Result<Vec<(Uuid, OffsetDateTime)>> {
    let rows = sqlx::query!(
        r#"SELECT id, resuming_since AS "since!" FROM clients WHERE resuming_since IS NOT NULL"#
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.since)).collect())
}

/// Says that all that came due before `since` is spread.
pub async fn end_resuming(conn: &mut PgConnection, id: Uuid, since: OffsetDateTime) -> Result<()> {
    sqlx::query!(
        "UPDATE clients SET resuming_since = NULL WHERE id = $1 AND resuming_since = $2",
        id,
        since
    )
    .execute(conn)
    .await?;
    Ok(())
}
