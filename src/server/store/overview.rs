//! Counts for the first page, over connections and clients.

use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::Result;
use crate::domain::{
    client,
    connection::StateName,
    overview::{Cause, DueBucket, RefreshesAhead, Tally},
};

/// How many connections there are of each state, by the state of their client; of the active ones,
/// how many need a human before `soon`. What comes due before the end of a pause that the client's
/// provider asked for is paused too. What may be over before anybody is told is counted by its provider, which may say
/// that there is no end. Of what is tried again, those whose access token is over are told apart.
pub struct Count {
    pub state: StateName,
    pub client_state: client::StateName,
    pub soon: bool,
    pub paused: bool,
    pub unseen: Option<String>,
    pub tokenless: bool,
    pub count: i64,
}

pub async fn count(
    conn: &mut PgConnection,
    now: OffsetDateTime,
    soon: OffsetDateTime,
) -> Result<Vec<Count>> {
    sqlx::query!(
        r#"SELECT n.state, c.state AS client_state, coalesce(n.needs_human_by <= $1, false) AS "soon!",
                  (n.paused_at IS NOT NULL AND n.state <> 'needs_reauth')
                  OR coalesce(c.state = 'ready' AND c.paused_until > $2 AND n.due_at < c.paused_until
                              AND n.state IN ('active', 'retrying', 'in_doubt'), false) AS "paused!",
                  CASE WHEN ends_unseen(n.state, n.access_expires_at, n.has_refresh_token, n.grant_type)
                       THEN c.provider END AS unseen,
                  coalesce(n.state IN ('retrying', 'in_doubt') AND n.access_expires_at < $2, false) AS "tokenless!",
                  count(*) AS "count!"
           FROM connections n JOIN clients c ON c.id = n.client_id
           GROUP BY 1, 2, 3, 4, 5, 6"#,
        soon,
        now
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
            unseen: row.unseen,
            tokenless: row.tokenless,
            count: row.count,
        })
    })
    .collect()
}

/// How much expires from each of these moments up to the next one.
pub async fn expiries(conn: &mut PgConnection, edges: &[OffsetDateTime]) -> Result<Vec<Tally>> {
    let (Some(from), Some(until)) = (edges.first(), edges.last()) else { return Ok(Vec::new()) };
    // One pass over what expires, not one to each span. The index of access tokens is on their times with an end
    // of time for what has none.
    let rows = sqlx::query!(
        r#"SELECT 'access' AS "kind!", width_bucket(access_expires_at, $1::timestamptz[]) AS "at!",
                  count(*) AS "count!"
           FROM connections
           WHERE coalesce(access_expires_at, timestamptz '9999-01-01 00:00+00') >= $2
             AND coalesce(access_expires_at, timestamptz '9999-01-01 00:00+00') < $3
           GROUP BY 2
           UNION ALL
           SELECT 'refresh', width_bucket(refresh_expires_at, $1), count(*)
           FROM connections
           WHERE refresh_expires_at >= $2 AND refresh_expires_at < $3
           GROUP BY 2
           UNION ALL
           SELECT 'human', width_bucket(needs_human_by, $1), count(*)
           FROM connections
           WHERE needs_human_by >= $2 AND needs_human_by < $3
           GROUP BY 2"#,
        edges,
        from,
        until
    )
    .fetch_all(conn)
    .await?;
    let mut tallies: Vec<Tally> = edges
        .iter()
        .map(|from| Tally { from: *from, access: 0, refresh: 0, needs_human: 0 })
        .collect();
    for row in rows {
        // Counted from 1.
        let at = usize::try_from(row.at).ok().and_then(|at| at.checked_sub(1));
        if let Some(tally) = at.and_then(|at| tallies.get_mut(at)) {
            match row.kind.as_str() {
                "access" => tally.access = row.count,
                "refresh" => tally.refresh = row.count,
                _ => tally.needs_human = row.count,
            }
        }
    }
    Ok(tallies)
}

/// Connections of one client that need a human before a moment, for the same cause.
pub struct Alike {
    pub cause: Cause,
    pub client_name: String,
    pub client_state: client::StateName,
    pub count: i64,
    pub first_at: OffsetDateTime,
    pub last_at: OffsetDateTime,
    /// The first few, with when each needs a human.
    pub first: Vec<(OffsetDateTime, Uuid)>,
}

/// What needs a human before `soon`, by client and cause, the soonest first, at most `limit`; and how
/// many connections that are, those of the causes that are left out among them. Those of a client that
/// the provider refuses wait for it, whatever else they need; those of a client that is switched off are
/// not wanted.
pub async fn needs_human(
    conn: &mut PgConnection,
    soon: OffsetDateTime,
    first: i32,
    limit: i64,
) -> Result<(i64, Vec<Alike>)> {
    let rows = sqlx::query!(
        r#"SELECT c.id, c.name, c.state AS client_state, CASE WHEN c.state = 'ready' THEN n.state END AS state,
                  CASE WHEN c.state = 'ready' THEN n.reason END AS reason, count(*) AS "count!",
                  min(n.needs_human_by) AS "first_at!", max(n.needs_human_by) AS "last_at!",
                  (array_agg(n.id ORDER BY n.needs_human_by, n.id))[1:$2] AS "ids!",
                  (array_agg(n.needs_human_by ORDER BY n.needs_human_by, n.id))[1:$2] AS "times!",
                  (sum(count(*)) OVER ())::bigint AS "all!"
           FROM connections n JOIN clients c ON c.id = n.client_id
           WHERE n.needs_human_by < $1 AND c.state <> 'disabled'
           GROUP BY c.id, 4, 5 ORDER BY 7, c.id LIMIT $3"#,
        soon,
        first,
        limit
    )
    .fetch_all(conn)
    .await?;
    let all = rows.first().map_or(0, |row| row.all);
    let alike = rows.into_iter().map(|row| {
        Ok(Alike {
            cause: Cause {
                client_id: row.id,
                state: row.state.map(|state| state.parse()).transpose()?,
                reason: row.reason.map(|reason| reason.parse()).transpose()?,
            },
            client_name: row.name,
            client_state: row.client_state.parse()?,
            count: row.count,
            first_at: row.first_at,
            last_at: row.last_at,
            first: row.times.into_iter().zip(row.ids).collect(),
        })
    });
    Ok((all, alike.collect::<Result<_>>()?))
}

/// How many refreshes are due in each of `buckets` spans of `width` from `from` on, and before. What nothing
/// renews is due to be looked at, and never refreshed.
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
             AND (n.has_refresh_token OR n.grant_type = 'client_credentials')
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
