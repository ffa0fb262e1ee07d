//! Form fields: a label, the control, a word of help, and what was wrong with it. The browser checks
//! what it can before sending; the server's word stands by the field either way.

use leptos::prelude::*;

use crate::{
    domain::{problem::Problem, voice},
    ui::patterns::typed::Typed,
};

/// The form a field stands in, and its problem if it has one.
#[derive(Clone, Copy)]
pub struct Trouble {
    /// Tells the fields of one form from those of another on the same page.
    pub form: &'static str,
    pub problem: Signal<Option<Problem>>,
    /// The fields that say themselves what is wrong with them.
    fields: StoredValue<Vec<String>>,
    /// What was typed before, where no script kept it.
    typed: StoredValue<Option<Typed>>,
}

impl Trouble {
    pub fn new(form: &'static str, problem: Signal<Option<Problem>>) -> Self {
        let fields = StoredValue::new(Vec::new());
        Self { form, problem, fields, typed: StoredValue::new(Typed::into(form)) }
    }

    /// The problem as a whole, in words. Where fields say all of it, it only points to them.
    pub fn told(self) -> Option<String> {
        let problem = self.problem.get()?;
        let pointed = !problem.fields.is_empty()
            && self.fields.with_value(|fields| {
                problem.fields.iter().all(|wrong| fields.contains(&wrong.field))
            });
        if pointed {
            return Some(voice::see_fields().into());
        }
        let reference = problem.request_id.map(|id| format!(" (reference {id})"));
        Some(format!("{}{}", problem.message, reference.unwrap_or_default()))
    }

    /// What is wrong with a field that says so itself.
    fn watch(self, field: String) -> Memo<Option<String>> {
        self.fields.update_value(|fields| {
            if !fields.contains(&field) {
                fields.push(field.clone());
            }
        });
        Memo::new(move |_| self.of(&field))
    }

    /// Whether there is something to see, so that a folded form has to be open.
    pub fn stands(self) -> bool {
        self.problem.with_untracked(Option::is_some)
    }

    /// What was typed into a field before, else `value`.
    pub fn or_typed(self, name: &str, value: String) -> String {
        let typed = self.typed.with_value(|typed| typed.as_ref()?.get(name).map(ToOwned::to_owned));
        typed.unwrap_or(value)
    }

    /// Whether a box was ticked before; `otherwise` if nothing was sent before.
    pub fn or_ticked(self, name: &str, value: &str, otherwise: bool) -> bool {
        self.typed
            .with_value(|typed| typed.as_ref().map_or(otherwise, |typed| typed.has(name, value)))
    }

    /// What is wrong with one field.
    pub fn of(self, field: &str) -> Option<String> {
        self.problem.with(|problem| Some(problem.as_ref()?.field(field)?.to_owned()))
    }

    fn id_of(self, field: &str) -> String {
        format!("{}-{field}", self.form.trim_matches('/')).replace(['/', '[', ']'], "-")
    }
}

/// One or more lines of text.
#[component]
pub fn Text(
    #[prop(into)] name: String,
    #[prop(into)] label: String,
    trouble: Trouble,
    /// `text` unless said otherwise.
    #[prop(default = "text")]
    kind: &'static str,
    #[prop(optional, into)] value: String,
    #[prop(optional, into)] help: Option<String>,
    #[prop(optional, into)] placeholder: Option<String>,
    #[prop(optional)] required: bool,
    #[prop(optional)] autocomplete: Option<&'static str>,
    #[prop(optional)] minlength: Option<usize>,
    /// More than one line, and then how many.
    #[prop(optional)]
    rows: Option<u32>,
    /// Code rather than prose.
    #[prop(optional)]
    mono: bool,
    /// The name its problem goes by, when that is not the name it is sent under.
    #[prop(optional, into)]
    problem_name: Option<String>,
) -> impl IntoView {
    let id = trouble.id_of(&name);
    let described = format!("{id}-about");
    let problem_name = problem_name.unwrap_or_else(|| name.clone());
    let wrong = trouble.watch(problem_name);
    let invalid = move || wrong.with(Option::is_some).then_some("true");
    let value = if kind == "password" { value } else { trouble.or_typed(&name, value) };
    let class = if mono { "is-mono" } else { "" };
    let control = match rows {
        Some(rows) => view! {
            <textarea
                id=id.clone()
                class=class
                name=name
                rows=rows
                placeholder=placeholder
                required=required
                spellcheck=if mono { "false" } else { "true" }
                aria-describedby=described.clone()
                aria-invalid=invalid
            >
                {value}
            </textarea>
        }
        .into_any(),
        None => view! {
            <input
                id=id.clone()
                class=class
                name=name
                type=kind
                value=value
                placeholder=placeholder
                required=required
                minlength=minlength
                autocomplete=autocomplete
                spellcheck="false"
                aria-describedby=described.clone()
                aria-invalid=invalid
            />
        }
        .into_any(),
    };
    wrap(id, described, label, required, help, wrong, control)
}

/// One of several values.
#[component]
pub fn Choice(
    #[prop(into)] name: String,
    #[prop(into)] label: String,
    trouble: Trouble,
    /// Value and name of each.
    options: Vec<(String, String)>,
    #[prop(optional, into)] value: String,
    #[prop(optional, into)] help: Option<String>,
    #[prop(optional)] required: bool,
    #[prop(optional, into)] problem_name: Option<String>,
) -> impl IntoView {
    let id = trouble.id_of(&name);
    let described = format!("{id}-about");
    let problem_name = problem_name.unwrap_or_else(|| name.clone());
    let wrong = trouble.watch(problem_name);
    let invalid = move || wrong.with(Option::is_some).then_some("true");
    let value = trouble.or_typed(&name, value);
    let control = view! {
        <select
            id=id.clone()
            name=name
            required=required
            aria-describedby=described.clone()
            aria-invalid=invalid
        >
            {options_of(options, &value)}
        </select>
    }
    .into_any();
    wrap(id, described, label, required, help, wrong, control)
}

/// The options of a select, one of them chosen.
pub fn options_of(options: Vec<(String, String)>, chosen: &str) -> Vec<AnyView> {
    options
        .into_iter()
        .map(|(value, name)| {
            let selected = value == chosen;
            view! {
                <option value=value selected=selected prop:selected=selected>
                    {name}
                </option>
            }
            .into_any()
        })
        .collect()
}

/// The button that sends a form; it cannot be pressed twice.
#[component]
pub fn Submit(
    #[prop(into)] label: String,
    #[prop(optional, into)] pending: Option<Signal<bool>>,
    /// `primary`, `grave` or nothing.
    #[prop(optional)]
    weight: &'static str,
) -> impl IntoView {
    let busy = move || pending.is_some_and(|pending| pending.get());
    let class = match weight {
        "primary" => "button is-primary",
        "grave" => "button is-grave",
        _ => "button",
    };
    view! {
        <button type="submit" class=class disabled=busy aria-busy=move || busy().then_some("true")>
            {label}
        </button>
    }
}

fn wrap(
    id: String,
    described: String,
    label: String,
    required: bool,
    help: Option<String>,
    wrong: Memo<Option<String>>,
    control: AnyView,
) -> AnyView {
    view! {
        <div class="field" class:is-wrong=move || wrong.with(Option::is_some)>
            <label for=id>
                {label}
                {(!required).then(|| view! { <span class="optional">"optional"</span> })}
            </label>
            {control}
            <div id=described class="about">
                {move || wrong.get().map(|wrong| view! { <p class="wrong">{wrong}</p> })}
                {help.map(|help| view! { <p class="help">{help}</p> })}
            </div>
        </div>
    }
    .into_any()
}
