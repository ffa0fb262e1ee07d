//! What happens when, as lanes of bars: a lane to each kind, one below the other on the same time axis.
//! Each lane has its own scale, or the few that need a person would vanish below the many tokens that
//! renew themselves. Bars are links for the pointer; the same figures, with the same links, stand in a
//! table below for everybody else.

mod load;
mod timeline;

pub use load::load;
pub use timeline::timeline;

use leptos::prelude::*;

use crate::domain::voice;

/// The height of a lane's bars, and what lies above them for its name.
const BARS: f64 = 44.0;
const LANE: f64 = BARS + 30.0;
/// No bar is lower than this, and no bar is so narrow that it cannot be seen.
const LEAST: f64 = 2.5;
const THIN: f64 = 0.0025;

/// A kind of event, with its name.
struct Lane {
    name: &'static str,
    /// What there is to say of all of it, at the right.
    note: String,
    bars: Vec<Bar>,
}

/// What happens in a stretch of time.
struct Bar {
    /// On the axis, from 0 to 1.
    from: f64,
    until: f64,
    /// Its parts from the ground up: the kind, for the style, and the figure.
    parts: Vec<(&'static str, i64)>,
    /// What it says in words.
    title: String,
    /// The list behind it.
    href: Option<String>,
}

impl Bar {
    fn figure(&self) -> i64 {
        self.parts.iter().map(|(_, figure)| figure).sum()
    }
}

/// A name below the lanes.
struct Name {
    at: f64,
    text: String,
    /// It gives way where there is little room.
    is_minor: bool,
    /// A line leads from it to the ground.
    is_edge: bool,
}

fn plot(lanes: &[Lane], names: &[Name], now: Option<f64>) -> AnyView {
    let drawn =
        lanes.iter().enumerate().map(|(at, lane)| draw(lane, at as f64 * LANE)).collect::<Vec<_>>();
    let ground = lanes.len() as f64 * LANE;
    let names = names.iter().map(|name| below(name, ground)).collect::<Vec<_>>();
    let now = now.map(|now| {
        view! { <line class="chart-now" x1=percent(now) x2=percent(now) y1="26" y2=ground + 6.0></line> }
    });
    view! {
        <svg class="chart-plot" height=ground + 26.0 aria-hidden="true">
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
            {drawn}
            {names}
            {now}
        </svg>
    }
    .into_any()
}

fn draw(lane: &Lane, top: f64) -> AnyView {
    let most = lane.bars.iter().map(Bar::figure).max().unwrap_or(0).max(1);
    let ground = top + LANE;
    let bars = lane
        .bars
        .iter()
        .filter(|bar| bar.figure() > 0)
        .map(|bar| column(bar, top, most))
        .collect::<Vec<_>>();
    view! {
        <text class="chart-lane" x="0" y=top + 18.0>
            {lane.name}
        </text>
        <text class="chart-name" x="100%" y=top + 18.0 text-anchor="end">
            {lane.note.clone()}
        </text>
        {bars}
        <line class="chart-ground" x1="0" x2="100%" y1=ground y2=ground></line>
    }
    .into_any()
}

/// A bar, and the column it stands in, all of which leads to its list.
fn column(bar: &Bar, top: f64, most: i64) -> AnyView {
    let (ground, width) = (top + LANE, bar.until - bar.from);
    let gap = width * 0.12;
    let mut reached = 0.0;
    let parts = bar
        .parts
        .iter()
        .filter(|(_, figure)| *figure > 0)
        .map(|(kind, figure)| {
            let height = (BARS * *figure as f64 / most as f64).max(LEAST);
            reached += height;
            view! {
                <rect
                    class="chart-bar"
                    data-kind=*kind
                    fill=fill(kind)
                    x=percent(bar.from + gap)
                    y=ground - reached
                    width=percent((width - 2.0 * gap).max(THIN))
                    height=height
                ></rect>
            }
        })
        .collect::<Vec<_>>();
    let shown = view! {
        <title>{bar.title.clone()}</title>
        <rect
            class="chart-column"
            x=percent(bar.from)
            y=ground - BARS
            width=percent(width)
            height=BARS
        ></rect>
        {parts}
    };
    match bar.href.clone() {
        // The table has the same link for whoever does not point.
        Some(href) => view! {
            <a href=href tabindex="-1">
                {shown}
            </a>
        }
        .into_any(),
        None => view! { <g>{shown}</g> }.into_any(),
    }
}

/// The hatching is a pattern of the drawing, so it is named here and not in the style.
fn fill(kind: &str) -> Option<&'static str> {
    matches!(kind, "refresh" | "passing").then_some("url(#chart-hatch)")
}

fn below(name: &Name, ground: f64) -> AnyView {
    let x = percent(name.at);
    let anchor = match name.at {
        start if start < 0.02 => "start",
        end if end > 0.98 => "end",
        _ => "middle",
    };
    let class = if name.is_minor { "chart-name is-minor" } else { "chart-name" };
    let edge = name.is_edge.then(|| {
        view! {
            <line
                class="chart-ground"
                x1=x.clone()
                x2=x.clone()
                y1=ground
                y2=ground + 5.0
            ></line>
        }
    });
    view! {
        {edge}
        <text class=class x=x.clone() y=ground + 20.0 text-anchor=anchor>
            {name.text.clone()}
        </text>
    }
    .into_any()
}

/// A figure, and the list behind it.
type Cell = (i64, Option<String>);

/// What a table shows: its name, the names of its columns, and each row with its name and what stands in it.
struct Table {
    title: &'static str,
    columns: Vec<&'static str>,
    rows: Vec<(String, Vec<Cell>)>,
}

fn table(id: &'static str, table: Table) -> AnyView {
    let cell = |(figure, href): Cell| match href.filter(|_| figure > 0) {
        Some(href) => view! {
            <td>
                <a href=href>{voice::grouped(figure)}</a>
            </td>
        }
        .into_any(),
        None => view! { <td>{voice::grouped(figure)}</td> }.into_any(),
    };
    let rows = table
        .rows
        .into_iter()
        .map(|(name, cells)| {
            let cells = cells.into_iter().map(cell).collect::<Vec<_>>();
            view! {
                <tr>
                    <th scope="row">{name}</th>
                    {cells}
                </tr>
            }
        })
        .collect::<Vec<_>>();
    let heads = table
        .columns
        .into_iter()
        .map(|name| view! { <th scope="col">{name}</th> })
        .collect::<Vec<_>>();
    view! {
        <details class="fold" id=id>
            <summary>"The same as a table"</summary>
            <div class="scroll" tabindex="0" role="region" aria-label=table.title>
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

fn percent(share: f64) -> String {
    format!("{:.3}%", share * 100.0)
}
