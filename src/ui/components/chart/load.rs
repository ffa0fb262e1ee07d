//! The refreshes of the day behind, with those that failed, beside those of the day ahead.

use leptos::prelude::*;
use time::{Duration, OffsetDateTime};

use super::{Bar, Lane, Name, Table, plot, table};
use crate::domain::{
    overview::{AttemptBucket, DueBucket, RefreshesAhead},
    voice,
};

/// How far it reaches to either side of *now*.
const REACH: Duration = Duration::DAY;
/// The moments that are named, in hours from *now*.
const NAMED: [i32; 9] = [-24, -18, -12, -6, 0, 6, 12, 18, 24];
/// Those of them that are named where there is little room.
const NEEDED: i32 = 12;

pub fn load(behind: &[AttemptBucket], ahead: &RefreshesAhead, as_of: OffsetDateTime) -> AnyView {
    let names = NAMED.map(|hours| Name {
        at: place(as_of + Duration::HOUR * hours, as_of),
        text: match hours {
            0 => "now".into(),
            behind if behind < 0 => format!("−{} h", -behind),
            ahead => format!("{ahead} h"),
        },
        is_minor: hours % NEEDED != 0,
        is_edge: true,
    });
    view! {
        <figure class="chart">
            {plot(&[tried(behind, ahead, as_of), failed(behind, as_of)], &names, Some(0.5))}
            {(ahead.overdue > 0)
                .then(|| view! { <p class="quiet">{voice::overdue(ahead.overdue)}</p> })}
            {table("load-table", same(behind, ahead))}
        </figure>
    }
    .into_any()
}

fn place(at: OffsetDateTime, as_of: OffsetDateTime) -> f64 {
    (0.5 + 0.5 * ((at - as_of) / REACH)).clamp(0.0, 1.0)
}

fn bar(
    (from, until): (OffsetDateTime, OffsetDateTime),
    as_of: OffsetDateTime,
    parts: Vec<(&'static str, i64)>,
    told: &str,
) -> Bar {
    Bar {
        from: place(from, as_of),
        until: place(until, as_of),
        parts,
        title: format!("{}: {told}", voice::clock(from, until)),
        href: None,
    }
}

/// The part of a stretch that is behind.
fn over(bucket: &AttemptBucket, as_of: OffsetDateTime) -> (OffsetDateTime, OffsetDateTime) {
    (bucket.from, bucket.until.min(as_of))
}

fn tried(behind: &[AttemptBucket], ahead: &RefreshesAhead, as_of: OffsetDateTime) -> Lane {
    let done = behind.iter().map(|bucket| {
        bar(over(bucket, as_of), as_of, vec![("done", bucket.all())], &voice::attempts(bucket))
    });
    let due = ahead.buckets.iter().map(|DueBucket { from, until, due }| {
        bar((*from, *until), as_of, vec![("due", *due)], &voice::due(*due))
    });
    let sum = |figures: &mut dyn Iterator<Item = i64>| voice::short(figures.sum());
    Lane {
        name: "Refreshes",
        note: format!(
            "{} behind, {} ahead",
            sum(&mut behind.iter().map(AttemptBucket::all)),
            sum(&mut ahead.buckets.iter().map(|bucket| bucket.due)),
        ),
        bars: done.chain(due).collect(),
    }
}

fn failed(behind: &[AttemptBucket], as_of: OffsetDateTime) -> Lane {
    let bars = behind.iter().map(|bucket| {
        let parts = vec![("refused", bucket.refused()), ("passing", bucket.passing())];
        bar(over(bucket, as_of), as_of, parts, &voice::attempts(bucket))
    });
    let refused: i64 = behind.iter().map(AttemptBucket::refused).sum();
    let passing: i64 = behind.iter().map(AttemptBucket::passing).sum();
    Lane {
        name: "Failures",
        note: match refused + passing {
            0 => "none".into(),
            _ => {
                format!("{} refused, {} tried again", voice::short(refused), voice::short(passing))
            }
        },
        bars: bars.collect(),
    }
}

fn same(behind: &[AttemptBucket], ahead: &RefreshesAhead) -> Table {
    let cell = |figure| (figure, None);
    let done = behind.iter().filter(|bucket| bucket.all() > 0).map(|bucket| {
        let figures = [bucket.well(), bucket.passing(), bucket.refused(), 0];
        (voice::clock(bucket.from, bucket.until), figures.map(cell).into())
    });
    let due = ahead.buckets.iter().filter(|bucket| bucket.due > 0).map(|bucket| {
        (voice::clock(bucket.from, bucket.until), [0, 0, 0, bucket.due].map(cell).into())
    });
    Table {
        title: "Refreshes behind and ahead",
        columns: vec!["Refreshed", "Failed, tried again", "Refused", "Due"],
        rows: done.chain(due).collect(),
    }
}
