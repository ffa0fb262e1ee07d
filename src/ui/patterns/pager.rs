//! The way to the next page of a list.

use leptos::prelude::*;
use leptos_router::{
    components::A,
    hooks::{use_location, use_query_map},
};

use crate::ui::path;

#[component]
pub fn Pager(next: Option<String>) -> impl IntoView {
    let params = use_query_map().get_untracked();
    let here = use_location().pathname.get_untracked();
    let first =
        path::filled(&params, path::AFTER).is_some().then(|| path::first_page(&here, &params));
    let next = next.map(|cursor| path::next_page(&here, &params, &cursor));
    (first.is_some() || next.is_some()).then(|| {
        view! {
            <nav class="pager" aria-label="Pages">
                {first
                    .map(|href| {
                        view! {
                            <A href=href attr:class="button">
                                "First page"
                            </A>
                        }
                    })}
                {next
                    .map(|href| {
                        view! {
                            <A href=href attr:class="button" attr:rel="next">
                                "Next page"
                            </A>
                        }
                    })}
            </nav>
        }
    })
}
