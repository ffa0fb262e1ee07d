//! What server functions need of the request: who asks, and ways to answer a browser.

use std::future::Future;

use axum::{
    Extension,
    http::{HeaderValue, header, request::Parts},
};
use leptos::prelude::{expect_context, use_context};
use leptos_axum::ResponseOptions;
use serde::{Serialize, de::DeserializeOwned};
use time::Duration;
use tower_sessions::Session;

use super::{done, session};
use crate::{
    domain::{
        overview::Viewer,
        problem::{Code, Problem},
    },
    server::app::{
        self, Actor, App,
        note::{self, Name},
        session::{Origin, SignedIn},
    },
};

/// The use cases, and who is signed in. Refuses nobody: use cases do.
pub async fn actor() -> Result<(App, Actor), Problem> {
    let Extension(actor) =
        leptos_axum::extract::<Extension<Actor>>().await.map_err(|_| lost("actor"))?;
    Ok((expect_context::<App>(), actor))
}

/// The use cases, and where the request comes from; for what needs no login.
pub async fn anyone() -> Result<(App, Origin), Problem> {
    let parts = use_context::<Parts>().ok_or_else(|| lost("request"))?;
    let origin = parts.extensions.get::<Origin>().cloned().ok_or_else(|| lost("origin"))?;
    Ok((expect_context::<App>(), origin))
}

/// The person signed in, if any.
pub async fn viewer() -> Result<Option<Viewer>, Problem> {
    let (_, actor) = actor().await?;
    Ok(match actor {
        Actor::User { id, email, role } => Some(Viewer { id, email, role }),
        _ => None,
    })
}

/// A page that was given up by its reader while it was made loses what it was made of.
fn lost(what: &'static str) -> Problem {
    tracing::debug!(what, "a page was given up, or a server function found no context");
    app::Error::Internal(anyhow::anyhow!("no {what} in the context")).problem()
}

impl App {
    /// Runs a use case for a browser: its error becomes what the person is told, and what is
    /// internal is logged, once, here.
    pub async fn call<T>(&self, work: impl Future<Output = app::Result<T>>) -> Result<T, Problem> {
        work.await.map_err(|error| {
            let mut problem = error.problem();
            if problem.code == Code::Internal {
                problem.request_id = request_id();
                tracing::error!(error = format!("{error:#}"), "a server function failed");
            }
            problem
        })
    }
}

fn request_id() -> Option<String> {
    request_id_of(&use_context::<Parts>()?)
}

/// By which the log can be searched for a request.
pub fn request_id_of(parts: &Parts) -> Option<String> {
    Some(parts.headers.get("x-request-id")?.to_str().ok()?.to_owned())
}

/// Sends the browser to a path of ours, or to an address that a use case made.
pub fn redirect(to: &str) {
    leptos_axum::redirect(to);
}

/// Says which of the things it can do a function did, where one word for all would not tell.
pub fn did(what: &'static str) {
    if let Some(response) = use_context::<ResponseOptions>() {
        response.insert_header(done::DID, HeaderValue::from_static(what));
    }
}

/// Has the browser leave the page for a path of ours after a while, with or without a script, and keep
/// no copy.
pub fn leave_after(while_shown: Duration, to: &str) {
    let Some(response) = use_context::<ResponseOptions>() else { return };
    let seconds = while_shown.whole_seconds();
    if let Ok(refresh) = HeaderValue::from_str(&format!("{seconds}; url={to}")) {
        response.insert_header(header::REFRESH, refresh);
    }
    response.insert_header(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

/// `next` when it is a path on this site, so that nobody is led elsewhere after signing in.
pub fn local_path(next: Option<&str>, otherwise: &str) -> String {
    next.filter(|path| {
        path.starts_with('/')
            && !path.starts_with("//")
            && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
    })
    .unwrap_or(otherwise)
    .to_owned()
}

async fn current_session() -> Result<Session, Problem> {
    leptos_axum::extract::<Session>().await.map_err(|_| lost("session"))
}

fn unwritable(error: tower_sessions::session::Error) -> Problem {
    tracing::error!(%error, "the session can't be written");
    app::Error::Internal(error.into()).problem()
}

/// Signs the person in, in this browser.
pub async fn begin_session(signed_in: &SignedIn) -> Result<(), Problem> {
    let now = expect_context::<App>().now();
    session::begin(&current_session().await?, signed_in, now).await.map_err(unwritable)
}

/// Signs out.
pub async fn end_session() -> Result<(), Problem> {
    current_session().await?.flush().await.map_err(unwritable)
}

/// Whether a form was sent that a page follows, be it loaded by the browser or by our script.
fn is_plain_form() -> bool {
    use_context::<Parts>().is_some_and(|parts| {
        parts
            .headers
            .get(header::ACCEPT)
            .and_then(|accept| accept.to_str().ok())
            .is_some_and(|accept| accept.contains("text/html"))
    })
}

/// What a form made is shown by the page that follows it, once. It is sealed meanwhile.
pub async fn keep_for_next_page<T: Serialize>(
    app: &App,
    name: Name<'_>,
    value: &T,
) -> Result<(), Problem> {
    if !is_plain_form() {
        return Ok(());
    }
    let (session, (_, actor)) = (current_session().await?, actor().await?);
    let Some(id) = session.id() else { return Err(lost("session")) };
    app.call(async {
        let note = serde_json::to_value(value)?;
        note::put(app, &actor, &id.to_string(), name, &note).await
    })
    .await
}

/// Takes what [`keep_for_next_page`] kept; unreadable by now, it is gone. The page that our script looks at
/// again by itself has no need of it and leaves it to the one that does.
pub async fn take_from_last_page<T: DeserializeOwned>(
    app: &App,
    name: Name<'_>,
) -> Result<Option<T>, Problem> {
    if use_context::<Parts>().is_some_and(|parts| session::is_look(&parts.headers)) {
        return Ok(None);
    }
    let (session, (_, actor)) = (current_session().await?, actor().await?);
    let (Some(id), Actor::User { .. }) = (session.id(), &actor) else { return Ok(None) };
    let note = app.call(note::take(app, &actor, &id.to_string(), name)).await?;
    Ok(note.and_then(|note| serde_json::from_value(note).ok()))
}

#[cfg(test)]
mod tests {
    use super::local_path;

    #[test]
    fn only_paths_of_this_site_are_gone_to_after_signing_in() {
        for (next, goes_to) in [
            ("/connections?q=a", "/connections?q=a"),
            ("//evil.example", "/"),
            ("https://evil.example", "/"),
            ("/\\evil.example", "/"),
            ("/a\r\nset-cookie: x", "/"),
            ("", "/"),
        ] {
            assert_eq!(local_path(Some(next), "/"), goes_to);
        }
        assert_eq!(local_path(None, "/"), "/");
    }
}
