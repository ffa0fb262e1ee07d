//! Attempts: intents, and what became of them. They lie in partitions by their ids, which is to say by
//! time ([`partition`]): bounds on the id tell which of these are looked into.

pub mod partition;

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{Error, Result, token_set::Kept};
use crate::domain::{
    attempt::{Attempt, Trigger, Verdict},
    refusal::ErrorClass,
};

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

/// An attempt about to be made. Its fingerprint is that of the token set held now.
pub struct Intent<'a> {
    pub id: Uuid,
    pub connection_id: Uuid,
    pub client_id: Uuid,
    pub lease_id: Uuid,
    pub generation_before: i64,
    pub trigger: Trigger,
    /// Who wanted it.
    pub actor: &'a str,
}

pub use super::first_id;

/// Writes intents, before the requests leave. Says what the generation after those that are held may keep of them.
pub async fn insert(
    conn: &mut PgConnection,
    intents: &[Intent<'_>],
    started_at: OffsetDateTime,
    replica: &str,
) -> Result<Vec<Kept>> {
    let column = |read: fn(&Intent<'_>) -> Uuid| intents.iter().map(read).collect::<Vec<_>>();
    let generations: Vec<i64> = intents.iter().map(|intent| intent.generation_before).collect();
    let triggers: Vec<String> =
        intents.iter().map(|intent| intent.trigger.as_str().to_owned()).collect();
    let actors: Vec<String> = intents.iter().map(|intent| intent.actor.to_owned()).collect();
    Ok(sqlx::query_as!(
        Kept,
        r#"WITH i AS MATERIALIZED (
               SELECT i.*, t.fingerprint, t.sealed_refresh_token, t.sealed_extras
               FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::bigint[], $6::text[], $7::text[])
                    AS i (id, connection_id, client_id, lease_id, generation, trigger, actor)
               LEFT JOIN token_sets t ON t.connection_id = i.connection_id AND t.generation = i.generation
           ), written AS (
               INSERT INTO attempts (id, connection_id, client_id, lease_id, generation_before, trigger, actor,
                                     started_at, fingerprint_before, replica)
               SELECT id, connection_id, client_id, lease_id, generation, trigger, actor, $8, fingerprint, $9
               FROM i
           )
           SELECT connection_id AS "connection_id!", sealed_refresh_token, sealed_extras FROM i
           WHERE sealed_refresh_token IS NOT NULL OR sealed_extras IS NOT NULL"#,
        &column(|intent| intent.id),
        &column(|intent| intent.connection_id),
        &column(|intent| intent.client_id),
        &column(|intent| intent.lease_id),
        &generations,
        &triggers,
        &actors,
        started_at,
        replica
    )
    .fetch_all(conn)
    .await?)
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ending {
    pub verdict: Verdict,
    pub error_class: Option<ErrorClass>,
    pub status: Option<u16>,
    pub error_code: Option<String>,
    pub error_description: Option<String>,
    pub generation_after: Option<i64>,
    pub fingerprint_after: Option<String>,
}

/// An attempt that was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    pub verdict: Verdict,
    /// When it was given up before, as in doubt, by whoever took its connection over.
    pub doubted_at: Option<OffsetDateTime>,
}

/// Ends attempts, each named by its connection and its id; those that were. A verdict that stands is not
/// overwritten: a commit may have come through unheard.
pub async fn finish(
    conn: &mut PgConnection,
    endings: &[(Uuid, Uuid, Ending)],
    finished_at: OffsetDateTime,
) -> Result<Vec<Ended>> {
    let open = end(conn, endings, None, finished_at).await?;
    let verdict = |id: Uuid| endings.iter().find(|ending| ending.1 == id).map(|one| one.2.verdict);
    let ended = |id: Uuid, doubted_at| Some(Ended { verdict: verdict(id)?, doubted_at });
    let mut all: Vec<Ended> = open.iter().filter_map(|id| ended(*id, None)).collect();
    let others: Vec<Uuid> =
        endings.iter().map(|ending| ending.1).filter(|id| !open.contains(id)).collect();
    if others.is_empty() {
        return Ok(all);
    }
    let doubted: HashMap<Uuid, OffsetDateTime> =
        doubted(conn, &others).await?.into_iter().collect();
    let endings: Vec<(Uuid, Uuid, Ending)> =
        endings.iter().filter(|ending| doubted.contains_key(&ending.1)).cloned().collect();
    let taken_back = end(conn, &endings, Some(Verdict::InDoubt), finished_at).await?;
    all.extend(taken_back.into_iter().filter_map(|id| ended(id, doubted.get(&id).copied())));
    Ok(all)
}

/// Which of these attempts are in doubt, and since when. They are kept from others.
async fn doubted(conn: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<(Uuid, OffsetDateTime)>> {
    let rows = sqlx::query!(
        r#"SELECT id, finished_at AS "finished_at!" FROM attempts
           WHERE id = ANY ($1) AND id >= $2 AND id <= $3 AND verdict = 'in_doubt'
           ORDER BY id FOR UPDATE"#,
        ids,
        ids.iter().min().copied().unwrap_or_default(),
        ids.iter().max().copied().unwrap_or_default()
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.finished_at)).collect())
}

/// Ends attempts that have this verdict so far; which of them. What is written is looked up in the arrays, row
/// by row: as a table to join with it would be gone through for each attempt, since PostgreSQL expects one
/// attempt at most between two ids that are younger than its statistics.
async fn end(
    conn: &mut PgConnection,
    endings: &[(Uuid, Uuid, Ending)],
    so_far: Option<Verdict>,
    finished_at: OffsetDateTime,
) -> Result<Vec<Uuid>> {
    let connections: Vec<Uuid> = endings.iter().map(|(connection, _, _)| *connection).collect();
    let ids: Vec<Uuid> = endings.iter().map(|(_, id, _)| *id).collect();
    let column = Endings(endings);
    Ok(sqlx::query_scalar!(
        "UPDATE attempts a
         SET (finished_at, verdict, error_class, status, error_code, error_description,
              generation_after, fingerprint_after)
             = (SELECT $1::timestamptz, ($4::text[])[e.place], ($5::text[])[e.place], ($6::int[])[e.place],
                       ($7::text[])[e.place], ($8::text[])[e.place], ($9::bigint[])[e.place],
                       ($10::text[])[e.place]
                FROM (SELECT array_position($3::uuid[], a.id) AS place OFFSET 0) e)
         WHERE a.connection_id = ANY ($2) AND a.id >= $11 AND a.id <= $12
           AND array_position($3::uuid[], a.id) IS NOT NULL
           AND a.verdict IS NOT DISTINCT FROM $13
         RETURNING a.id",
        finished_at,
        &connections,
        &ids,
        &column.of(|ending| ending.verdict.as_str().to_owned()),
        &column.of(|ending| ending.error_class.map(|class| class.as_str().to_owned()))
            as &[Option<String>],
        &column.of(|ending| ending.status.map(i32::from)) as &[Option<i32>],
        &column.of(|ending| ending.error_code.clone()) as &[Option<String>],
        &column.of(|ending| ending.error_description.clone()) as &[Option<String>],
        &column.of(|ending| ending.generation_after) as &[Option<i64>],
        &column.of(|ending| ending.fingerprint_after.clone()) as &[Option<String>],
        ids.iter().min().copied().unwrap_or_default(),
        ids.iter().max().copied().unwrap_or_default(),
        so_far.map(Verdict::as_str)
    )
    .fetch_all(conn)
    .await?)
}

struct Endings<'a>(&'a [(Uuid, Uuid, Ending)]);

impl Endings<'_> {
    fn of<C>(&self, read: impl Fn(&Ending) -> C) -> Vec<C> {
        self.0.iter().map(|(_, _, ending)| read(ending)).collect()
    }
}

/// An attempt whose holder never came back.
pub struct Abandoned {
    pub id: Uuid,
    pub connection_id: Uuid,
    pub generation_before: i64,
}

/// Ends the attempts of connections whose holders never came back, as in doubt: those from the id `since`
/// on. They have no class: what became of their answers nobody can say.
pub async fn abandon(
    conn: &mut PgConnection,
    client_ids: &[Uuid],
    connection_ids: &[Uuid],
    lease_id: Uuid,
    since: Uuid,
    now: OffsetDateTime,
) -> Result<Vec<Abandoned>> {
    Ok(sqlx::query_as!(
        Abandoned,
        "UPDATE attempts SET verdict = 'in_doubt', finished_at = $4
         WHERE client_id = ANY ($1) AND connection_id = ANY ($2) AND lease_id <> $3 AND id >= $5
           AND verdict IS NULL
         RETURNING id, connection_id, generation_before",
        client_ids,
        connection_ids,
        lease_id,
        now,
        since
    )
    .fetch_all(conn)
    .await?)
}

/// Takes condemnations back, as (connection, attempt): whether they were right is not decided. When those
/// were counted that were.
pub async fn suspend(
    conn: &mut PgConnection,
    attempts: &[(Uuid, Uuid)],
) -> Result<Vec<OffsetDateTime>> {
    let (connections, ids): (Vec<Uuid>, Vec<Uuid>) = attempts.iter().copied().unzip();
    Ok(sqlx::query_scalar!(
        r#"UPDATE attempts a SET verdict = 'suspended'
         FROM unnest($1::uuid[], $2::uuid[]) AS s (connection_id, id)
         WHERE a.connection_id = s.connection_id AND a.id = s.id AND a.id >= $3 AND a.id <= $4
           AND a.verdict = 'condemned'
           RETURNING a.finished_at AS "finished_at!""#,
        &connections,
        &ids,
        ids.iter().min().copied().unwrap_or_default(),
        ids.iter().max().copied().unwrap_or_default()
    )
    .fetch_all(conn)
    .await?)
}

/// Ends attempts, and tells how many, that nobody will end: begun before `before`, and their connections gone on without them.
pub async fn end_forgotten(
    conn: &mut PgConnection,
    before: OffsetDateTime,
    now: OffsetDateTime,
) -> Result<i64> {
    let done = sqlx::query!(
        "UPDATE attempts SET verdict = 'in_doubt', finished_at = $2
         WHERE verdict IS NULL AND started_at < $1 AND id < $3
           AND NOT EXISTS (SELECT FROM connections n
                           WHERE n.id = attempts.connection_id AND n.lease_id = attempts.lease_id)",
        before,
        now,
        // An id is made a moment before or after its attempt's beginning.
        first_id(before + Duration::minutes(1))
    )
    .execute(conn)
    .await?;
    Ok(i64::try_from(done.rows_affected()).unwrap_or(i64::MAX))
}

/// Which of these attempts have their verdict, as (id, verdict).
pub async fn verdicts(
    conn: &mut PgConnection,
    connection_ids: &[Uuid],
    ids: &[Uuid],
) -> Result<Vec<(Uuid, Verdict)>> {
    sqlx::query!(
        r#"SELECT id, verdict AS "verdict!" FROM attempts
           WHERE connection_id = ANY ($1) AND id = ANY ($2) AND id >= $3 AND id <= $4
             AND verdict IS NOT NULL"#,
        connection_ids,
        ids,
        ids.iter().min().copied().unwrap_or_default(),
        ids.iter().max().copied().unwrap_or_default()
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(|row| Ok((row.id, row.verdict.parse()?)))
    .collect()
}

/// Takes intents back that no request followed.
pub async fn delete(conn: &mut PgConnection, connection_ids: &[Uuid], ids: &[Uuid]) -> Result<()> {
    sqlx::query!(
        "DELETE FROM attempts
         WHERE connection_id = ANY ($1) AND id = ANY ($2) AND id >= $3 AND id <= $4",
        connection_ids,
        ids,
        ids.iter().min().copied().unwrap_or_default(),
        ids.iter().max().copied().unwrap_or_default()
    )
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
