//! Writing a profile: anew, from a copy, from what a provider says of itself, or a custom one again.
//!
//! The form posts to its own page, which answers with what was typed and what is wrong about it.

use std::sync::Arc;

use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};

use super::fields::{Sheet, id_of};
use crate::{
    domain::{
        access::Permission,
        problem::{FieldProblem, Problem},
        provider::form::{Content, Editing, Form, Issuer, Part, View},
        voice,
    },
    rpc::{self, Answer},
    ui::{
        components::{
            head::{head, link, section},
            notice::said,
        },
        path,
        patterns::{action::hidden, load::loaded},
    },
};

/// What the page answers to the form that was sent to it.
#[derive(Clone)]
pub struct Posted(Arc<Answer<Editing>>);

impl Posted {
    pub fn new(answer: Answer<Editing>) -> Self {
        Self(Arc::new(answer))
    }
}

#[component]
pub fn New() -> impl IntoView {
    writing(None)
}

#[component]
pub fn Edit() -> impl IntoView {
    let slug = use_params_map().with_untracked(|params| params.get("slug"));
    writing(Some(slug.unwrap_or_default()))
}

/// The page for the custom provider `slug`, or for a new one.
fn writing(slug: Option<String>) -> impl IntoView {
    let (from, view) = use_query_map().with_untracked(|query| {
        let view = path::filled(query, path::VIEW).unwrap_or_default();
        (path::filled(query, path::FROM), View::named(&view))
    });
    let posted = use_context::<Posted>();
    let asked = (slug, from.clone());
    let editing = Resource::new_blocking(
        || (),
        move |()| {
            let (posted, (slug, from)) = (posted.clone(), asked.clone());
            async move {
                match posted {
                    Some(Posted(answer)) => (*answer).clone(),
                    None => rpc::provider::edit(slug, from, view).await,
                }
            }
        },
    );
    loaded(editing, move |editing, may| {
        if may.allows(Permission::ProvidersWrite) {
            page(&editing, from.as_deref())
        } else {
            view! {
                {head(editing.title, Some(("Providers", path::PROVIDERS)), ())}
                <p>"Only admins add and change providers."</p>
            }
            .into_any()
        }
    })
}

fn page(editing: &Editing, from: Option<&str>) -> AnyView {
    let own = editing.of.as_deref().map(path::provider);
    let up = match (&editing.of, &own) {
        (Some(slug), Some(own)) => (slug.as_str(), own.as_str()),
        _ => ("Providers", path::PROVIDERS),
    };
    let anew = editing.of.is_none() && from.is_none() && editing.origin.is_none();
    let warnings = editing.warnings.iter().map(|text| view! { <p>{text.clone()}</p> });
    let warnings = warnings.collect::<Vec<_>>();
    view! {
        {head(editing.title.clone(), Some(up), ())}
        {anew.then(|| {
            section(
                "Find it by its address",
                "For providers that publish their settings",
                look_up(&editing.issuer, issuer_problem(editing)),
            )
        })}
        {editing.origin.clone().map(|origin| view! { <p class="lead">{origin}</p> })}
        {(!warnings.is_empty()).then(|| view! { <div class="warning">{warnings}</div> })}
        {anew.then(|| view! { <h2 class="or">"Or write it"</h2> })}
        {profile(editing, from)}
    }
    .into_any()
}

/// What is wrong with the address that was looked up, and not with the profile.
fn issuer_problem(editing: &Editing) -> Option<&Problem> {
    editing.problem.as_ref().filter(|_| editing.issuer != Issuer::default())
}

fn look_up(issuer: &Issuer, problem: Option<&Problem>) -> AnyView {
    let wrong =
        problem.map(|problem| problem.field("issuer").unwrap_or(&problem.message).to_owned());
    let invalid = wrong.is_some().then_some("true");
    view! {
        <form method="post" action=path::PROVIDER_NEW class="form" data-stay="">
            <div class="field">
                <label for="issuer">"Issuer address"</label>
                <input
                    id="issuer"
                    name="issuer"
                    type="text"
                    inputmode="url"
                    value=issuer.address.clone()
                    required=true
                    placeholder="login.example.com"
                    spellcheck="false"
                    aria-describedby="issuer-about"
                    aria-invalid=invalid
                    autofocus=wrong.is_some()
                />
                <div id="issuer-about" class="about">
                    {wrong.map(|wrong| view! { <p class="wrong">{wrong}</p> })}
                    <p class="help">
                        "The provider publishes where its pages are below this address; Regrant reads them there and fills in the form."
                    </p>
                </div>
            </div>
            <div class="field">
                <label for="issuer-name">
                    "Name" <span class="optional">"optional"</span>
                </label>
                <input
                    id="issuer-name"
                    name="issuer_name"
                    type="text"
                    value=issuer.name.clone()
                    spellcheck="false"
                />
            </div>
            <div class="actions">
                <button type="submit" class="button" name="do" value="discover">
                    "Discover"
                </button>
            </div>
        </form>
    }
    .into_any()
}

/// The form around the profile, whatever it is shown as.
fn profile(editing: &Editing, from: Option<&str>) -> AnyView {
    let Editing { of, view, content, .. } = editing;
    let asked = editing.next.as_deref() == Some(path::VIEW);
    let action = |view: View| path::provider_form(of.as_deref(), from, view);
    let problem = editing.problem.as_ref().filter(|_| issuer_problem(editing).is_none());
    let (trouble, inside) = match content {
        Content::Form(form) => in_parts(form, problem, editing.next.clone()),
        Content::Text(text) => as_text(text, *view, problem),
    };
    let leaving = editing.leaving.then(|| unsaved(&path::provider_left(of.as_deref())));
    view! {
        <form method="post" action=action(*view) class="profile-form" novalidate=true data-stay="">
            // What the return key does.
            <button type="submit" name="do" value="save" hidden=true></button>
            <input type="hidden" name="shown" value=view.as_str()/>
            {editing.origin.clone().map(|origin| hidden("origin", origin))}
            <div class="views" role="group" aria-label="Show the profile as">
                {View::ALL.map(|each| tab(each, each == *view, asked, action(each))).collect_view()}
            </div>
            {leaving}
            {trouble}
            {inside}
            <div class="profile-save">
                <button type="submit" class="button is-primary" name="do" value="save">
                    {if of.is_some() { "Save profile" } else { "Add provider" }}
                </button>
                <button type="submit" class="button" name="do" value="leave">
                    "Leave"
                </button>
            </div>
        </form>
    }
    .into_any()
}

/// Said to whoever wants to leave what is not saved.
fn unsaved(way_out: &str) -> AnyView {
    view! {
        <div class="profile-trouble" role="alert" tabindex="-1" autofocus=true>
            {said(false, voice::unsaved().into())}
            <p>{link(way_out.to_owned(), "button", "Leave without saving")}</p>
        </div>
    }
    .into_any()
}

fn tab(view: View, shown: bool, asked: bool, action: String) -> AnyView {
    let label = match view {
        View::Form => "Form",
        View::Json => "JSON",
        View::Toml => "TOML",
    };
    view! {
        <button
            type="submit"
            class="button"
            name="do"
            value="show"
            formaction=action
            aria-pressed=if shown { "true" } else { "false" }
            autofocus=shown && asked
        >
            {label}
        </button>
    }
    .into_any()
}

fn in_parts(form: &Form, problem: Option<&Problem>, next: Option<String>) -> (AnyView, AnyView) {
    let fields = problem.map(|problem| problem.fields.as_slice()).unwrap_or_default();
    let wrongs = form.wrongs(fields);
    let told = wrongs.iter().map(|(name, message)| {
        let href = format!("#{}", id_of(name));
        view! {
            <li class="wrong">
                <a href=href>
                    <code>{name.to_owned()}</code>
                </a>
                " "
                {message.to_owned()}
            </li>
        }
        .into_any()
    });
    let told = told.chain(elsewhere(&wrongs.elsewhere)).collect::<Vec<_>>();
    let trouble = problem.map(|problem| summary(problem, told)).into_any();
    let sheet = Sheet { wrongs: &wrongs, next, brief: false };
    let parts = form.parts().into_iter().map(|each| part(&sheet, form, each)).collect::<Vec<_>>();
    (trouble, parts.into_any())
}

fn part(sheet: &Sheet<'_>, form: &Form, part: Part) -> AnyView {
    let fields = part.fields.iter().filter_map(|name| Some((name, form.field(name)?)));
    let fields = fields.collect::<Vec<_>>();
    let usual = fields.iter().all(|(_, (field, filled))| field.untouched() == **filled);
    let wrong: usize = part.fields.iter().map(|name| sheet.wrongs.within(name)).sum();
    let open = part.leads || !usual || wrong > 0;
    let views = fields.into_iter().map(|(name, (field, filled))| sheet.field(field, filled, name));
    let mark = match (wrong, usual && !part.leads) {
        (0, true) => Some(view! { <span class="quiet">"as usual"</span> }.into_any()),
        (0, false) => None,
        _ => Some(view! { <span class="wrong">"needs another look"</span> }.into_any()),
    };
    view! {
        <details class="part" id=id_of(part.title) open=open>
            <summary>
                <h2>{part.title}</h2>
                <span class="section-note">{part.note}</span>
                {mark}
            </summary>
            <div class="fields">{views.collect::<Vec<_>>()}</div>
        </details>
    }
    .into_any()
}

fn as_text(text: &str, view: View, problem: Option<&Problem>) -> (AnyView, AnyView) {
    let fields = problem.map(|problem| problem.fields.as_slice()).unwrap_or_default();
    let unread = problem.and_then(|problem| problem.field("text")).map(str::to_owned);
    let others = fields.iter().filter(|field| field.field != "text").cloned().collect::<Vec<_>>();
    let told = elsewhere(&others);
    // The text is long, and what is wrong with it has no place of its own there.
    let whole = unread.clone().map(|why| {
        view! {
            <li class="wrong">
                <a href="#f-text">"The text"</a>
                " "
                {why}
            </li>
        }
        .into_any()
    });
    let told = whole.into_iter().chain(told).collect();
    let trouble = problem.map(|problem| summary(problem, told)).into_any();
    let (label, help) = match view {
        View::Toml => ("Profile (TOML)", "As presets are written. Comments are not kept."),
        _ => ("Profile (JSON)", "As the API takes it. What is left out is as usual."),
    };
    let rows = (text.lines().count() + 2).clamp(16, 48);
    let invalid = problem.is_some().then_some("true");
    let inside = view! {
        <div class="field is-raw">
            <label for="f-text">{label}</label>
            <textarea
                id="f-text"
                class="is-mono"
                name="text"
                rows=rows.to_string()
                spellcheck="false"
                autocomplete="off"
                aria-describedby="f-text-about"
                aria-invalid=invalid
            >
                {text.to_owned()}
            </textarea>
            <div id="f-text-about" class="about">
                {unread.map(|text| view! { <p class="wrong">{text}</p> })}
                <p class="help">{help}</p>
            </div>
        </div>
    };
    (trouble, inside.into_any())
}

/// What is wrong, first as a whole, then one by one.
fn summary(problem: &Problem, told: Vec<AnyView>) -> AnyView {
    let words = match problem.fields.is_empty() {
        true => problem.message.clone(),
        false => voice::see_fields().into(),
    };
    view! {
        <div class="profile-trouble" role="alert" tabindex="-1" autofocus=true>
            {said(false, words)}
            {(!told.is_empty()).then(|| view! { <ul class="lines">{told}</ul> })}
        </div>
    }
    .into_any()
}

/// Problems that no field stands for.
fn elsewhere(problems: &[FieldProblem]) -> impl Iterator<Item = AnyView> {
    problems.iter().map(|problem| {
        view! {
            <li class="wrong">
                <code>{problem.field.clone()}</code>
                " "
                {problem.message.clone()}
            </li>
        }
        .into_any()
    })
}
