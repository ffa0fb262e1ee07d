//! The history is kept by age. It lies in a partition to each week: those of the weeks to come are made
//! ahead, and what is too old is dropped as a whole, which costs nothing and leaves no hole.

use time::{Date, Duration, OffsetDateTime};

use crate::server::{
    app::{App, Result},
    store::{
        self,
        attempt::{
            first_id,
            partition::{self, Partition},
        },
    },
};

const WEEK: Duration = Duration::WEEK;
/// So far ahead there are partitions: as long as no worker may run before they are missed.
const AHEAD: Duration = Duration::weeks(3);
/// How many strays are deleted in one statement.
const STRAYS: i64 = 10_000;

/// Makes partitions ahead, and forgets what is older than `kept`. A partition goes when all of it is.
pub async fn keep(app: &App, kept: Duration) -> Result<()> {
    let now = app.now();
    cover(app, now, now + AHEAD).await?;
    let before = first_id(now - kept);
    let mut conn = app.pool().acquire().await?;
    let old = partition::list(&mut conn).await?;
    for Partition { name, .. } in old.into_iter().filter(|partition| partition.until <= before) {
        if change(app, async |conn| partition::remove(conn, &name).await).await? {
            tracing::info!(name, "dropped history that is older than it is to be kept");
        }
    }
    while partition::delete_strays(&mut conn, before, STRAYS).await? == STRAYS.cast_unsigned() {}
    Ok(())
}

/// Makes the partitions that are missing between two moments.
pub async fn cover(app: &App, from: OffsetDateTime, until: OffsetDateTime) -> Result<()> {
    let mut conn = app.pool().acquire().await?;
    let known = partition::list(&mut conn).await?;
    drop(conn);
    for week in weeks(from, until) {
        let overlaps = |known: &Partition| known.from < week.until && week.from < known.until;
        let missing = !known.iter().any(overlaps);
        if missing && !change(app, async |conn| partition::add(conn, &week).await).await? {
            break;
        }
    }
    Ok(())
}

/// Changes a partition, unless another replica is at it or too much else is going on: then the next look
/// does it. Says whether it was done.
async fn change(
    app: &App,
    work: impl AsyncFnOnce(&mut sqlx::PgConnection) -> store::Result<()>,
) -> Result<bool> {
    let mut tx = app.begin().await?;
    if !partition::begin(&mut tx).await? {
        return Ok(false);
    }
    match work(&mut tx).await {
        Ok(()) => {
            tx.commit().await?;
            Ok(true)
        }
        Err(error) if partition::is_busy(&error) => {
            tracing::debug!("a partition of the history is busy; it is changed later");
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

/// The weeks that touch a span of time, from Monday to Monday (UTC).
fn weeks(from: OffsetDateTime, until: OffsetDateTime) -> impl Iterator<Item = Partition> {
    let days = from.weekday().number_days_from_monday();
    let first = from.date() - Duration::days(days.into());
    std::iter::successors(Some(first), |monday| Some(*monday + WEEK))
        .take_while(move |monday| monday.midnight().assume_utc() < until)
        .map(week)
}

fn week(monday: Date) -> Partition {
    let id = |date: Date| first_id(date.midnight().assume_utc());
    let (year, month, day) = monday.to_calendar_date();
    Partition {
        name: format!("attempts_{year:04}{:02}{day:02}", u8::from(month)),
        from: id(monday),
        until: id(monday + WEEK),
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn weeks_join_and_cover_all() {
        let (from, until) = (datetime!(2026-12-30 23:59 UTC), datetime!(2027-01-11 00:00:01 UTC));
        let weeks: Vec<Partition> = weeks(from, until).collect();
        let names: Vec<&str> = weeks.iter().map(|week| week.name.as_str()).collect();
        assert_eq!(names, ["attempts_20261228", "attempts_20270104", "attempts_20270111"]);
        assert!(weeks.windows(2).all(|two| two[0].until == two[1].from));
        assert!(weeks[0].from <= first_id(from) && first_id(until) < weeks[2].until);
    }

    #[test]
    fn a_monday_begins_its_own_week() {
        let monday = datetime!(2026-03-02 00:00 UTC);
        let names: Vec<String> =
            weeks(monday, monday + Duration::SECOND).map(|week| week.name).collect();
        assert_eq!(names, ["attempts_20260302"]);
    }
}
