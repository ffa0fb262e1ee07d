//! A part of a page that moves by itself while something is under way. The script looks at it again
//! every second and changes only what changed, so that the focus stays where it is; without a script
//! the page is loaded again. Both stop when it stands still. Nothing moves where a person is at work: the
//! script knows by what they typed, chose or opened.

use leptos::prelude::*;
use uuid::Uuid;

use crate::domain::voice;

/// A part that may move. `id` tells it from others of the page.
pub fn live(id: &'static str, moves: bool, content: impl IntoView + 'static) -> AnyView {
    part(id, moves, None, content.into_any())
}

/// [`live`], where all of the page is another once it stands still: it is loaded anew then.
pub fn live_until_another(
    id: &'static str,
    moves: bool,
    content: impl IntoView + 'static,
) -> AnyView {
    part(id, moves, Some("reload"), content.into_any())
}

fn part(id: &'static str, moves: bool, then: Option<&'static str>, content: AnyView) -> AnyView {
    let state = if moves { "moving" } else { "still" };
    view! {
        <div class="stack" id=id data-live=state data-then=then>
            {content}
            {then.map(|_| told_when_held())}
        </div>
    }
    .into_any()
}

/// A part that is looked at again when the server says that something became of a topic, and now and
/// then. It says when the server can't be heard. `topics`: separated by blanks.
pub fn live_on(
    id: &'static str,
    topics: &'static str,
    content: impl IntoView + 'static,
) -> AnyView {
    heard(Hears { id, class: "stack", topics, of: None, pace: None }, content.into_any())
}

/// [`live_on`], where what is shown was counted over many rows: the page is looked at once in so many seconds
/// at most, and once more a little later, since what was counted may be older than what was said.
pub fn live_counted(
    id: &'static str,
    topics: &'static str,
    seconds: u32,
    content: impl IntoView + 'static,
) -> AnyView {
    let pace = Some(seconds * 1000);
    heard(Hears { id, class: "stack", topics, of: None, pace }, content.into_any())
}

/// Most of a page, like [`live_on`], where topics are named all the time: it is looked at once in so many seconds at most.
pub fn live_at_times(
    id: &'static str,
    topics: &'static str,
    seconds: u32,
    content: impl IntoView + 'static,
) -> AnyView {
    let pace = Some(seconds * 1000);
    heard(Hears { id, class: "", topics, of: None, pace }, content.into_any())
}

/// Most of the page of one connection, which has a topic of its own: `connection`.
pub fn live_of(
    id: &'static str,
    topics: &'static str,
    of: Uuid,
    content: impl IntoView + 'static,
) -> AnyView {
    heard(Hears { id, class: "", topics, of: Some(of), pace: None }, content.into_any())
}

/// What a part listens to.
struct Hears {
    id: &'static str,
    class: &'static str,
    topics: &'static str,
    of: Option<Uuid>,
    /// Milliseconds.
    pace: Option<u32>,
}

fn heard(hears: Hears, content: AnyView) -> AnyView {
    let Hears { id, class, topics, of, pace } = hears;
    let of = of.map(|of| of.to_string());
    let class = (!class.is_empty()).then_some(class);
    view! {
        <div class=class id=id data-live="still" data-topic=topics data-of=of data-pace=pace>
            <div class="aloud" aria-live="polite" data-kept="">
                <p class="stale" hidden>
                    {voice::stale()}
                </p>
            </div>
            {content}
            {told_when_held()}
        </div>
    }
    .into_any()
}

/// Said, also aloud, when something else would stand here if nobody was at work.
fn told_when_held() -> AnyView {
    view! {
        <div class="aloud" aria-live="polite" data-kept="">
            <p class="held" hidden>
                {voice::held()}
            </p>
        </div>
    }
    .into_any()
}

/// For a page on which nobody types: without a script it is loaded again while it moves. It stands
/// outside of what the script changes.
pub fn reload(moves: bool) -> AnyView {
    reload_every(moves.then_some(3))
}

/// [`reload`], every so many seconds.
pub fn reload_every(seconds: Option<u32>) -> AnyView {
    seconds
        .map(|seconds| {
            view! {
                <noscript>
                    <meta http-equiv="refresh" content=seconds.to_string()/>
                </noscript>
            }
        })
        .into_any()
}

/// How far something is: `done` of `all`, or on its way for who knows how long.
pub fn bar(label: &'static str, done: i64, all: Option<i64>) -> AnyView {
    let value = all.map(|all| done.clamp(0, all).to_string());
    let max = all.map(|all| all.max(1).to_string());
    view! { <progress class="progress" aria-label=label value=value max=max></progress> }.into_any()
}
