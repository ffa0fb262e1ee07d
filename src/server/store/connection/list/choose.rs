//! All that a filter lets through, for a job to work on.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Found;
use crate::{
    domain::campaign::SecretShare,
    server::store::{Result, job::Chosen},
};

macro_rules! execute {
    ($first:literal $(+ $more:literal)* $(, $argument:expr)*) => {
        sqlx::query!($first $(+ $more)* $(, $argument)*)
    };
}

macro_rules! chosen {
    ($first:literal $(+ $more:literal)* $(, $argument:expr)*) => {
        sqlx::query_as!(Chosen, $first $(+ $more)* $(, $argument)*)
    };
}

/// How many are which client's, the most first.
pub async fn shares(conn: &mut PgConnection, found: &Found) -> Result<Vec<Chosen>> {
    Ok(filtered!(
        chosen,
        found.wanted,
        i64::MAX,
        r#"SELECT c.id AS client_id, c.name AS client, count(*) AS "count!",
                  bit_xor(uuid_hash_extended(n.id, 0)) AS "mark!"
           FROM connections n JOIN clients c ON c.id = n.client_id WHERE "#,
        " GROUP BY c.id ORDER BY 3 DESC, lower(c.name) LIMIT $17"
    )
    .fetch_all(conn)
    .await?)
}

/// How many connections each of some clients has, and how many of them came to need a person around the time at
/// which its secret was replaced, if that was after `recent`; where most did comes first. A secret is replaced at
/// the provider before it is here: a day before counts too.
pub async fn shares_by_secret(
    conn: &mut PgConnection,
    clients: &[Uuid],
    recent: OffsetDateTime,
) -> Result<Vec<SecretShare>> {
    Ok(sqlx::query_as!(
        SecretShare,
        r#"SELECT c.id AS client_id, c.name AS client, every.count AS "count!", r.replaced_at, s.since,
                  dead.count AS "dead!"
           FROM clients c
           CROSS JOIN LATERAL (
               SELECT CASE WHEN c.secret_generation > 1 THEN c.secret_set_at END AS replaced_at) r
           CROSS JOIN LATERAL (
               SELECT CASE WHEN r.replaced_at >= $2 THEN r.replaced_at - interval '1 day' END AS since) s
           CROSS JOIN LATERAL (SELECT count(*) FROM connections WHERE client_id = c.id) every
           CROSS JOIN LATERAL (
               SELECT count(*) FROM connections
               WHERE client_id = c.id AND state = 'needs_reauth' AND state_since >= s.since) dead
           WHERE c.id = ANY ($1) AND every.count > 0
           ORDER BY dead.count DESC, every.count DESC, lower(c.name)"#,
        clients,
        recent
    )
    .fetch_all(conn)
    .await?)
}

/// Takes them into a job, the oldest first. How many there are.
pub async fn insert_items(conn: &mut PgConnection, job_id: Uuid, found: &Found) -> Result<i64> {
    let done = filtered!(
        execute,
        found.wanted,
        i64::MAX,
        "INSERT INTO job_items (job_id, number, connection_id, label, client, client_id)
         SELECT $25::uuid, row_number() OVER (ORDER BY n.id), n.id,
                coalesce(nullif(n.label, ''), n.account_label, n.account_id, n.external_id, ''), c.name, c.id
         FROM connections n JOIN clients c ON c.id = n.client_id WHERE ",
        " LIMIT $17",
        job_id
    )
    .execute(conn)
    .await?;
    Ok(i64::try_from(done.rows_affected()).unwrap_or(i64::MAX))
}
