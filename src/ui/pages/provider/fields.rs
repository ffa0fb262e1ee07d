//! The controls of a generated form. Each kind of field has its control: those of one value are in
//! [`control`], those that hold other fields are here; which fields there are is the schema's matter. Rows
//! come and go by buttons that send the form, so no script is needed.

mod control;

use leptos::prelude::*;

use self::control::option;
use crate::domain::provider::form::{Change, Field, Filled, Kind, Wrongs, join, mark, row};

/// What the controls have to know besides their fields.
pub struct Sheet<'a> {
    pub wrongs: &'a Wrongs,
    /// The control that has the focus.
    pub next: Option<String>,
    /// Whether fields are told without their help, because it stands above already.
    pub brief: bool,
}

/// The id of a field's control.
pub fn id_of(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
    format!("f-{}", name.chars().map(plain).collect::<String>())
}

impl Sheet<'_> {
    /// A field with everything in it.
    pub fn field(&self, field: &Field, filled: &Filled, name: &str) -> AnyView {
        match (&field.kind, filled) {
            (Kind::Switch, Filled::Switch(on)) => self.switch(field, *on, name),
            (Kind::Several { of, values }, Filled::Several(chosen)) => {
                self.several(field, of, values, chosen, name)
            }
            (Kind::Rows(item), Filled::Rows(rows)) => {
                let shown = rows
                    .iter()
                    .enumerate()
                    .map(|(at, filled)| self.row(item, filled, &row(name, at), at));
                let shown = shown.collect();
                self.list(field, name, &item.label, shown)
            }
            (Kind::Named(item), Filled::Named(rows)) => {
                let shown = rows
                    .iter()
                    .enumerate()
                    .map(|(at, (key, filled))| self.named_row(item, key, filled, &row(name, at)));
                let shown = shown.collect();
                self.list(field, name, "entry", shown)
            }
            (Kind::Group(_), Filled::Group(_)) => self.group(field, filled, name),
            (Kind::Perhaps(inner), Filled::Perhaps(filled)) => {
                self.perhaps(field, inner, filled.as_deref(), name)
            }
            (Kind::Choice { of, values, optional }, _) => {
                let named = |value: &String| (value.clone(), option(of, value));
                self.choice(field, values.iter().map(named).collect(), *optional, filled, name)
            }
            (Kind::Verdict, _) => {
                let options = [("true", "yes"), ("false", "no")];
                let options = options.map(|(value, name)| (value.to_owned(), name.to_owned()));
                self.choice(field, options.to_vec(), true, filled, name)
            }
            _ => self.text(field, filled.text(), name),
        }
    }

    fn list(&self, field: &Field, name: &str, item: &str, rows: Vec<AnyView>) -> AnyView {
        let add = Change::Add(name.to_owned());
        let label = format!("Add {}", with_article(&item.to_lowercase()));
        view! {
            <fieldset class="field rows" id=id_of(name) aria-describedby=about(name)>
                <legend>{field.label.clone()}</legend>
                {self.about(field, name)}
                {rows}
                {self.button(&add, label, format!(" to {}", field.label), self.focused(name))}
            </fieldset>
        }
        .into_any()
    }

    fn row(&self, item: &Field, filled: &Filled, name: &str, at: usize) -> AnyView {
        let title = format!("{} {}", item.label, at + 1);
        let (inside, small) = match &item.kind {
            Kind::Group(fields) => {
                let small = fields.len() <= 3 && !fields.iter().any(|field| field.kind.is_list());
                let sheet = self.going_into(name, fields, small && at > 0);
                (sheet.fields(fields, filled, name), small)
            }
            _ => (self.field(item, filled, name), true),
        };
        let raise = (at > 0).then(|| {
            let raise = Change::Raise(name.to_owned());
            self.button(&raise, "Move up".into(), format!(" {title}"), false)
        });
        let class = if small { "row is-small" } else { "row" };
        view! {
            <fieldset class=class id=id_of(name) aria-describedby=about(name)>
                <legend>{title.clone()}</legend>
                <input type="hidden" name=mark(name) value="on"/>
                <div class="actions">{raise} {self.take_away(name.to_owned(), &title)}</div>
                <div id=about(name) class="about">
                    {self.wrong(name)}
                </div>
                <div class="fields">{inside}</div>
            </fieldset>
        }
        .into_any()
    }

    fn named_row(&self, item: &Field, key: &str, filled: &Filled, name: &str) -> AnyView {
        let id = id_of(name);
        let value = join(name, &item.name);
        let title = if key.is_empty() { "the new entry" } else { key };
        let control = view! {
            <div class="field">
                <label for=id.clone()>"Name"</label>
                <input
                    id=id
                    type="text"
                    name=name.to_owned()
                    value=key.to_owned()
                    spellcheck="false"
                    autocomplete="off"
                    aria-describedby=about(name)
                    aria-invalid=self.invalid(name)
                    autofocus=self.focused(name)
                />
            </div>
        };
        let (inside, class) = match &item.kind {
            Kind::Group(fields) => (self.fields(fields, filled, &value), "row is-small is-named"),
            _ => (self.field(item, filled, &value), "row is-small is-named is-pair"),
        };
        view! {
            <fieldset class=class>
                <legend>{title.to_owned()}</legend>
                <div class="actions">{self.take_away(name.to_owned(), title)}</div>
                <div id=about(name) class="about">
                    {self.wrong(name)}
                </div>
                <div class="fields">{control} {inside}</div>
            </fieldset>
        }
        .into_any()
    }

    fn perhaps(&self, field: &Field, inner: &Kind, filled: Option<&Filled>, name: &str) -> AnyView {
        let inside = match filled {
            None => {
                let add = Change::Add(name.to_owned());
                let aside = format!(" for {}", field.label);
                self.button(&add, "Say otherwise".into(), aside, self.focused(name))
            }
            Some(filled) => {
                let field = Field { kind: inner.clone(), ..field.clone() };
                let inside = match &field.kind {
                    Kind::Group(fields) => {
                        self.going_into(&mark(name), fields, false).fields(fields, filled, name)
                    }
                    _ => self.field(&field, filled, name),
                };
                view! {
                    <input type="hidden" name=mark(name) value="on"/>
                    <div class="fields">{inside}</div>
                    <div class="actions">{self.take_away(mark(name), &field.label)}</div>
                }
                .into_any()
            }
        };
        view! {
            <fieldset class="field rows" id=id_of(name) aria-describedby=about(name)>
                <legend>{field.label.clone()}</legend>
                {self.about(field, name)}
                {inside}
            </fieldset>
        }
        .into_any()
    }

    /// A group inside a part: folded while nothing in it differs from what is usual.
    fn group(&self, field: &Field, filled: &Filled, name: &str) -> AnyView {
        let Kind::Group(fields) = &field.kind else { return ().into_any() };
        let usual = *filled == field.untouched();
        let open = !usual || self.wrongs.within(name) > 0;
        view! {
            <details class="inset" id=format!("{}-fold", id_of(name)) open=open>
                <summary>
                    {field.label.clone()} {usual.then(|| view! { <span class="quiet">" as usual"</span> })}
                </summary>
                <fieldset id=id_of(name) aria-describedby=about(name)>
                    <legend class="unseen">{field.label.clone()}</legend>
                    {self.about(field, name)}
                    <div class="fields">{self.fields(fields, filled, name)}</div>
                </fieldset>
            </details>
        }
        .into_any()
    }

    fn fields(&self, fields: &[Field], filled: &Filled, name: &str) -> AnyView {
        let Filled::Group(inside) = filled else { return ().into_any() };
        let inside = fields.iter().zip(inside);
        let views =
            inside.map(|(field, filled)| self.field(field, filled, &join(name, &field.name)));
        views.collect::<Vec<_>>().into_any()
    }

    /// The same sheet; who was to go on at `name` goes on at the first of its fields.
    fn going_into(&self, name: &str, fields: &[Field], brief: bool) -> Sheet<'_> {
        let next = match (&self.next, fields.first()) {
            (Some(next), Some(first)) if next == name => {
                Some(join(name.trim_end_matches('?'), &first.name))
            }
            (next, _) => next.clone(),
        };
        Sheet { wrongs: self.wrongs, next, brief }
    }

    fn take_away(&self, name: String, title: &str) -> AnyView {
        self.button(&Change::Remove(name), "Take away".into(), format!(" {title}"), false)
    }

    /// A button that sends the form to have a row more or less. `aside` tells those who do not see
    /// where it stands.
    fn button(&self, change: &Change, label: String, aside: String, focused: bool) -> AnyView {
        view! {
            <button
                type="submit"
                class="button is-small"
                name="do"
                value=change.to_string()
                autofocus=focused
            >
                {label}
                <span class="unseen">{aside}</span>
            </button>
        }
        .into_any()
    }

    fn about(&self, field: &Field, name: &str) -> AnyView {
        let lines = matches!(field.kind, Kind::Lines).then_some(" One a line.");
        let help = format!("{}{}", field.help, lines.unwrap_or_default());
        let help = (!self.brief && !help.is_empty()).then(|| {
            view! { <p class="help">{prose(help.trim())}</p> }
        });
        view! {
            <div id=about(name) class="about">
                {self.wrong(name)} {help}
            </div>
        }
        .into_any()
    }

    fn wrong(&self, name: &str) -> Vec<AnyView> {
        let told = self.wrongs.of(name).iter();
        told.map(|text| view! { <p class="wrong">{text.clone()}</p> }.into_any()).collect()
    }

    fn invalid(&self, name: &str) -> Option<&'static str> {
        (!self.wrongs.of(name).is_empty()).then_some("true")
    }

    fn focused(&self, name: &str) -> bool {
        self.next.as_deref() == Some(name)
    }
}

fn about(name: &str) -> String {
    format!("{}-about", id_of(name))
}

fn with_article(noun: &str) -> String {
    let article = if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {noun}")
}

/// Text with code in it, as comments in code write it.
fn prose(text: &str) -> Vec<AnyView> {
    let parts = text.split('`').enumerate();
    let part = |(at, part): (usize, &str)| {
        let part = part.to_owned();
        if at % 2 == 1 { view! { <code>{part}</code> }.into_any() } else { part.into_any() }
    };
    parts.map(part).collect()
}
