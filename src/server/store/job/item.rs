//! What jobs work on, and what came of it.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    domain::job::Outcome,
    server::store::{Error, Result, job::Chosen},
};

/// Takes connections into a job, in the order they are given. How many there are.
pub async fn insert_chosen(conn: &mut PgConnection, job_id: Uuid, ids: &[Uuid]) -> Result<i64> {
    let done = sqlx::query!(
        "INSERT INTO job_items (job_id, number, connection_id, label, client, client_id)
         SELECT $1, row_number() OVER (ORDER BY chosen.place), n.id,
                coalesce(nullif(n.label, ''), n.account_label, n.account_id, n.external_id, ''), c.name, c.id
         FROM unnest($2::uuid[]) WITH ORDINALITY AS chosen (id, place)
         JOIN connections n ON n.id = chosen.id
         JOIN clients c ON c.id = n.client_id",
        job_id,
        ids
    )
    .execute(conn)
    .await?;
    Ok(i64::try_from(done.rows_affected()).unwrap_or(i64::MAX))
}

/// How many of a job's connections are which client's.
pub async fn shares(conn: &mut PgConnection, job_id: Uuid) -> Result<Vec<Chosen>> {
    Ok(sqlx::query_as!(
        Chosen,
        r#"SELECT n.client_id, count(*) AS "count!", bit_xor(uuid_hash_extended(n.id, 0)) AS "mark!"
           FROM job_items i JOIN connections n ON n.id = i.connection_id
           WHERE i.job_id = $1 GROUP BY n.client_id"#,
        job_id
    )
    .fetch_all(conn)
    .await?)
}

/// One connection of a job.
#[derive(Debug)]
pub struct Item {
    pub number: i64,
    pub connection_id: Uuid,
    pub label: String,
    pub client: String,
    /// Nothing: the connection is gone.
    pub client_id: Option<Uuid>,
    pub account: Option<String>,
    pub external_id: Option<String>,
    pub outcome: Option<Outcome>,
    pub detail: Option<String>,
    pub sealed_link: Option<Vec<u8>>,
    pub at: Option<OffsetDateTime>,
}

struct ItemRow {
    number: i64,
    connection_id: Uuid,
    label: String,
    client: String,
    client_id: Option<Uuid>,
    account: Option<String>,
    external_id: Option<String>,
    outcome: Option<String>,
    detail: Option<String>,
    sealed_link: Option<Vec<u8>>,
    at: Option<OffsetDateTime>,
}

impl TryFrom<ItemRow> for Item {
    type Error = Error;

    fn try_from(row: ItemRow) -> Result<Self> {
        Ok(Self {
            number: row.number,
            connection_id: row.connection_id,
            label: row.label,
            client: row.client,
            client_id: row.client_id,
            account: row.account,
            external_id: row.external_id,
            outcome: row.outcome.map(|outcome| outcome.parse()).transpose()?,
            detail: row.detail,
            sealed_link: row.sealed_link,
            at: row.at,
        })
    }
}

/// Items `i`, and what is known of their connections now.
macro_rules! select {
    ($items:literal, $tail:literal $(, $argument:expr)*) => {
        sqlx::query_as!(
            ItemRow,
            r#"SELECT i.number, i.connection_id, i.label, i.client, i.outcome, i.detail, i.sealed_link, i.at,
                      coalesce(n.account_label, n.account_id) AS "account?",
                      n.external_id AS "external_id?", n.client_id AS "client_id?"
               FROM "# + $items + " LEFT JOIN connections n ON n.id = i.connection_id " + $tail
            $(, $argument)*
        )
    };
}

/// Those that come after a number, in order.
pub async fn list(
    conn: &mut PgConnection,
    job_id: Uuid,
    after: i64,
    limit: i64,
) -> Result<Vec<Item>> {
    select!(
        "job_items i",
        "WHERE i.job_id = $1 AND i.number > $2 ORDER BY i.number LIMIT $3",
        job_id,
        after,
        limit
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(TryInto::try_into)
    .collect()
}

/// Those that come after a number and have no outcome yet, in order, but for those of some clients. The first of each
/// other client is looked up, so that the cost does not depend on how many are left out; what comes first of all is of
/// clients whose own first do. Each step is held to its index: what the planner knows of a job may be older than that.
pub async fn list_open(
    conn: &mut PgConnection,
    job_id: Uuid,
    after: i64,
    without: &[Uuid],
    limit: i64,
) -> Result<Vec<Item>> {
    select!(
        "(SELECT o.number
          FROM (SELECT theirs.number
                FROM (SELECT c.id
                      FROM jobs j
                      CROSS JOIN unnest(j.clients) AS c (id)
                      CROSS JOIN LATERAL (
                          SELECT number FROM job_items
                          WHERE job_id = $1 AND client_id = c.id AND outcome IS NULL AND number > $2
                          ORDER BY number LIMIT 1) first
                      WHERE j.id = $1 AND c.id <> ALL ($3::uuid[])
                      ORDER BY first.number LIMIT $4) c
                CROSS JOIN LATERAL (
                    SELECT number FROM job_items
                    WHERE job_id = $1 AND client_id = c.id AND outcome IS NULL AND number > $2
                    ORDER BY number LIMIT $4) theirs
                UNION ALL
                -- Of a job that an older version made.
                (SELECT u.number
                 FROM job_items u LEFT JOIN connections m ON m.id = u.connection_id
                 WHERE (SELECT clients = '{}' FROM jobs WHERE id = $1)
                   AND u.job_id = $1 AND u.client_id IS NULL AND u.outcome IS NULL AND u.number > $2
                   AND (m.client_id = ANY ($3)) IS NOT TRUE
                 ORDER BY u.client_id, u.number LIMIT $4)) o
          ORDER BY o.number LIMIT $4) o
         CROSS JOIN LATERAL (SELECT * FROM job_items WHERE job_id = $1 AND number = o.number LIMIT 1) i",
        "ORDER BY i.number",
        job_id,
        after,
        without,
        limit
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(TryInto::try_into)
    .collect()
}

/// Which links a job made, by these numbers of its items.
pub async fn links(
    conn: &mut PgConnection,
    job_id: Uuid,
    numbers: &[i64],
) -> Result<Vec<(i64, Uuid)>> {
    let rows = sqlx::query!(
        r#"SELECT number, relink_id AS "relink_id!" FROM job_items
           WHERE job_id = $1 AND number = ANY ($2) AND relink_id IS NOT NULL"#,
        job_id,
        numbers
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.number, row.relink_id)).collect())
}

/// The first that came to one of these, in order.
pub async fn list_of(
    conn: &mut PgConnection,
    job_id: Uuid,
    outcomes: &[Outcome],
    limit: i64,
) -> Result<Vec<Item>> {
    select!(
        "job_items i",
        "WHERE i.job_id = $1 AND i.outcome = ANY ($3) ORDER BY i.number LIMIT $2",
        job_id,
        limit,
        &outcomes.iter().map(|outcome| outcome.as_str()).collect::<Vec<_>>() as &[&str]
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(TryInto::try_into)
    .collect()
}

/// What came of one.
pub struct Came {
    pub number: i64,
    pub outcome: Outcome,
    pub detail: String,
    pub link: Option<Link>,
}

/// A relink that was made.
pub struct Link {
    pub relink_id: Uuid,
    pub sealed: Vec<u8>,
}

/// Writes what came of some; once. As long as the planner has not seen that a job has a million items it takes them
/// for a few, and would look at each: so it is told between which numbers they lie, and is not asked for what is open,
/// which would lead it to the index of that.
pub async fn record(
    conn: &mut PgConnection,
    job_id: Uuid,
    came: &[Came],
    now: OffsetDateTime,
) -> Result<()> {
    let numbers: Vec<i64> = came.iter().map(|one| one.number).collect();
    let (first, last) = (numbers.iter().copied().min(), numbers.iter().copied().max());
    sqlx::query!(
        "UPDATE job_items i
         SET outcome = r.outcome, detail = r.detail, sealed_link = r.link, relink_id = r.relink_id, at = $6
         FROM unnest($2::bigint[], $3::text[], $4::text[], $5::bytea[], $7::uuid[])
              AS r (number, outcome, detail, link, relink_id)
         WHERE i.job_id = $1 AND i.number = r.number AND i.number BETWEEN $8 AND $9
           AND i.at IS NULL",
        job_id,
        &numbers,
        &came.iter().map(|one| one.outcome.as_str()).collect::<Vec<_>>() as &[&str],
        &came.iter().map(|one| one.detail.as_str()).collect::<Vec<_>>() as &[&str],
        &came
            .iter()
            .map(|one| one.link.as_ref().map(|link| link.sealed.as_slice()))
            .collect::<Vec<_>>() as &[Option<&[u8]>],
        now,
        &came.iter().map(|one| one.link.as_ref().map(|link| link.relink_id)).collect::<Vec<_>>()
            as &[Option<Uuid>],
        first,
        last
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets links that were made before a moment.
pub async fn forget_links(conn: &mut PgConnection, before: OffsetDateTime) -> Result<()> {
    sqlx::query!(
        "UPDATE job_items i SET sealed_link = NULL
         FROM jobs j
         WHERE j.id = i.job_id AND j.action = 'relink' AND i.sealed_link IS NOT NULL AND i.at < $1",
        before
    )
    .execute(conn)
    .await?;
    Ok(())
}
