//! The parts of a page: its title in the window and on the page, its sections, its links. Functions
//! rather than components, because what stands in them is made once, from borrowed data.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;

/// The top of a page, with the list it belongs to (name and address) and what can be done.
pub fn head(
    title: impl Into<String>,
    up: Option<(&str, &str)>,
    actions: impl IntoView + 'static,
) -> AnyView {
    let title = title.into();
    let actions = actions.into_any();
    view! {
        <Title text=title.clone()/>
        <header class="head">
            <div class="head-title">
                {up.map(|(name, href)| link(href, "head-up", name.to_owned()))} <h1>{title}</h1>
            </div>
            <div class="actions">{actions}</div>
        </header>
    }
    .into_any()
}

/// A part of a page under its heading, with a word about it (or none).
pub fn section(
    title: &'static str,
    note: &'static str,
    content: impl IntoView + 'static,
) -> AnyView {
    let content = content.into_any();
    view! {
        <section class="section">
            <div class="section-head">
                <h2>{title}</h2>
                {(!note.is_empty()).then(|| view! { <p class="section-note">{note}</p> })}
            </div>
            {content}
        </section>
    }
    .into_any()
}

/// A link to a page of ours.
pub fn link(
    href: impl Into<String>,
    class: &'static str,
    content: impl IntoView + 'static,
) -> AnyView {
    let href = href.into();
    let content = content.into_any();
    if class.is_empty() {
        view! { <A href=href>{content}</A> }.into_any()
    } else {
        view! {
            <A href=href attr:class=class>
                {content}
            </A>
        }
        .into_any()
    }
}
