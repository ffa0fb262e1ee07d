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
    pub paused: bool,
    pub count: i64,
}

pub async fn count(conn: &mut PgConnection, soon: OffsetDateTime) -> Result<Vec<Count>> {
    sqlx::query!(
        r#"SELECT n.state, c.state AS client_state, coalesce(n.needs_human_by <= $1, false) AS "soon!",
                  n.paused_at IS NOT NULL AS "paused!",
                  count(*) AS "count!"
           FROM connections n JOIN clients c ON c.id = n.client_id
           GROUP BY 1, 2, 3, 4"#,
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
            paused: row.paused,
            count: row.count,
        })
    })
    .collect()
}

/// How much expires in each of `buckets` spans of `width` from `from` on.
pub async fn expiries(
    conn: &mut PgConnection,
    from: OffsetDateTime,
    width: Duration,
    buckets: i32,
) -> Result<Vec<ExpiryBucket>> {
    let (until, seconds) = (from + width * buckets, width.as_seconds_f64());
    // One pass over what expires, not one to each span. The indexes are on the times with an end of time
    // for what has none.
    let rows = sqlx::query!(
        r#"SELECT 'access' AS "kind!", date_bin(make_interval(secs => $3), access_expires_at, $1) AS "from!",
                  count(*) AS "count!"
           FROM connections
           WHERE coalesce(access_expires_at, timestamptz '9999-01-01 00:00+00') >= $1
             AND coalesce(access_expires_at, timestamptz '9999-01-01 00:00+00') < $2
           GROUP BY 2
           UNION ALL
           SELECT 'refresh', date_bin(make_interval(secs => $3), refresh_expires_at, $1), count(*)
           FROM connections WHERE refresh_expires_at >= $1 AND refresh_expires_at < $2
           GROUP BY 2
           UNION ALL
           SELECT 'human', date_bin(make_interval(secs => $3), needs_human_by, $1), count(*)
           FROM connections
           WHERE coalesce(needs_human_by, timestamptz '9999-01-01 00:00+00') >= $1
             AND coalesce(needs_human_by, timestamptz '9999-01-01 00:00+00') < $2
           GROUP BY 2"#,
        from,
        until,
        seconds
    )
    .fetch_all(conn)
    .await?;
    let count = |kind: &str, from: OffsetDateTime| {
        let row = rows.iter().find(|row| row.kind == kind && row.from == from);
        row.map_or(0, |row| row.count)
    };
    Ok((0..buckets)
        .map(|at| from + width * at)
        .map(|from| ExpiryBucket {
            from,
            until: from + width,
            access: count("access", from),
            refresh: count("refresh", from),
            needs_human: count("human", from),
        })
        .collect())
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
