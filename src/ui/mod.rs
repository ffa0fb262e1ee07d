//! The interface.
use leptos::prelude::*;

/// The whole interface: what the server renders and the browser hydrates.
#[component]
pub fn App() -> impl IntoView {
    view! { <p>"Regrant"</p> }
}
