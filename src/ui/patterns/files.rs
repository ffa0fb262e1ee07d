//! What a page shows, to take away as a file.

use leptos::prelude::*;

/// A link for each form of file; `address` says where one comes from.
pub fn files(address: impl Fn(&'static str) -> String) -> AnyView {
    let file = |format: &'static str, label: &'static str| {
        let href = address(format);
        view! {
            <a href=href download="" rel="external">
                {label}
            </a>
        }
    };
    view! { "As a file: " {file("csv", "CSV")} " " {file("ndjson", "NDJSON")} }.into_any()
}
