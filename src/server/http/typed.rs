//! What was typed into a form that failed. Our script keeps it on the page; without one it travels in
//! the session, sealed, to the page that says what was wrong. Only what is known to be no secret does. Whoever is not
//! signed in has no session: their browser keeps the e-mail address for them.

use std::{borrow::Cow, collections::HashMap, time::Duration};

use axum::{
    body::{self, Body, HttpBody},
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tower_sessions::Session;
use url::form_urlencoded;

use super::{cookie, done::SENT_BY, session::is_look};
use crate::{
    server::app::{
        Actor, App,
        note::{self, Name},
    },
    ui::Typed,
};

/// Longer than what people type. What is longer was pasted and can be pasted again.
const LIMIT: u64 = 16 * 1024;
/// The one field that a browser keeps, its cookie, and for how long.
const EMAIL: &str = "email";
const COOKIE: &str = "regrant-typed";
const REMEMBERED: Duration = Duration::from_mins(1);
/// No longer address can be written to (RFC 5321, section 4.5.3.1).
const LONGEST: usize = 254;
/// The fields that hold no secret. What is not named here is typed anew.
const KEPT: &[&str] = &[
    "answers",
    "audience",
    "client_id",
    "client_scopes",
    "color",
    "contact",
    "content_type",
    "email",
    "external_id",
    "issuer",
    "label",
    "name",
    "oauth_client_id",
    "obtained_at",
    "provider",
    "resource",
    "revoke",
    "role",
    "scopes",
    "scopes[]",
    "slug",
    "status",
    "subject_token_type",
    "tag",
    "tags",
];

/// Whether what stands in a field may be kept: variables go into addresses, which are no secret.
pub(crate) fn may_be_kept(name: &str) -> bool {
    KEPT.contains(&name) || name.starts_with("variables[")
}

/// Keeps what was typed when a form fails, and hands it to the page that follows.
pub async fn carry(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let session = request.extensions().get::<Session>().cloned();
    let actor = request.extensions().get::<Actor>().cloned();
    let keeper = match (session, actor) {
        (Some(session), Some(actor @ Actor::User { .. })) => Keeper::Session(session, actor),
        _ => Keeper::Browser,
    };
    if request.method() == Method::GET {
        let form = request.uri().query().and_then(failed);
        let Some(form) = form.filter(|_| !is_look(request.headers())) else {
            return next.run(request).await;
        };
        let typed = match &keeper {
            Keeper::Session(session, actor) => take(&app, session, actor, &form).await,
            Keeper::Browser => remembered(request.headers(), &form),
        };
        let is_remembered = typed.is_some() && matches!(keeper, Keeper::Browser);
        if let Some(typed) = typed {
            request.extensions_mut().insert(typed);
        }
        let mut response = next.run(request).await;
        if is_remembered {
            cookie::set(&mut response, &app, COOKIE, "", "/", Duration::ZERO);
        }
        return response;
    }
    if !is_kept(&request) {
        return next.run(request).await;
    }
    let form = request.uri().path().to_owned();
    let (parts, body) = request.into_parts();
    let Ok(sent) = body::to_bytes(body, usize::MAX).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let request = Request::from_parts(parts, Body::from(sent.clone()));
    let mut response = next.run(request).await;
    let location = response.headers().get(header::LOCATION).and_then(|to| to.to_str().ok());
    if location.and_then(|to| to.split_once('?')).is_some_and(|(_, query)| failed(query).is_some())
    {
        let pairs = form_urlencoded::parse(&sent).into_owned();
        let pairs = pairs.filter(|(name, _)| may_be_kept(name));
        match keeper {
            Keeper::Session(session, actor) => {
                let typed = Typed::new(form.clone(), pairs.collect());
                keep(&app, &session, &actor, &form, &typed).await;
            }
            Keeper::Browser => {
                if let Some(email) = pairs.into_iter().find_map(address) {
                    let email: String = form_urlencoded::byte_serialize(email.as_bytes()).collect();
                    cookie::set(&mut response, &app, COOKIE, &email, "/", REMEMBERED);
                }
            }
        }
    }
    response
}

/// Who keeps what was typed.
enum Keeper {
    /// The session of whoever is signed in.
    Session(Session, Actor),
    /// The browser of anybody else.
    Browser,
}

/// What stands in a field, if it looks like an e-mail address: anything else may be a password in the wrong place.
fn address((name, value): (String, String)) -> Option<String> {
    let looks_so = value.split_once('@').is_some_and(|(person, host)| {
        !person.is_empty() && host.contains('.') && !host.contains('@')
    });
    let is_plain = !value.contains(|c: char| c.is_whitespace() || c.is_control());
    (name == EMAIL && looks_so && is_plain && value.len() <= LONGEST).then_some(value)
}

/// What the browser of somebody who is not signed in has kept.
fn remembered(headers: &HeaderMap, form: &str) -> Option<Typed> {
    let kept = cookie::named(headers, COOKIE)?;
    let (email, _) = form_urlencoded::parse(kept.as_bytes()).into_owned().next()?;
    let pair = (EMAIL.to_owned(), email);
    address(pair.clone()).map(|_| Typed::new(form.to_owned(), vec![pair]))
}

/// Which form a query says that failed.
fn failed(query: &str) -> Option<String> {
    let mut pairs: HashMap<_, _> = form_urlencoded::parse(query.as_bytes()).collect();
    pairs.remove("__err").and_then(|_| pairs.remove("__path")).map(Cow::into_owned)
}

/// Whether a browser sent a form by itself, and one that is not long.
fn is_kept(request: &Request) -> bool {
    let text = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let form = text(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    let length = request.body().size_hint().upper();
    form && request.uri().path().starts_with("/rpc/")
        && !request.headers().contains_key(SENT_BY)
        && length.is_some_and(|length| length <= LIMIT)
}

/// Losing what was typed is no reason to fail; it is only logged.
async fn keep(app: &App, session: &Session, actor: &Actor, form: &str, typed: &Typed) {
    let Some(id) = session.id() else { return };
    let kept = async {
        let note = serde_json::to_value(typed)?;
        note::put(app, actor, &id.to_string(), Name::any(&kind(form)), &note).await
    };
    if let Err(error) = kept.await {
        let error = format!("{error:#}");
        tracing::warn!(error, "what was typed into a form can't be kept");
    }
}

async fn take(app: &App, session: &Session, actor: &Actor, form: &str) -> Option<Typed> {
    let id = session.id()?.to_string();
    let note = note::take(app, actor, &id, Name::any(&kind(form))).await.ok()??;
    serde_json::from_value(note).ok()
}

/// What was typed into one form says nothing to another that failed beside it.
fn kind(form: &str) -> String {
    format!("typed {form}")
}
