//! What runs out over the time ahead.

use leptos::prelude::*;
use time::OffsetDateTime;

use super::{Bar, Lane, Name, Table, plot, table};
use crate::{
    domain::{
        overview::{Ending, ExpiryBucket, Scale},
        voice,
    },
    ui::path,
};

pub fn timeline(buckets: &[ExpiryBucket], over: Scale, as_of: OffsetDateTime) -> AnyView {
    let lanes = Ending::ALL.map(|ending| lane(buckets, ending, over, as_of));
    let rows = buckets
        .iter()
        .map(|bucket| {
            let cells =
                Ending::ALL.map(|ending| (bucket.count(ending), Some(href(bucket, ending))));
            (voice::bucket(over, bucket.from, bucket.until, as_of), cells.into())
        })
        .collect();
    let same =
        Table { title: "What runs out", columns: Ending::ALL.map(voice::endings).into(), rows };
    view! {
        <figure class="chart">
            {plot(&lanes, &names(buckets, over, as_of), None)} {table("timeline-table", same)}
        </figure>
    }
    .into_any()
}

/// The connections behind a bar.
fn href(bucket: &ExpiryBucket, ending: Ending) -> String {
    path::connections(&bucket.filter(ending))
}

fn lane(buckets: &[ExpiryBucket], ending: Ending, over: Scale, as_of: OffsetDateTime) -> Lane {
    let width = 1.0 / buckets.len().max(1) as f64;
    let bars = buckets.iter().enumerate().map(|(at, bucket)| {
        let count = bucket.count(ending);
        let when = voice::bucket(over, bucket.from, bucket.until, as_of);
        Bar {
            from: width * at as f64,
            until: width * (at as f64 + 1.0),
            parts: vec![(kind(ending), count)],
            title: format!("{when}: {}", voice::ending(ending, count)),
            href: Some(href(bucket, ending)),
        }
    });
    let figures = || buckets.iter().map(|bucket| bucket.count(ending));
    Lane {
        name: voice::endings(ending),
        note: voice::in_all(figures().sum(), figures().max().unwrap_or_default(), over),
        bars: bars.collect(),
    }
}

fn kind(ending: Ending) -> &'static str {
    match ending {
        Ending::NeedsHuman => "human",
        Ending::Refresh => "refresh",
        Ending::Access => "access",
    }
}

/// Hours are named where they end, days and months where they are.
fn names(buckets: &[ExpiryBucket], over: Scale, as_of: OffsetDateTime) -> Vec<Name> {
    let width = 1.0 / buckets.len().max(1) as f64;
    let name = |at, text, is_edge| Name { at, text, is_minor: false, is_edge };
    let hour = |bucket: &ExpiryBucket| voice::until(bucket.until, as_of);
    match over {
        Scale::Day => std::iter::once(name(0.0, "now".into(), true))
            .chain(buckets.iter().enumerate().skip(2).step_by(3).map(|(at, bucket)| Name {
                // Every second one has room anywhere.
                is_minor: at % 2 == 0,
                ..name(width * (at as f64 + 1.0), hour(bucket), true)
            }))
            .collect(),
        Scale::Month => std::iter::once(name(0.0, "today".into(), false))
            .chain(buckets.iter().enumerate().skip(5).step_by(5).map(|(at, bucket)| Name {
                // The last one ends where the axis does, and so reaches to the one before it.
                is_minor: at + 5 < buckets.len() && at + 10 >= buckets.len(),
                ..name(width * (at as f64 + 0.5), voice::day_in_short(bucket.from), false)
            }))
            .collect(),
        Scale::Year => buckets
            .iter()
            .enumerate()
            .map(|(at, bucket)| {
                name(width * (at as f64 + 0.5), voice::month_in_short(bucket.from).into(), false)
            })
            .collect(),
    }
}
