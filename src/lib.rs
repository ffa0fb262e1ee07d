//! Regrant: a dashboard and an API that keep an organisation's OAuth connections alive.
//!
//! One package, two builds. `ssr` is the server; `hydrate` is the WASM that wakes the islands
//! of the pages that the server rendered: the few parts that need a script. Everything else is
//! links and forms, and costs the browser nothing. Only this file decides which modules belong to which build.

pub mod domain;
pub mod rpc;
pub mod ui;

#[cfg(feature = "ssr")]
pub mod sandbox;
#[cfg(feature = "ssr")]
pub mod server;

#[cfg(all(test, feature = "ssr"))]
mod tests;

/// Where the browser begins: makes ready for the islands, which the page's script then wakes.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    leptos::mount::hydrate_islands();
}
