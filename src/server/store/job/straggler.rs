//! The customers of jobs of relinks: how far they are, and those who are not done.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    domain::{
        campaign::{Progress, StageCount},
        relink::Stage,
    },
    server::store::Result,
};

/// How far the customers of a job are.
pub async fn progress(conn: &mut PgConnection, job: Uuid, now: OffsetDateTime) -> Result<Progress> {
    let rows = sqlx::query!(
        r#"SELECT c.stage AS "stage!", count(*) AS "count!" FROM job_customers($1, $2) AS c GROUP BY 1"#,
        job,
        now
    )
    .fetch_all(conn)
    .await?;
    let mut counted = Vec::with_capacity(rows.len());
    for row in rows {
        counted.push(StageCount { stage: row.stage.parse()?, count: row.count });
    }
    Ok(Progress::of(counted))
}

/// Which of these items of a job have customers who are done, by whatever way.
pub async fn done(
    conn: &mut PgConnection,
    job: Uuid,
    numbers: &[i64],
    now: OffsetDateTime,
) -> Result<Vec<i64>> {
    Ok(sqlx::query_scalar!(
        r#"SELECT c.number AS "number!" FROM job_customers($1, $2) AS c
           WHERE c.number = ANY ($3) AND c.stage = 'done'"#,
        job,
        now,
        numbers
    )
    .fetch_all(conn)
    .await?)
}

/// One who is not done.
pub struct Straggler {
    pub number: i64,
    /// Their newest link.
    pub relink_id: Uuid,
    /// Where that is sealed, if a job made it and it is still kept.
    pub job_id: Option<Uuid>,
    pub job_number: Option<i64>,
    pub sealed_link: Option<Vec<u8>>,
}

/// Those who come after a number, in the order of the job; all of them, or those at a stage.
pub async fn list(
    conn: &mut PgConnection,
    job: Uuid,
    stage: Option<Stage>,
    after: i64,
    limit: i64,
    now: OffsetDateTime,
) -> Result<Vec<Straggler>> {
    Ok(sqlx::query_as!(
        Straggler,
        r#"SELECT c.number AS "number!", c.relink_id AS "relink_id!", s.job_id AS "job_id?",
                  s.number AS "job_number?", s.sealed_link
           FROM job_customers($1, $2) AS c LEFT JOIN job_items s ON s.relink_id = c.relink_id
           WHERE c.number > $3 AND c.stage <> 'done' AND ($4::text IS NULL OR c.stage = $4)
           ORDER BY c.number LIMIT $5"#,
        job,
        now,
        after,
        stage.map(Stage::as_str),
        limit
    )
    .fetch_all(conn)
    .await?)
}

/// Takes them into a job, in the order of theirs. How many there are.
pub async fn insert_items(
    conn: &mut PgConnection,
    job: Uuid,
    of: Uuid,
    now: OffsetDateTime,
) -> Result<i64> {
    let done = sqlx::query!(
        "INSERT INTO job_items (job_id, number, connection_id, label, client, client_id)
         SELECT $1, row_number() OVER (ORDER BY s.number), n.id,
                coalesce(nullif(n.label, ''), n.account_label, n.account_id, n.external_id, ''), c.name, c.id
         FROM job_customers($2, $3) AS s
         JOIN connections n ON n.id = s.connection_id
         JOIN clients c ON c.id = n.client_id
         WHERE s.stage <> 'done' AND NOT s.is_busy",
        job,
        of,
        now
    )
    .execute(conn)
    .await?;
    Ok(i64::try_from(done.rows_affected()).unwrap_or(i64::MAX))
}
