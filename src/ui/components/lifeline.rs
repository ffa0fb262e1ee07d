//! The lifeline as a picture: time to the right, *now* at the same place in every one.
//!
//! The access token is a thick bar, solid where it is left and hollow where it is spent; how far
//! renewal reaches is a thin rail with an end cap; a person's moment is a diamond. Positions are
//! percentages in attributes, so that a line fits any width without a script or a style in place. What is drawn
//! is written as text: a list draws fifty, and views of its parts would take a third of what the page takes.

use std::fmt::Write;

use leptos::prelude::*;
use time::OffsetDateTime;

use super::{glyph, moment::Ago};
use crate::domain::{
    connection::Standing,
    lifeline::{self, Life, Lifeline, Mark, MarkKind, NOW, Segment, SegmentKind},
    overview::NeedsHumanGroup,
    voice,
};

/// Two diamonds that are nearer would cover each other.
const APART: f64 = 0.03;

/// Small, for a row: as high as the row, so that *now* runs through all of them.
pub fn row(life: &Life, standing: Standing) -> AnyView {
    let drawn = lifeline::draw(life);
    view! {
        <svg
            class="lifeline"
            data-state=standing.as_str()
            role="img"
            aria-label=voice::lifeline(life)
            inner_html=small(&body(&drawn, false))
        ></svg>
    }
    .into_any()
}

/// What is drawn in a row, with *now* behind it.
fn small(drawn: &str) -> String {
    let now = pc(NOW);
    format!(
        r#"<line class="ll-now" x1="{now}" x2="{now}" y1="0" y2="100%"></line><svg y="50%" overflow="visible">{drawn}</svg>"#
    )
}

/// Small, for a row that stands for many: from when the first of them needs a person to when the last
/// does.
pub fn many(group: &NeedsHumanGroup, as_of: OffsetDateTime) -> AnyView {
    let at = |moment| lifeline::position(moment, as_of);
    let (first, last) = (at(group.first_at), at(group.last_at));
    let diamond = |at: f64| {
        view! {
            <svg x=pc(at) overflow="visible">
                <path
                    class="ll-mark"
                    data-mark="needs-human"
                    d="M0 -5.5l5.5 5.5l-5.5 5.5l-5.5 -5.5z"
                ></path>
            </svg>
        }
    };
    // Those that were needed first have waited until now.
    let waited = (group.first_at < as_of).then(|| {
        view! { <line class="ll-dead" x1=pc(first) x2=pc(NOW) y1="0" y2="0"></line> }
    });
    view! {
        <svg
            class="lifeline"
            data-state=group.standing().as_str()
            role="img"
            aria-label=voice::group_line(group, as_of)
        >
            <line class="ll-now" x1=pc(NOW) x2=pc(NOW) y1="0" y2="100%"></line>
            <svg y="50%" overflow="visible">
                {waited} <line class="ll-span" x1=pc(first) x2=pc(last) y1="0" y2="0"></line>
                {diamond(first)} {(last - first > APART).then(|| diamond(last))}
            </svg>
        </svg>
    }
    .into_any()
}

/// The names of the axis above a list of rows.
pub fn axis() -> AnyView {
    let names = lifeline::ticks()
        .filter(|tick| tick.position >= NOW)
        .map(|tick| {
            let anchor = if tick.position > 0.97 { "end" } else { "middle" };
            view! {
                <text x=pc(tick.position) y="12" text-anchor=anchor>
                    {tick.label}
                </text>
            }
        })
        .collect::<Vec<_>>();
    view! {
        <svg class="lifeline-axis" aria-hidden="true">
            {names}
        </svg>
    }
    .into_any()
}

/// Large, for a connection's own page: with the tries behind, labels, the axis, and a key that says
/// the same in words.
pub fn large(life: &Life, standing: Standing) -> AnyView {
    let drawn = lifeline::draw(life);
    let ticks = lifeline::ticks()
        .map(|tick| {
            let x = pc(tick.position);
            let anchor = if tick.position > 0.97 { "end" } else { "middle" };
            let class = match tick.position - NOW {
                behind if behind < 0.0 => "ll-tick is-past",
                ahead if ahead > 0.0 => "ll-tick",
                _ => "ll-tick is-now",
            };
            view! {
                <line class="ll-grid" x1=x.clone() x2=x.clone() y1="76" y2="112"></line>
                <text class=class x=x y="132" text-anchor=anchor>
                    {tick.label}
                </text>
            }
        })
        .collect::<Vec<_>>();
    let labels = drawn.marks.iter().filter_map(|mark| label(mark, life)).collect::<Vec<_>>();
    view! {
        <figure class="lifeline-large" data-state=standing.as_str()>
            <svg class="lifeline" role="img" aria-label=voice::lifeline(life)>
                <g class="ll-scene">
                    {ticks} <line class="ll-now" x1=pc(NOW) x2=pc(NOW) y1="72" y2="116"></line>
                    {labels}
                    <svg y="94" overflow="visible" inner_html=body(&drawn, true)></svg>
                </g>
            </svg>
            <figcaption>{key(&drawn, life)}</figcaption>
        </figure>
    }
    .into_any()
}

fn label(mark: &Mark, life: &Life) -> Option<AnyView> {
    let lane = mark.lane?;
    let x = pc(mark.position);
    let y = 64 - 22 * i32::from(lane);
    let (anchor, dx) = match mark.position {
        near if near < 0.12 => ("start", "0"),
        far if far > 0.86 => ("end", "0"),
        _ => ("middle", "0"),
    };
    Some(
        view! {
            <line class="ll-lead" x1=x.clone() x2=x.clone() y1=y + 4 y2="84"></line>
            <text class="ll-label" data-mark=name(mark.kind) x=x y=y dx=dx text-anchor=anchor>
                {voice::mark(mark.kind, mark.at <= life.as_of)}
                <tspan class="ll-when" dx="5">
                    {voice::relative(mark.at, life.as_of)}
                </tspan>
            </text>
        }
        .into_any(),
    )
}

/// Numbers and names of ours, so that nothing needs escaping.
fn body(drawn: &Lifeline, large: bool) -> String {
    let mut text = String::with_capacity(1024);
    for each in &drawn.segments {
        segment(&mut text, each, large);
    }
    for each in &drawn.marks {
        mark(&mut text, each, large);
    }
    text
}

fn segment(text: &mut String, segment: &Segment, large: bool) {
    let half = if large { 7 } else { 4 };
    let (class, half) = match segment.kind {
        SegmentKind::AccessBehind => ("ll-behind", half),
        SegmentKind::AccessLeft => ("ll-left", half),
        SegmentKind::Reach => ("ll-reach", 1),
        SegmentKind::Dead => ("ll-dead", 0),
    };
    let (from, to) = (pc(segment.from), pc(segment.to));
    if segment.kind == SegmentKind::Dead {
        add(
            text,
            format_args!(r#"<line class="{class}" x1="{from}" x2="{to}" y1="0" y2="0"></line>"#),
        );
        return;
    }
    let width = pc((segment.to - segment.from).max(0.004));
    let height = 2 * half;
    add(
        text,
        format_args!(
            r#"<rect class="{class}" x="{from}" y="-{half}" width="{width}" height="{height}"></rect>"#
        ),
    );
    if segment.open {
        text.push_str(
            r#"<svg x="100%" overflow="visible"><path class="ll-open" d="M-7 -5 L-2 0 L-7 5"></path></svg>"#,
        );
    }
}

fn mark(text: &mut String, mark: &Mark, large: bool) {
    let path = match (mark.kind, large) {
        (MarkKind::Obtained, _) | (MarkKind::AccessEnds, false) => return,
        (MarkKind::AccessEnds, true) => "M0 -10V10",
        (MarkKind::Refreshed, _) => "M0 -10V-3",
        (MarkKind::Failed, _) => "M-3.5 -12l7 7 M3.5 -12l-7 7",
        (MarkKind::Due, true) => "M-5 -18h10l-5 8z",
        (MarkKind::Due, false) => "M-3.5 -11h7l-3.5 5.5z",
        (MarkKind::ReachEnds, true) => "M0 -9V9",
        (MarkKind::ReachEnds, false) => "M0 -5V5",
        (MarkKind::NeedsHuman, true) => "M0 -8l8 8l-8 8l-8 -8z",
        (MarkKind::NeedsHuman, false) => "M0 -5.5l5.5 5.5l-5.5 5.5l-5.5 -5.5z",
    };
    let (x, name) = (pc(mark.position), name(mark.kind));
    add(
        text,
        format_args!(
            r#"<svg x="{x}" overflow="visible"><path class="ll-mark" data-mark="{name}" d="{path}"></path></svg>"#
        ),
    );
}

/// A text takes whatever is written into it.
fn add(text: &mut String, what: std::fmt::Arguments<'_>) {
    let _ = text.write_fmt(what);
}

fn key(drawn: &Lifeline, life: &Life) -> AnyView {
    let entries = drawn
        .marks
        .iter()
        .filter(|mark| !matches!(mark.kind, MarkKind::Refreshed | MarkKind::Failed))
        .map(|mark| {
            view! {
                <div data-mark=name(mark.kind)>
                    <dt>{glyph::mark(mark.kind)} {voice::mark(mark.kind, mark.at <= life.as_of)}</dt>
                    <dd>
                        <Ago at=mark.at as_of=life.as_of/>
                    </dd>
                </div>
            }
        })
        .collect::<Vec<_>>();
    view! { <dl class="lifeline-key">{entries}</dl> }.into_any()
}

fn name(kind: MarkKind) -> &'static str {
    match kind {
        MarkKind::Obtained => "obtained",
        MarkKind::Refreshed => "refreshed",
        MarkKind::Failed => "failed",
        MarkKind::Due => "due",
        MarkKind::AccessEnds => "access-ends",
        MarkKind::ReachEnds => "reach-ends",
        MarkKind::NeedsHuman => "needs-human",
    }
}

fn pc(share: f64) -> String {
    format!("{:.2}%", share * 100.0)
}
