//! The controls of fields that hold one value, or some of a few.

use leptos::prelude::*;
use time::Duration;

use super::{Sheet, about, id_of};
use crate::domain::{
    provider::form::{Field, Filled, Kind},
    voice,
};

impl Sheet<'_> {
    pub(super) fn text(&self, field: &Field, text: &str, name: &str) -> AnyView {
        let id = id_of(name);
        let (many, code) = match field.kind {
            Kind::Text { long, .. } => (long || text.contains('\n'), false),
            Kind::Lines | Kind::Json => (true, true),
            _ => (false, false),
        };
        let class = if code { "is-mono" } else { "" };
        let inputmode = matches!(field.kind, Kind::Number { .. }).then_some("numeric");
        let control = if many {
            let rows = (text.lines().count() + 1).clamp(2, 12);
            // The first line break of a text area is not part of its text.
            let shown = if text.starts_with('\n') { format!("\n{text}") } else { text.to_owned() };
            view! {
                <textarea
                    id=id.clone()
                    class=class
                    name=name.to_owned()
                    rows=rows.to_string()
                    spellcheck="false"
                    autocomplete="off"
                    aria-describedby=about(name)
                    aria-invalid=self.invalid(name)
                    autofocus=self.focused(name)
                >
                    {shown}
                </textarea>
            }
            .into_any()
        } else {
            view! {
                <input
                    id=id.clone()
                    type="text"
                    name=name.to_owned()
                    value=text.to_owned()
                    inputmode=inputmode
                    spellcheck="false"
                    autocomplete="off"
                    aria-required=field.required.then_some("true")
                    aria-describedby=about(name)
                    aria-invalid=self.invalid(name)
                    autofocus=self.focused(name)
                />
            }
            .into_any()
        };
        let class = if many && !code { "field is-long" } else { "field" };
        view! {
            <div class=class>
                <label for=id>{field.label.clone()} {needed(field)} {length(field, text)}</label>
                {control}
                {self.about(field, name)}
            </div>
        }
        .into_any()
    }

    pub(super) fn choice(
        &self,
        field: &Field,
        options: Vec<(String, String)>,
        optional: bool,
        filled: &Filled,
        name: &str,
    ) -> AnyView {
        let id = id_of(name);
        let chosen = filled.text();
        let open = optional || chosen.is_empty();
        let open = open.then(|| {
            let label = if optional { "as usual" } else { "Choose …" };
            (String::new(), label.to_owned())
        });
        let known = chosen.is_empty() || options.iter().any(|(value, _)| value == chosen);
        let odd = (!known).then(|| (chosen.to_owned(), chosen.to_owned()));
        let options = open.into_iter().chain(options).chain(odd).map(|(value, label)| {
            let selected = value == chosen;
            view! {
                <option value=value selected=selected>
                    {label}
                </option>
            }
        });
        let options = options.collect::<Vec<_>>();
        view! {
            <div class="field">
                <label for=id.clone()>{field.label.clone()} {needed(field)}</label>
                <select
                    id=id
                    name=name.to_owned()
                    aria-describedby=about(name)
                    aria-invalid=self.invalid(name)
                    autofocus=self.focused(name)
                >
                    {options}
                </select>
                {self.about(field, name)}
            </div>
        }
        .into_any()
    }

    pub(super) fn switch(&self, field: &Field, on: bool, name: &str) -> AnyView {
        view! {
            <div class="field">
                <label class="check">
                    <input
                        id=id_of(name)
                        type="checkbox"
                        name=name.to_owned()
                        checked=on
                        aria-describedby=about(name)
                        aria-invalid=self.invalid(name)
                        autofocus=self.focused(name)
                    />
                    {field.label.clone()}
                </label>
                {self.about(field, name)}
            </div>
        }
        .into_any()
    }

    /// The chosen ones come first, so that their order is kept.
    pub(super) fn several(
        &self,
        field: &Field,
        of: &str,
        values: &[String],
        chosen: &[String],
        name: &str,
    ) -> AnyView {
        let others = values.iter().filter(|value| !chosen.contains(value));
        let boxes = chosen.iter().chain(others).map(|value| {
            view! {
                <label class="check">
                    <input
                        type="checkbox"
                        name=name.to_owned()
                        value=value.clone()
                        checked=chosen.contains(value)
                    />
                    {option(of, value)}
                </label>
            }
        });
        let boxes = boxes.collect::<Vec<_>>();
        view! {
            <fieldset class="field" id=id_of(name) aria-describedby=about(name)>
                <legend>{field.label.clone()}</legend>
                {boxes}
                {self.about(field, name)}
            </fieldset>
        }
        .into_any()
    }
}

fn needed(field: &Field) -> Option<AnyView> {
    let needed = view! { <span class="optional">"needed"</span> };
    field.required.then(|| needed.into_any())
}

/// A number of seconds, as people say it.
fn length(field: &Field, text: &str) -> Option<AnyView> {
    let seconds: u32 = text.parse().ok().filter(|_| field.name.ends_with("_seconds"))?;
    let length = voice::span(Duration::seconds(seconds.into()));
    Some(view! { <span class="optional">{length}</span> }.into_any())
}

/// A word of the format, and what it means.
pub(super) fn option(of: &str, value: &str) -> String {
    match voice::choice(of, value) {
        Some(meaning) => format!("{value}: {meaning}"),
        None => value.to_owned(),
    }
}
