//! The bar above a list that narrows it. What is asked for stands in the address, and only what was
//! filled in: a script leaves out the empty fields that a plain form would send.

use leptos::{
    ev::SubmitEvent,
    prelude::*,
    wasm_bindgen::JsCast,
    web_sys::{FormData, HtmlFormElement, UrlSearchParams},
};
use leptos_router::params::ParamsMap;

use crate::{
    domain::voice,
    ui::{
        components::{field::options_of, head::link, notice::nothing_there, status::answer_with},
        path::{self, Unread},
    },
};

pub fn filter_bar(
    action: &'static str,
    filtered: bool,
    fields: impl IntoView + 'static,
) -> AnyView {
    let fields = fields.into_any();
    view! {
        <Narrowing>
            <form method="get" action=action class="bar" role="search">
                {fields}
                <div class="bar-go">
                    <button type="submit" class="button">
                        "Show"
                    </button>
                    {filtered.then(|| link(action, "bar-clear", "Clear"))}
                </div>
            </form>
        </Narrowing>
    }
    .into_any()
}

/// What stands in a list's place when its address asks for what there is not.
pub fn unread(action: &'static str, unread: &Unread) -> AnyView {
    answer_with(400);
    let (title, text) = voice::unread(unread.name, &unread.value);
    nothing_there(title, text, link(action, "button", "Clear the filters"))
}

/// Sends the form in it without its empty fields.
#[island]
fn Narrowing(children: Children) -> impl IntoView {
    let go = |event: SubmitEvent| {
        if let Some(address) = filled_in(&event) {
            event.prevent_default();
            _ = window().location().assign(&address);
        }
    };
    view! { <div on:submit=go>{children()}</div> }
}

/// A field of the bar to type in. Its content is a property too, so that it empties again when what
/// was typed is cleared from the address.
pub fn typed(
    name: impl Into<String>,
    label: impl Into<String>,
    kind: &'static str,
    value: String,
) -> AnyView {
    let (name, label) = (name.into(), label.into());
    let class = if name == "q" { "bar-field is-wide" } else { "bar-field" };
    view! {
        <label class=class>
            <span>{label}</span>
            <input type=kind name=name value=value.clone() prop:value=value/>
        </label>
    }
    .into_any()
}

/// Fields that are needed now and then.
pub fn folded(label: &'static str, open: bool, fields: Vec<AnyView>) -> AnyView {
    view! {
        <details class="bar-more" open=open>
            <summary>{label}</summary>
            <div class="bar-fields">{fields}</div>
        </details>
    }
    .into_any()
}

/// A field of the bar to choose from.
pub fn chosen(
    name: impl Into<String>,
    label: impl Into<String>,
    mut options: Vec<(String, String)>,
    value: &str,
) -> AnyView {
    let (name, label) = (name.into(), label.into());
    // What is asked for and not there any more is still what is asked for.
    if !value.is_empty() && options.iter().all(|(known, _)| known != value) {
        options.push((value.to_owned(), value.to_owned()));
    }
    view! {
        <label class="bar-field">
            <span>{label}</span>
            <select name=name>{options_of(options, value)}</select>
        </label>
    }
    .into_any()
}

/// Where the form leads, with what it would send.
fn filled_in(event: &SubmitEvent) -> Option<String> {
    let form = event.target()?.dyn_into::<HtmlFormElement>().ok()?;
    let action = form.get_attribute("action")?;
    let data = FormData::new_with_form(&form).ok()?;
    let params = UrlSearchParams::new_with_str_sequence_sequence(&data).ok()?;
    let text = params.to_string().as_string()?;
    let mut filled = ParamsMap::new();
    for (key, value) in text.split('&').filter_map(|pair| pair.split_once('=')) {
        filled.insert(key.to_owned(), path::unescape(value)?);
    }
    Some(path::first_page(&action, &filled))
}
