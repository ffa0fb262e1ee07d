//! Counts for the first page, over connections and clients.

use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};

use super::Result;
use crate::domain::{
    client,
    connection::StateName,
    overview::{DueBucket, ExpiryBucket, RefreshesAhead},
};

/// How many connections there are of each state, by the state of their client; of the active ones,
/// how many need a human before `soon`.
pub struct Count {
    pub state: StateName,
    pub client_state: client::StateName,
    pub soon: bool,
    pub count: i64,
}

pub async fn count(conn: &mut PgConnection, soon: OffsetDateTime) -> Result<Vec<Count>> {
    sqlx::query!(
        r#"SELECT n.state, c.state AS client_state, coalesce(n.needs_human_by <= $1, false) AS "soon!",
                  count(*) AS "count!"
           FROM connections n JOIN clients c ON c.id = n.client_id
           GROUP BY 1, 2, 3"#,
        soon
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(|row| {
        Ok(Count {
            state: row.state.parse()?,
            client_state: row.client_state.parse()?,
            soon: row.soon,
            count: row.count,
        })
    })
    .collect()
}

/// How much expires in each of `buckets` spans of `seconds` from `from` on.
pub async fn expiries(
    conn: &mut PgConnection,
    from: OffsetDateTime,
    seconds: i32,
    buckets: i32,
) -> Result<Vec<ExpiryBucket>> {
    Ok(sqlx::query_as!(
        ExpiryBucket,
        r#"SELECT b.from AS "from!", b.until AS "until!",
                  (SELECT count(*) FROM connections n
                    WHERE coalesce(n.access_expires_at, timestamptz '9999-01-01 00:00+00') >= b.from
                      AND coalesce(n.access_expires_at, timestamptz '9999-01-01 00:00+00') < b.until) AS "access!",
                  (SELECT count(*) FROM connections n
                    WHERE n.refresh_expires_at >= b.from AND n.refresh_expires_at < b.until) AS "refresh!",
                  (SELECT count(*) FROM connections n
                    WHERE coalesce(n.needs_human_by, timestamptz '9999-01-01 00:00+00') >= b.from
                      AND coalesce(n.needs_human_by, timestamptz '9999-01-01 00:00+00') < b.until) AS "needs_human!"
           FROM (SELECT $1::timestamptz + make_interval(secs => i * $2::int) AS from,
                        $1::timestamptz + make_interval(secs => (i + 1) * $2::int) AS until
                 FROM generate_series(0, $3::int - 1) AS i) b
           ORDER BY 1"#,
        from,
        seconds,
        buckets
    )
    .fetch_all(conn)
    .await?)
}

/// How many refreshes are due in each of `buckets` spans of `width` from `from` on, and before.
pub async fn refreshes(
    conn: &mut PgConnection,
    from: OffsetDateTime,
    width: Duration,
    buckets: i32,
) -> Result<RefreshesAhead> {
    let rows = sqlx::query!(
        r#"SELECT date_bin(make_interval(secs => $2), n.due_at, $1) AS "from!", count(*) AS "due!"
           FROM clients c JOIN connections n ON n.client_id = c.id
           WHERE c.state = 'ready' AND n.due_at < $1 + $3::int * make_interval(secs => $2)
           GROUP BY 1"#,
        from,
        width.as_seconds_f64(),
        buckets
    )
    .fetch_all(conn)
    .await?;
    let mut ahead = RefreshesAhead {
        overdue: 0,
        buckets: (0..buckets)
            .map(|at| DueBucket { from: from + width * at, until: from + width * (at + 1), due: 0 })
            .collect(),
    };
    for row in rows {
        match ahead.buckets.iter_mut().find(|bucket| bucket.from == row.from) {
            Some(bucket) => bucket.due = row.due,
            None => ahead.overdue += row.due,
        }
    }
    Ok(ahead)
}
