//! What runs out over the time ahead, as bars: three kinds told apart by how they are filled, with
//! the same figures in a table below.

use leptos::prelude::*;
use time::OffsetDateTime;

use crate::domain::{overview::ExpiryBucket, voice};

const HEIGHT: f64 = 132.0;
const TOP: f64 = 24.0;
/// How many names fit below the bars, and how many stretches have their figures above them.
const NAMES: usize = 8;

pub fn expiries(buckets: &[ExpiryBucket], as_of: OffsetDateTime) -> AnyView {
    let most = buckets
        .iter()
        .flat_map(|each| [each.access, each.refresh, each.needs_human])
        .max()
        .unwrap_or(0)
        .max(1);
    let width = 100.0 / buckets.len().max(1) as f64;
    let step = buckets.len().div_ceil(NAMES).max(1);
    let groups = buckets
        .iter()
        .enumerate()
        .map(|(at, bucket)| {
            let left = at as f64 * width;
            let name = ((at + 1) % step == 0).then(|| name(bucket, left + width, as_of));
            (bars(bucket, left, width, most, step == 1), name)
        })
        .collect::<Vec<_>>();
    let grid = [most, most / 2].into_iter().filter(|count| *count > 0 && step > 1).map(|count| {
        let y = TOP + HEIGHT - HEIGHT * count as f64 / most as f64;
        view! {
            <line class="chart-grid" x1="0" x2="100%" y1=y y2=y></line>
            <text class="chart-name" x="0" y=y - 5.0>
                {short(count)}
            </text>
        }
    });
    let grid = grid.collect::<Vec<_>>();
    let rows = buckets
        .iter()
        .map(|bucket| {
            view! {
                <tr>
                    <th scope="row">{stretch(bucket, as_of)}</th>
                    <td>{bucket.access}</td>
                    <td>{bucket.refresh}</td>
                    <td>{bucket.needs_human}</td>
                </tr>
            }
        })
        .collect::<Vec<_>>();
    view! {
        <figure class="chart">
            <ul class="chart-key" aria-hidden="true">
                <li>{swatch("access")} "access tokens end"</li>
                <li>{swatch("refresh")} "refresh tokens end"</li>
                <li>{swatch("human")} "a person is needed"</li>
            </ul>
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
                {grid} {groups}
                <line class="chart-ground" x1="0" x2="100%" y1=TOP + HEIGHT y2=TOP + HEIGHT></line>
            </svg>
            <details class="fold">
                <summary>"The same as a table"</summary>
                <div class="scroll" tabindex="0" role="region" aria-label="Upcoming expiries">
                    <table class="table is-figures">
                        <thead>
                            <tr>
                                <th scope="col">"When"</th>
                                <th scope="col">"Access tokens end"</th>
                                <th scope="col">"Refresh tokens end"</th>
                                <th scope="col">"A person is needed"</th>
                            </tr>
                        </thead>
                        <tbody>{rows}</tbody>
                    </table>
                </div>
            </details>
        </figure>
    }
    .into_any()
}

/// The bars of one stretch of time, with their figures if there is room.
fn bars(bucket: &ExpiryBucket, left: f64, width: f64, most: i64, figures: bool) -> AnyView {
    let bar = width * 0.24;
    let series =
        [("access", bucket.access), ("refresh", bucket.refresh), ("human", bucket.needs_human)];
    series
        .into_iter()
        .enumerate()
        .filter(|(_, (_, count))| *count > 0)
        .map(|(at, (kind, count))| {
            let height = (HEIGHT * count as f64 / most as f64).max(3.0);
            let x = left + width * 0.11 + at as f64 * (bar + width * 0.03);
            let y = TOP + HEIGHT - height;
            let figure = figures.then(|| {
                view! {
                    <text
                        class="chart-count"
                        x=percent(x + bar / 2.0)
                        y=y - 6.0
                        text-anchor="middle"
                    >
                        {short(count)}
                    </text>
                }
            });
            view! {
                <rect
                    class="chart-bar"
                    data-kind=kind
                    fill=fill(kind)
                    x=percent(x)
                    y=y
                    width=percent(bar)
                    height=height
                ></rect>
                {figure}
            }
        })
        .collect::<Vec<_>>()
        .into_any()
}

/// The name of a stretch, below its end.
fn name(bucket: &ExpiryBucket, x: f64, as_of: OffsetDateTime) -> AnyView {
    let y = TOP + HEIGHT;
    let anchor = if x > 97.0 { "end" } else { "middle" };
    view! {
        <line class="chart-ground" x1=percent(x) x2=percent(x) y1=y y2=y + 5.0></line>
        <text class="chart-name" x=percent(x) y=y + 19.0 text-anchor=anchor>
            {voice::until(bucket.until, as_of)}
        </text>
    }
    .into_any()
}

/// The hatching is a pattern of the drawing, so it is named here and not in the style.
fn fill(kind: &str) -> Option<&'static str> {
    (kind == "refresh").then_some("url(#chart-hatch)")
}

fn stretch(bucket: &ExpiryBucket, as_of: OffsetDateTime) -> String {
    voice::stretch(bucket.from, bucket.until, as_of)
}

fn swatch(kind: &'static str) -> AnyView {
    view! {
        <svg class="swatch" width="12" height="12">
            <rect
                class="chart-bar"
                data-kind=kind
                fill=fill(kind)
                x="0.5"
                y="0.5"
                width="11"
                height="11"
            ></rect>
        </svg>
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
        1_000..10_000 => format!("{}.{}k", count / 1_000, count % 1_000 / 100),
        _ => format!("{}k", count / 1_000),
    }
}
