//! Messages: what an action did, what a page has to say, what is not there yet.

use leptos::prelude::*;

use super::{field::Trouble, glyph};
use crate::domain::voice::{self, Empty, Tone};

/// A message that stands in the page.
#[component]
pub fn Notice(
    well: bool,
    #[prop(into)] title: String,
    #[prop(into)] text: String,
    /// Where to go from here.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    let (tone, shape) = if well { ("well", glyph::TICK) } else { ("ill", glyph::CROSS) };
    view! {
        <div class="notice" data-tone=tone role="status" data-kept="">
            {glyph::shape(shape)}
            <div>
                <strong>{title}</strong>
                <p>{text}</p>
                {children.map(|children| view! { <p>{children()}</p> })}
            </div>
        </div>
    }
}

/// What came of a form: its problem as a whole, or that it is done. Takes no room until it speaks.
#[component]
pub fn Answered(
    trouble: Trouble,
    /// What to say when it worked; nothing until it did.
    #[prop(optional, into)]
    done: Option<Signal<Option<String>>>,
) -> impl IntoView {
    let told = move || {
        if let Some(told) = trouble.told() {
            return Some((false, told));
        }
        Some((true, done.and_then(|done| done.get())?))
    };
    view! {
        <div class="answered" aria-live="polite">
            {move || {
                told().map(|(well, text)| said(well, text))
            }}
        </div>
    }
}

/// A sentence after an action, and whether things are well.
pub fn said(well: bool, text: String) -> AnyView {
    said_as(if well { Tone::Well } else { Tone::Ill }, text)
}

/// A sentence, and how it is meant.
pub fn said_as(tone: Tone, text: String) -> AnyView {
    let (tone, shape) = match tone {
        Tone::Well => ("well", glyph::TICK),
        Tone::Unsure => ("unsure", glyph::DASH),
        Tone::Ill => ("ill", glyph::CROSS),
    };
    view! {
        <p class="said" data-tone=tone>
            {glyph::shape(shape)}
            <span>{text}</span>
        </p>
    }
    .into_any()
}

/// What stands where there is nothing yet, with the way to get it below.
pub fn nothing(place: Empty, actions: impl IntoView + 'static) -> AnyView {
    let (title, text) = voice::empty(place);
    nothing_there(title, text, actions)
}

/// The same in other words.
pub fn nothing_there(
    title: impl Into<String>,
    text: &'static str,
    actions: impl IntoView + 'static,
) -> AnyView {
    let (title, actions) = (title.into(), actions.into_any());
    view! {
        <div class="nothing">
            <p class="nothing-title">{title}</p>
            <p>{text}</p>
            <div class="actions">{actions}</div>
        </div>
    }
    .into_any()
}
