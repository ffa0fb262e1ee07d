//! A moment in the page: relative to the page's own time, the exact one on hover. No clock is read
//! here, so the server and the browser say the same. What says an hour or a day says it in UTC until the
//! script has put it into the reader's zone; the hover keeps the exact moment in UTC.

use leptos::prelude::*;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::domain::voice;

/// "in 2 hours", with the exact moment on hover.
#[component]
pub fn Ago(at: OffsetDateTime, as_of: OffsetDateTime) -> impl IntoView {
    view! {
        <time datetime=machine(at) title=voice::exact(at)>
            {voice::relative(at, as_of)}
        </time>
    }
}

/// The exact moment.
#[component]
pub fn Exact(at: OffsetDateTime) -> impl IntoView {
    view! {
        <time datetime=machine(at) title=voice::exact(at) data-local="exact">
            {voice::exact(at)}
        </time>
    }
}

/// The day, with the exact moment on hover.
#[component]
pub fn Day(at: OffsetDateTime) -> impl IntoView {
    view! {
        <time datetime=machine(at) title=voice::exact(at) data-local="day">
            {voice::day(at)}
        </time>
    }
}

/// The day; what never was is said to be so.
pub fn day_or_never(at: Option<OffsetDateTime>) -> AnyView {
    match at {
        Some(at) => view! { <Day at/> }.into_any(),
        None => view! { <span class="quiet">"never"</span> }.into_any(),
    }
}

/// As programs read it.
pub fn machine(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_default()
}
