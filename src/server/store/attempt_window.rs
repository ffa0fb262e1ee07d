//! How many attempts ended how of late, by the half hour.

use std::collections::BTreeMap;

use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};

use super::Result;
use crate::domain::{attempt::Verdict, overview::AttemptBucket};

/// How long a window is.
pub const WINDOW: Duration = Duration::minutes(30);

/// When the window began in which a moment is.
pub fn beginning(at: OffsetDateTime) -> OffsetDateTime {
    let past = at.unix_timestamp().rem_euclid(WINDOW.whole_seconds());
    (at - Duration::seconds(past)).truncate_to_second()
}

/// Counts attempts that ended at this moment, as (verdict, how many).
pub async fn add(
    conn: &mut PgConnection,
    counts: &[(Verdict, i64)],
    replica: &str,
    now: OffsetDateTime,
) -> Result<()> {
    let verdicts: Vec<String> =
        counts.iter().map(|(verdict, _)| verdict.as_str().to_owned()).collect();
    let attempts: Vec<i64> = counts.iter().map(|(_, attempts)| *attempts).collect();
    sqlx::query!(
        "INSERT INTO attempt_windows (began_at, verdict, replica, attempts)
         SELECT $4, c.verdict, $3, c.attempts
         FROM unnest($1::text[], $2::bigint[]) AS c (verdict, attempts)
         ORDER BY c.verdict
         ON CONFLICT (began_at, verdict, replica)
         DO UPDATE SET attempts = attempt_windows.attempts + excluded.attempts",
        &verdicts,
        &attempts,
        replica,
        beginning(now)
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Counts attempts, which ended at these moments, as something else than before; `None`: as nothing.
pub async fn recount(
    conn: &mut PgConnection,
    ended: &[OffsetDateTime],
    was: Verdict,
    is: Option<Verdict>,
    replica: &str,
) -> Result<()> {
    let mut windows: BTreeMap<OffsetDateTime, i64> = BTreeMap::new();
    for at in ended {
        *windows.entry(beginning(*at)).or_default() += 1;
    }
    for (window, count) in windows {
        let counts: Vec<(Verdict, i64)> =
            [(was, -count)].into_iter().chain(is.map(|is| (is, count))).collect();
        add(conn, &counts, replica, window).await?;
    }
    Ok(())
}

/// The windows of the time `behind` now, and the one that is not over.
pub async fn list(
    conn: &mut PgConnection,
    now: OffsetDateTime,
    behind: Duration,
) -> Result<Vec<AttemptBucket>> {
    let (since, end) = (beginning(now - behind), beginning(now));
    let rows = sqlx::query!(
        r#"SELECT began_at, verdict, sum(attempts)::bigint AS "attempts!" FROM attempt_windows
           WHERE began_at >= $1 AND began_at <= $2 GROUP BY 1, 2"#,
        since,
        end
    )
    .fetch_all(conn)
    .await?;
    let mut buckets: Vec<AttemptBucket> =
        std::iter::successors(Some(since), |at| Some(*at + WINDOW))
            .take_while(|at| *at <= end)
            .map(|at| AttemptBucket::empty(at, at + WINDOW))
            .collect();
    for row in rows {
        if let Some(bucket) = buckets.iter_mut().find(|bucket| bucket.from == row.began_at) {
            bucket.add(row.verdict.parse()?, row.attempts);
        }
    }
    Ok(buckets)
}

pub async fn delete_before(conn: &mut PgConnection, at: OffsetDateTime) -> Result<()> {
    sqlx::query!("DELETE FROM attempt_windows WHERE began_at < $1", at).execute(conn).await?;
    Ok(())
}
