//! What the time ahead brings: a lane of bars to each kind, one below the other on the same time axis.
//! Each lane has its own scale, or the few that need a person would vanish below the many tokens that
//! renew themselves; the same figures stand in a table below.

use leptos::prelude::*;
use time::OffsetDateTime;

use crate::domain::{
    overview::{ExpiryBucket, RefreshesAhead},
    voice,
};

/// The height of a lane's bars, and what lies above them for its name.
const BARS: f64 = 44.0;
const LANE: f64 = BARS + 28.0;
/// How many moments are named below.
const NAMES: usize = 8;

/// A kind of event: its key for the style, its name, its figure in each stretch of time.
struct Lane {
    kind: &'static str,
    name: &'static str,
    figures: Vec<i64>,
}

/// From, until.
type Stretch = (OffsetDateTime, OffsetDateTime);

/// What runs out.
pub fn expiries(buckets: &[ExpiryBucket], as_of: OffsetDateTime) -> AnyView {
    let lane = |kind, name, figure: fn(&ExpiryBucket) -> i64| Lane {
        kind,
        name,
        figures: buckets.iter().map(figure).collect(),
    };
    let lanes = [
        lane("human", "A person is needed", |bucket| bucket.needs_human),
        lane("refresh", "Refresh tokens end", |bucket| bucket.refresh),
        lane("access", "Access tokens end", |bucket| bucket.access),
    ];
    let stretches: Vec<Stretch> =
        buckets.iter().map(|bucket| (bucket.from, bucket.until)).collect();
    let hatch = view! {
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
    };
    figure("Upcoming expiries", &stretches, &lanes, as_of, hatch.into_any())
}

/// What renews itself.
pub fn refreshes(ahead: &RefreshesAhead, as_of: OffsetDateTime) -> AnyView {
    let buckets = &ahead.buckets;
    let lanes = [Lane {
        kind: "due",
        name: "Refreshes due",
        figures: buckets.iter().map(|bucket| bucket.due).collect(),
    }];
    let stretches: Vec<Stretch> =
        buckets.iter().map(|bucket| (bucket.from, bucket.until)).collect();
    let overdue = (ahead.overdue > 0).then(|| {
        view! {
            <p class="quiet">
                {match ahead.overdue {
                    1 => "1 more is due now.".to_owned(),
                    count => format!("{} more are due now.", short(count)),
                }}
            </p>
        }
    });
    view! {
        {figure("Refreshes ahead", &stretches, &lanes, as_of, ().into_any())}
        {overdue}
    }
    .into_any()
}

fn figure(
    title: &'static str,
    stretches: &[Stretch],
    lanes: &[Lane],
    as_of: OffsetDateTime,
    defs: AnyView,
) -> AnyView {
    let drawn =
        lanes.iter().enumerate().map(|(at, lane)| draw(lane, at as f64 * LANE)).collect::<Vec<_>>();
    view! {
        <figure class="chart">
            <svg class="chart-plot" class:is-single=lanes.len() == 1 aria-hidden="true">
                {defs} {drawn} {names(stretches, lanes.len() as f64 * LANE, as_of)}
            </svg>
            {table(title, stretches, lanes, as_of)}
        </figure>
    }
    .into_any()
}

fn draw(lane: &Lane, top: f64) -> AnyView {
    let most = lane.figures.iter().copied().max().unwrap_or(0);
    let total: i64 = lane.figures.iter().sum();
    let ground = top + LANE;
    let width = 100.0 / lane.figures.len().max(1) as f64;
    let bars = lane
        .figures
        .iter()
        .enumerate()
        .filter(|(_, figure)| **figure > 0)
        .map(|(at, figure)| {
            let height = (BARS * *figure as f64 / most as f64).max(2.5);
            view! {
                <rect
                    class="chart-bar"
                    data-kind=lane.kind
                    fill=fill(lane.kind)
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
            {lane.name}
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
fn names(stretches: &[Stretch], ground: f64, as_of: OffsetDateTime) -> AnyView {
    let width = 100.0 / stretches.len().max(1) as f64;
    let step = stretches.len().div_ceil(NAMES).max(1);
    let first = (0.0, "start", "now".to_owned());
    let ends = stretches.iter().enumerate().skip(step - 1).step_by(step).map(|(at, (_, until))| {
        let x = width * (at as f64 + 1.0);
        (x, if x > 97.0 { "end" } else { "middle" }, voice::until(*until, as_of))
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

fn table(
    title: &'static str,
    stretches: &[Stretch],
    lanes: &[Lane],
    as_of: OffsetDateTime,
) -> AnyView {
    let rows = stretches
        .iter()
        .enumerate()
        .map(|(at, (from, until))| {
            let figures = lanes.iter().map(|lane| view! { <td>{lane.figures[at]}</td> });
            view! {
                <tr>
                    <th scope="row">{voice::stretch(*from, *until, as_of)}</th>
                    {figures.collect::<Vec<_>>()}
                </tr>
            }
        })
        .collect::<Vec<_>>();
    let heads =
        lanes.iter().map(|lane| view! { <th scope="col">{lane.name}</th> }).collect::<Vec<_>>();
    view! {
        <details class="fold">
            <summary>"The same as a table"</summary>
            <div class="scroll" tabindex="0" role="region" aria-label=title>
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
