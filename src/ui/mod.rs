//! The interface.
use leptos::prelude::*;

#[derive(Clone)]
pub struct Assets {
    pub js: String,
    pub wasm: String,
    pub css: String,
}

/// The whole interface: what the server renders and the browser hydrates.
#[component]
pub fn App() -> impl IntoView {
    view! { <p>"Regrant"</p> }
}

pub fn shell(_assets: Assets) -> impl IntoView {
    view! { <App/> }
}
