//! How far ahead the timeline looks, and where its bars begin and end.

use serde::{Deserialize, Serialize};
use time::{Duration, Month, OffsetDateTime, UtcOffset};

use super::{ExpiryBucket, Tally};
use crate::domain::access::Unknown;

/// How far ahead the timeline looks. An hour has the same length everywhere, so hours count from now;
/// days and months are those of the calendar, in UTC. What is left of today, or of this month, has a bar of its
/// own before them, so that what comes in 30 days is in one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub enum Scale {
    /// 24 hours, hour by hour.
    #[default]
    Day,
    /// 30 days, day by day.
    Month,
    /// 12 months, month by month.
    Year,
}

impl Scale {
    pub const ALL: [Self; 3] = [Self::Day, Self::Month, Self::Year];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
            Self::Year => "year",
        }
    }

    /// Where its bars begin, and where the last one ends. The first begins now.
    pub fn edges(self, now: OffsetDateTime) -> Vec<OffsetDateTime> {
        let now = now.to_offset(UtcOffset::UTC);
        let ends = |count: i32, end: &dyn Fn(i32) -> OffsetDateTime| {
            std::iter::once(now).chain((1..=count).map(end)).collect()
        };
        let midnight = now.replace_time(time::Time::MIDNIGHT);
        match self {
            Self::Day => ends(24, &|at| now + Duration::HOUR * at),
            Self::Month => ends(31, &|at| midnight + Duration::DAY * at),
            Self::Year => ends(13, &|at| month_after(midnight, at)),
        }
    }

    /// Its bars, of what was counted between the edges of all scales.
    pub fn buckets(self, now: OffsetDateTime, tallies: &[Tally]) -> Vec<ExpiryBucket> {
        let edges = self.edges(now);
        edges
            .windows(2)
            .map(|edge| {
                let within =
                    tallies.iter().filter(|tally| (edge[0]..edge[1]).contains(&tally.from));
                within.fold(ExpiryBucket::empty(edge[0], edge[1]), |bucket, tally| ExpiryBucket {
                    access: bucket.access + tally.access,
                    refresh: bucket.refresh + tally.refresh,
                    needs_human: bucket.needs_human + tally.needs_human,
                    ..bucket
                })
            })
            .collect()
    }
}

/// The edges of all scales, each once, in order: what lies between two of them is in one bar of each.
pub fn all_edges(now: OffsetDateTime) -> Vec<OffsetDateTime> {
    let mut edges: Vec<_> = Scale::ALL.into_iter().flat_map(|scale| scale.edges(now)).collect();
    edges.sort_unstable();
    edges.dedup();
    edges
}

/// The beginning of the month that is so many after this one.
fn month_after(day: OffsetDateTime, months: i32) -> OffsetDateTime {
    let count = day.year() * 12 + i32::from(u8::from(day.month())) - 1 + months;
    let month = u8::try_from(count.rem_euclid(12) + 1).ok().and_then(|at| Month::try_from(at).ok());
    let first =
        time::Date::from_calendar_date(count.div_euclid(12), month.unwrap_or(Month::January), 1);
    first.map_or(day, |first| first.midnight().assume_utc())
}

impl std::str::FromStr for Scale {
    type Err = Unknown;
    fn from_str(value: &str) -> Result<Self, Unknown> {
        Self::ALL
            .into_iter()
            .find(|scale| scale.as_str() == value)
            .ok_or_else(|| Unknown { noun: "scale", value: value.into() })
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-12-15 21:30:07 UTC);

    #[test]
    fn days_and_months_are_those_of_the_calendar() {
        let edges = |scale: Scale| scale.edges(NOW);
        assert_eq!(edges(Scale::Day).len(), 25);
        assert_eq!(edges(Scale::Day)[24], NOW + Duration::DAY);
        let month = edges(Scale::Month);
        assert_eq!((month.len(), month[0]), (32, NOW));
        assert_eq!(month[1], datetime!(2026-12-16 0:00 UTC));
        assert_eq!(month[31], datetime!(2027-01-15 0:00 UTC));
        assert!(month[31] > NOW + Duration::days(30));
        let year = edges(Scale::Year);
        assert_eq!((year.len(), year[0]), (14, NOW));
        assert_eq!(year[1], datetime!(2027-01-01 0:00 UTC));
        assert_eq!(year[13], datetime!(2028-01-01 0:00 UTC));
        // Whatever zone a moment is given in, and however long the month is.
        let elsewhere = datetime!(2028-01-31 23:30 -3);
        assert_eq!(Scale::Year.edges(elsewhere)[1], datetime!(2028-03-01 0:00 UTC));
        for scale in Scale::ALL {
            assert!(edges(scale).is_sorted_by(|one, two| one < two), "{scale:?}");
            assert_eq!(scale.as_str().parse(), Ok(scale));
        }
    }

    #[test]
    fn what_is_counted_once_stands_in_one_bar_of_each_scale() {
        let edges = all_edges(NOW);
        let tallies: Vec<Tally> = edges
            .iter()
            .map(|from| Tally { from: *from, access: 1, refresh: 10, needs_human: 100 })
            .collect();
        for scale in Scale::ALL {
            let buckets = scale.buckets(NOW, &tallies);
            let end = buckets.last().map_or(NOW, |last| last.until);
            let within = edges.iter().filter(|edge| **edge < end).count();
            let sum: i64 = buckets.iter().map(|bucket| bucket.access).sum();
            assert_eq!(usize::try_from(sum), Ok(within), "{scale:?}");
            assert!(buckets.iter().all(|bucket| bucket.needs_human == 10 * bucket.refresh));
            assert!(buckets.windows(2).all(|pair| pair[0].until == pair[1].from));
        }
    }
}
