//! Regrant: a dashboard and an API that keep an organisation's OAuth connections alive.
//!
//! One package, two builds. `ssr` is the server; `hydrate` is the WASM that takes over the pages
//! the server rendered. Only this file decides which modules belong to which build.

pub mod domain;
pub mod rpc;
pub mod ui;

#[cfg(feature = "ssr")]
pub mod sandbox;
#[cfg(feature = "ssr")]
pub mod server;

#[cfg(all(test, feature = "ssr"))]
mod tests;

/// Where the browser begins: attaches the interface to the page the server rendered.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    // A form may lead out of the interface, to a consent page, so the browser itself goes there;
    // the router's own way stays inside. Whichever is set first holds.
    _ = leptos::server_fn::redirect::set_redirect_hook(|address| {
        _ = leptos::prelude::window().location().assign(address);
    });
    leptos::mount::hydrate_body(ui::App);
}
