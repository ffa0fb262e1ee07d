//! The shapes. Each state has one of its own, so that it can be told without its colour; they are
//! drawn in the colour of the text they stand in, twelve units wide.

use leptos::prelude::*;

use crate::domain::{client, connection::Standing, lifeline::MarkKind};

/// The path of a shape, and whether it is filled rather than stroked.
type Shape = (&'static str, bool);

const DISC: Shape = ("M6 1a5 5 0 1 1 0 10a5 5 0 1 1 0-10z", true);
const HALF: Shape =
    ("M6 0.8a5.2 5.2 0 1 1 0 10.4a5.2 5.2 0 1 1 0-10.4z M6 2.2v7.6a3.8 3.8 0 0 0 0-7.6z", true);
const TURN: Shape = ("M10.4 6a4.4 4.4 0 1 1-1.5-3.3 M9.6 0.6v2.6h-2.6", false);
const DIAMOND: Shape = ("M6 0l6 6l-6 6l-6-6z", true);
const CROSSED: Shape = ("M1 1h10v10h-10z M3.7 3.7l4.6 4.6 M8.3 3.7l-4.6 4.6", false);
const BARS: Shape = ("M2 1.5h3v9h-3z M7 1.5h3v9h-3z", true);
const RING: Shape = (
    "M6 1.2a4.8 4.8 0 1 1 0 9.6a4.8 4.8 0 1 1 0-9.6z M6 4.8a1.2 1.2 0 1 1 0 2.4a1.2 1.2 0 1 1 0-2.4z",
    false,
);
pub const ARROW: Shape = ("M1 6h9 M6.5 2.5l3.5 3.5l-3.5 3.5", false);
/// Neither well nor ill.
pub const DASH: Shape = ("M1 6h10", false);
pub const TICK: Shape = ("M1.5 6.5l3 3l6-7", false);
pub const CROSS: Shape = ("M2 2l8 8 M10 2l-8 8", false);

/// What opens a list.
pub fn menu() -> AnyView {
    shape(("M0.5 2.5h11 M0.5 6h11 M0.5 9.5h11", false))
}

pub fn standing(standing: Standing) -> AnyView {
    shape(match standing {
        Standing::Alive => DISC,
        Standing::Soon => HALF,
        Standing::Retrying => TURN,
        Standing::NeedsPerson => DIAMOND,
        Standing::ClientRefused => CROSSED,
        Standing::Paused => BARS,
        Standing::Pending => RING,
        Standing::Disconnected => DASH,
    })
}

pub fn client(state: client::StateName) -> AnyView {
    shape(match state {
        client::StateName::Ready => DISC,
        client::StateName::CredentialsRejected => CROSSED,
        client::StateName::Incident => HALF,
        client::StateName::Disabled => BARS,
    })
}

/// The shapes that stand on the lifeline, for its key.
pub fn mark(kind: MarkKind) -> AnyView {
    shape(match kind {
        MarkKind::Obtained => RING,
        MarkKind::Refreshed => ("M6 1v10", false),
        MarkKind::Failed => CROSS,
        MarkKind::Due => ("M1.5 2.5h9l-4.5 7z", true),
        MarkKind::AccessEnds => ("M0 3h10v6h-10z", true),
        MarkKind::ReachEnds => ("M0 6h10 M10 2v8", false),
        MarkKind::NeedsHuman => DIAMOND,
    })
}

pub fn shape((path, filled): Shape) -> AnyView {
    let class = if filled { "glyph is-filled" } else { "glyph" };
    let path = format!(r#"<path d="{path}" fill-rule="evenodd"></path>"#);
    view! {
        <svg
            class=class
            viewBox="0 0 12 12"
            width="12"
            height="12"
            aria-hidden="true"
            inner_html=path
        ></svg>
    }
    .into_any()
}

/// Our own mark: a lifeline at its moment.
pub fn logo() -> AnyView {
    view! {
        <svg class="logo" viewBox="0 0 32 32" width="24" height="24" aria-hidden="true">
            <rect class="logo-ground" width="32" height="32" rx="6"></rect>
            <rect class="logo-line" x="5" y="13" width="8" height="6"></rect>
            <rect class="logo-now" x="13" y="7" width="3" height="18"></rect>
            <rect class="logo-line" x="18" y="15" width="6" height="2"></rect>
            <path class="logo-line" d="M24 12l4 4-4 4z"></path>
        </svg>
    }
    .into_any()
}
