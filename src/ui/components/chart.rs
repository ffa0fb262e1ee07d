//! What runs out over the time ahead: a lane of bars to each kind, one below the other on the same
//! time axis. Each lane has its own scale, or the few that need a person would vanish below the many
//! tokens that renew themselves; the same figures stand in a table below.

use leptos::prelude::*;
use time::OffsetDateTime;

use crate::domain::{overview::ExpiryBucket, voice};

/// The height of a lane's bars, and what lies above them for its name.
const BARS: f64 = 44.0;
const LANE: f64 = BARS + 28.0;
/// How many moments are named below.
const NAMES: usize = 8;

/// A kind of expiry: its key for the style, its name, its figure in a stretch of time.
type Lane = (&'static str, &'static str, fn(&ExpiryBucket) -> i64);

const LANES: [Lane; 3] = [
    ("human", "A person is needed", |bucket| bucket.needs_human),
    ("refresh", "Refresh tokens end", |bucket| bucket.refresh),
    ("access", "Access tokens end", |bucket| bucket.access),
];

pub fn expiries(buckets: &[ExpiryBucket], as_of: OffsetDateTime) -> AnyView {
    let lanes = LANES
        .iter()
        .enumerate()
        .map(|(at, lane)| self::lane(lane, at as f64 * LANE, buckets))
        .collect::<Vec<_>>();
    view! {
        <figure class="chart">
            <svg class="chart-plot" aria-hidden="true">
                <defs>
                    <pattern
                        id="chart-hatch"
                        width="5"
                        height="5"
                        patternUnits="userSpaceOnUse"
                        patternTransform="rotate(45)"
                    >
                        <rect class="chart-hatch" width="2" height="5"></rect>
                    </pattern>
                </defs>
                {lanes} {names(buckets, as_of)}
            </svg>
            {table(buckets, as_of)}
        </figure>
    }
    .into_any()
}

fn lane((kind, name, figure): &Lane, top: f64, buckets: &[ExpiryBucket]) -> AnyView {
    let most = buckets.iter().map(figure).max().unwrap_or(0);
    let total: i64 = buckets.iter().map(figure).sum();
    let ground = top + LANE;
    let width = 100.0 / buckets.len().max(1) as f64;
    let bars = buckets
        .iter()
        .enumerate()
        .filter(|(_, bucket)| figure(bucket) > 0)
        .map(|(at, bucket)| {
            let height = (BARS * figure(bucket) as f64 / most as f64).max(2.5);
            view! {
                <rect
                    class="chart-bar"
                    data-kind=*kind
                    fill=fill(kind)
                    x=percent(width * (at as f64 + 0.12))
                    y=ground - height
                    width=percent(width * 0.76)
                    height=height
                ></rect>
            }
        })
        .collect::<Vec<_>>();
    let most = match total {
        0 => "none".to_owned(),
        1 => "1".to_owned(),
        _ => format!("{} in all, at most {} at once", short(total), short(most)),
    };
    view! {
        <text class="chart-lane" x="0" y=top + 18.0>
            {*name}
        </text>
        <text class="chart-name" x="100%" y=top + 18.0 text-anchor="end">
            {most}
        </text>
        {bars}
        <line class="chart-ground" x1="0" x2="100%" y1=ground y2=ground></line>
    }
    .into_any()
}

/// The hatching is a pattern of the drawing, so it is named here and not in the style.
fn fill(kind: &str) -> Option<&'static str> {
    (kind == "refresh").then_some("url(#chart-hatch)")
}

/// The moments below the lanes.
fn names(buckets: &[ExpiryBucket], as_of: OffsetDateTime) -> AnyView {
    let ground = LANES.len() as f64 * LANE;
    let width = 100.0 / buckets.len().max(1) as f64;
    let step = buckets.len().div_ceil(NAMES).max(1);
    let first = (0.0, "start", "now".to_owned());
    let ends = buckets.iter().enumerate().skip(step - 1).step_by(step).map(|(at, bucket)| {
        let x = width * (at as f64 + 1.0);
        (x, if x > 97.0 { "end" } else { "middle" }, voice::until(bucket.until, as_of))
    });
    std::iter::once(first)
        .chain(ends)
        .map(|(x, anchor, name)| {
            view! {
                <line
                    class="chart-ground"
                    x1=percent(x)
                    x2=percent(x)
                    y1=ground
                    y2=ground + 5.0
                ></line>
                <text class="chart-name" x=percent(x) y=ground + 19.0 text-anchor=anchor>
                    {name}
                </text>
            }
        })
        .collect::<Vec<_>>()
        .into_any()
}

fn table(buckets: &[ExpiryBucket], as_of: OffsetDateTime) -> AnyView {
    let rows = buckets
        .iter()
        .map(|bucket| {
            let figures = LANES.iter().map(|(.., figure)| view! { <td>{figure(bucket)}</td> });
            view! {
                <tr>
                    <th scope="row">{voice::stretch(bucket.from, bucket.until, as_of)}</th>
                    {figures.collect::<Vec<_>>()}
                </tr>
            }
        })
        .collect::<Vec<_>>();
    let heads =
        LANES.iter().map(|(_, name, _)| view! { <th scope="col">{*name}</th> }).collect::<Vec<_>>();
    view! {
        <details class="fold">
            <summary>"The same as a table"</summary>
            <div class="scroll" tabindex="0" role="region" aria-label="Upcoming expiries">
                <table class="table is-figures">
                    <thead>
                        <tr>
                            <th scope="col">"When"</th>
                            {heads}
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </details>
    }
    .into_any()
}

fn percent(value: f64) -> String {
    format!("{value:.2}%")
}

/// "940", "1.2k", "31k".
fn short(count: i64) -> String {
    match count {
        ..1_000 => count.to_string(),
        1_000..10_000 if count % 1_000 >= 100 => {
            format!("{}.{}k", count / 1_000, count % 1_000 / 100)
        }
        _ => format!("{}k", count / 1_000),
    }
}
