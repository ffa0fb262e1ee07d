//! A profile that somebody writes: shown as a form or as text, changed step by step, saved at last.
//! Nothing of it is kept on the way; what was typed travels with each step.

use std::sync::Arc;

use serde_json::json;

use super::{create, discover_named, get, load, refuse_preset, schema, update, whole};
use crate::{
    domain::{
        access::Permission,
        problem::{FieldProblem, Problem},
        provider::{
            FieldError, Profile,
            form::{Change, Content, Editing, Form, Issuer, View},
        },
        voice,
    },
    server::{
        app::{Actor, App, Error, Result, explain::Reading},
        store,
    },
};

/// What has the focus after the profile is shown in another way: the switch itself.
const SWITCH: &str = "as";

/// What a step led to.
pub enum Step {
    /// The provider of this slug is as it was written.
    Saved(String),
    /// Nothing was changed, and nothing is.
    Left,
    /// There is more to do.
    Open(Box<Editing>),
}

/// What a browser sent: the button's name for what is to be done, how the profile was shown, and
/// all that stood there.
struct Sent<'a> {
    pairs: &'a [(String, String)],
    of: Option<&'a str>,
    /// What it was copied from.
    from: Option<&'a str>,
    /// How it is to be shown next.
    view: View,
}

/// Begins with the custom provider `of`, else with a copy of `from`, else with nothing.
pub async fn begin(
    app: &App,
    actor: &Actor,
    of: Option<&str>,
    from: Option<&str>,
    view: View,
) -> Result<Editing> {
    let (profile, origin) = beginning(app, actor, of, from).await?;
    let content = show(&profile, view)?;
    let mut editing = open(app, actor, of, view, content).await?;
    editing.origin = origin;
    Ok(editing)
}

/// What stands there at first, and where it came from.
async fn beginning(
    app: &App,
    actor: &Actor,
    of: Option<&str>,
    from: Option<&str>,
) -> Result<(Profile, Option<String>)> {
    actor.require(Permission::ProvidersRead)?;
    Ok(match (of, from) {
        (Some(slug), _) => (changeable(app, actor, slug).await?, None),
        (None, Some(slug)) => {
            let mut profile = get(app, actor, slug).await?.profile;
            let origin = format!("A copy of {}. Nothing is kept until you add it.", profile.name);
            profile.slug = format!("{}-copy", profile.slug);
            profile.name = format!("{} (copy)", profile.name);
            (profile, Some(origin))
        }
        (None, None) => (Profile::new("my-provider", "My provider"), None),
    })
}

/// Does what a button asked for, with what stood on the page.
pub async fn step(
    app: &App,
    actor: &Actor,
    of: Option<&str>,
    from: Option<&str>,
    view: View,
    pairs: &[(String, String)],
) -> Result<Step> {
    actor.require(Permission::ProvidersWrite)?;
    let sent = Sent { pairs, of, from, view };
    let editing = match sent.text("do") {
        "discover" => look_up(app, actor, &sent).await?,
        "show" => show_otherwise(app, actor, &sent).await?,
        "save" => return save(app, actor, &sent).await,
        "leave" => return leave(app, actor, &sent).await,
        other => change(app, actor, &sent, Change::parse(other)).await?,
    };
    Ok(Step::Open(Box::new(sent.of_origin(editing))))
}

impl Sent<'_> {
    fn text(&self, name: &str) -> &str {
        let pair = self.pairs.iter().find(|(each, _)| each == name);
        pair.map(|(_, text)| text.as_str()).unwrap_or_default()
    }

    /// Where the draft came from is still known at later steps.
    fn of_origin(&self, mut editing: Editing) -> Editing {
        let known = Some(self.text("origin").to_owned()).filter(|origin| !origin.is_empty());
        editing.origin = editing.origin.or(known);
        editing
    }

    /// How the profile was shown.
    fn shown(&self) -> View {
        View::named(self.text("shown"))
    }

    /// What stood there, as it was typed.
    fn content(&self) -> Content {
        match self.shown() {
            View::Form => Content::Form(Box::new(Form::read(&schema::profile(), self.pairs))),
            View::Json | View::Toml => Content::Text(self.text("text").replace("\r\n", "\n")),
        }
    }

    fn profile(&self) -> Result<Reading<Profile>> {
        read(self.shown(), &self.content())
    }
}

async fn save(app: &App, actor: &Actor, sent: &Sent<'_>) -> Result<Step> {
    let saved = async {
        let profile = whole(app, actor, sent.profile()?, sent.of).await?;
        match sent.of {
            Some(slug) => update(app, actor, slug, profile).await,
            None => create(app, actor, profile).await,
        }
    };
    match saved.await {
        Ok(entry) => Ok(Step::Saved(entry.profile.slug)),
        Err(error) => {
            let editing = refused(app, actor, sent, error).await?;
            Ok(Step::Open(Box::new(sent.of_origin(editing))))
        }
    }
}

/// Leaves, unless that would lose what was typed: then it is shown again, with the way out beside it.
async fn leave(app: &App, actor: &Actor, sent: &Sent<'_>) -> Result<Step> {
    let (before, _) = beginning(app, actor, sent.of, sent.from).await?;
    let now = sent.profile().and_then(|read| read.whole().map_err(Error::Invalid));
    if now.is_ok_and(|now| now == before) {
        return Ok(Step::Left);
    }
    let mut editing = open(app, actor, sent.of, sent.shown(), sent.content()).await?;
    editing.leaving = true;
    Ok(Step::Open(Box::new(sent.of_origin(editing))))
}

/// The other way to see the same. What can't be read stays as it was shown.
async fn show_otherwise(app: &App, actor: &Actor, sent: &Sent<'_>) -> Result<Editing> {
    let profile = sent.profile().and_then(|read| read.whole().map_err(Error::Invalid));
    match profile.and_then(|profile| show(&profile, sent.view)) {
        Ok(content) => {
            let mut editing = open(app, actor, sent.of, sent.view, content).await?;
            editing.next = Some(SWITCH.into());
            Ok(editing)
        }
        Err(error) => refused(app, actor, sent, error).await,
    }
}

async fn change(
    app: &App,
    actor: &Actor,
    sent: &Sent<'_>,
    change: Option<Change>,
) -> Result<Editing> {
    let mut content = sent.content();
    let next = match (&mut content, change) {
        (Content::Form(form), Some(change)) => form.change(&change),
        _ => None,
    };
    let mut editing = open(app, actor, sent.of, sent.shown(), content).await?;
    editing.next = next;
    Ok(editing)
}

async fn look_up(app: &App, actor: &Actor, sent: &Sent<'_>) -> Result<Editing> {
    let issuer =
        Issuer { address: sent.text("issuer").into(), name: sent.text("issuer_name").into() };
    match discover_named(app, actor, &issuer.address, &issuer.name).await {
        Ok(profile) => {
            let content = show(&profile, sent.view)?;
            let mut editing = open(app, actor, None, sent.view, content).await?;
            let said = format!("Read from {}. Nothing is kept until you add it.", issuer.address);
            editing.origin = Some(said);
            Ok(editing)
        }
        Err(error) => {
            let problem = tellable(error)?;
            let mut editing = begin(app, actor, None, None, sent.view).await?;
            editing.problem = Some(problem);
            editing.issuer = issuer;
            Ok(editing)
        }
    }
}

/// What stood there, with what is wrong about it.
async fn refused(app: &App, actor: &Actor, sent: &Sent<'_>, error: Error) -> Result<Editing> {
    let problem = tellable(error)?;
    let mut editing = open(app, actor, sent.of, sent.shown(), sent.content()).await?;
    editing.problem = Some(problem);
    Ok(editing)
}

/// What is told on the page; anything else becomes of the whole page.
fn tellable(error: Error) -> Result<Problem> {
    match error {
        Error::Invalid(_) | Error::Conflict(_) | Error::ProviderUnavailable { .. } => {
            Ok(error.problem())
        }
        other => Err(other),
    }
}

async fn open(
    app: &App,
    actor: &Actor,
    of: Option<&str>,
    view: View,
    content: Content,
) -> Result<Editing> {
    let mut editing = Editing {
        of: None,
        title: "Add a provider".into(),
        view,
        content,
        leaving: false,
        warnings: Vec::new(),
        origin: None,
        problem: None,
        next: None,
        issuer: Issuer::default(),
    };
    if let Some(slug) = of {
        let entry = get(app, actor, slug).await?;
        let mut conn = app.pool().acquire().await?;
        let holders = store::client::names_with_secrets(&mut conn, slug).await?;
        let ends = entry.profile.policy.replacing_secret_revokes_grants;
        editing.warnings = voice::profile_in_use(entry.clients, &holders, ends);
        editing.title = format!("Edit {}", entry.profile.name);
        editing.of = Some(slug.to_owned());
    }
    Ok(editing)
}

async fn changeable(app: &App, actor: &Actor, slug: &str) -> Result<Profile> {
    refuse_preset(app, slug)?;
    actor.require(Permission::ProvidersRead)?;
    let mut conn = app.pool().acquire().await?;
    load(app, &mut conn, slug).await.map(Arc::unwrap_or_clone)
}

fn show(profile: &Profile, view: View) -> Result<Content> {
    Ok(match view {
        View::Form => Content::Form(Box::new(Form::fill(&schema::profile(), &json!(profile)))),
        View::Json => Content::Text(serde_json::to_string_pretty(profile)?),
        View::Toml => Content::Text(
            toml::to_string_pretty(profile)
                .map_err(|error| Error::invalid("", format!("TOML can't hold this: {error}")))?,
        ),
    })
}

/// The profile that was meant, or what keeps it from being any, field by field.
fn read(view: View, content: &Content) -> Result<Reading<Profile>> {
    match content {
        Content::Form(form) => {
            let (value, errors) = form.value();
            let told = |error: FieldError| FieldProblem::new(error.field, error.message);
            Ok(Reading::of(value, errors.into_iter().map(told).collect()))
        }
        Content::Text(text) if view == View::Toml => {
            let table: toml::Table = toml::from_str(text).map_err(|error| {
                let before = error.span().map_or("", |span| text.get(..span.start).unwrap_or(""));
                let line = before.matches('\n').count() + 1;
                let why = format!("is no TOML: {} at line {line}", error.message());
                Error::invalid("text", why)
            })?;
            Ok(Reading::of(serde_json::to_value(table)?, Vec::new()))
        }
        Content::Text(text) => {
            let value: serde_json::Value = serde_json::from_str(text)
                .map_err(|error| Error::invalid("text", format!("is no JSON: {error}")))?;
            Ok(Reading::of(value, Vec::new()))
        }
    }
}

#[cfg(test)]
mod tests;
