//! Showing what the server answered. The page waits for it on the server, so that it is whole
//! without a script; in the browser the old content stays until the new is there.
//!
//! What is shown stands in no closure: Leptos goes through what waits once more when all is there, and a
//! closure would make the page anew for that.

use leptos::prelude::*;
use leptos_router::{components::Redirect, hooks::use_location};

use crate::{
    domain::{
        access::Permission,
        overview::Viewer,
        problem::{Code, Problem},
        voice,
    },
    rpc::Answer,
    ui::{
        components::{
            head::{head, link},
            status::answer_with,
        },
        path::{self, Unread},
    },
};

/// Who is signed in, asked once and shared by all pages.
#[derive(Clone, Copy)]
pub struct Session(pub Resource<Answer<Option<Viewer>>>);

impl Session {
    pub fn provide() -> Self {
        let session = Self(Resource::new_blocking(|| (), |()| crate::rpc::session::current()));
        provide_context(session);
        session
    }
}

/// What the viewer's role lets them see. The server decides on its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct May(pub Viewer);

impl May {
    pub fn allows(&self, permission: Permission) -> bool {
        self.0.role.allows(permission)
    }
}

/// Shows what `resource` holds, for whoever is signed in.
pub fn loaded<T, V>(
    resource: Resource<Answer<T>>,
    show: impl FnOnce(T, May) -> V + Send + 'static,
) -> impl IntoView
where
    T: Clone + Send + Sync + serde::Serialize + serde::de::DeserializeOwned + 'static,
    V: IntoView + 'static,
{
    let session = expect_context::<Session>();
    view! {
        <Transition fallback=waiting>
            {Suspend::new(async move {
                match (resource.await, session.0.await) {
                    (Ok(value), Ok(Some(viewer))) => show(value, May(viewer)).into_any(),
                    (Err(problem), _) | (_, Err(problem)) => trouble(problem),
                    (Ok(_), Ok(None)) => to_login(),
                }
            })}
        </Transition>
    }
}

/// The same for a page that needs no login.
pub fn loaded_for_anyone<T, V>(
    resource: Resource<Answer<T>>,
    show: impl FnOnce(T) -> V + Send + 'static,
) -> impl IntoView
where
    T: Clone + Send + Sync + serde::Serialize + serde::de::DeserializeOwned + 'static,
    V: IntoView + 'static,
{
    view! {
        <Transition fallback=waiting>
            {Suspend::new(async move {
                match resource.await {
                    Ok(value) => show(value).into_any(),
                    Err(problem) => trouble(problem),
                }
            })}
        </Transition>
    }
}

fn waiting() -> impl IntoView {
    view! { <p class="waiting">"One moment …"</p> }
}

/// Off to the login page, and back here after it.
pub fn to_login() -> AnyView {
    let location = use_location();
    let here = location.pathname.get_untracked();
    let search = location.search.get_untracked();
    let here = match search.trim_start_matches('?') {
        "" => here,
        search => format!("{here}?{search}"),
    };
    view! { <Redirect path=path::login(&here)/> }.into_any()
}

/// A page that could not be shown, and why.
pub fn trouble(problem: Problem) -> AnyView {
    let (status, title) = match problem.code {
        Code::Unauthenticated => return to_login(),
        Code::Forbidden => (403, "Not for your role"),
        Code::NotFound => (404, "Not here"),
        Code::Invalid | Code::Conflict | Code::ReauthRequired => (400, "That can't be shown"),
        Code::RateLimited => (429, "Too fast"),
        Code::ProviderUnavailable => (502, "The provider does not answer"),
        Code::Unavailable => (503, "Not just now"),
        Code::Internal => (500, "Something went wrong"),
    };
    answer_with(status);
    view! {
        {head(title, None, ())}
        <div class="stack">
            <p>{problem.message}</p>
            {problem
                .request_id
                .map(|id| view! { <p class="help">"Reference for the log: " <code>{id}</code></p> })}
            <p class="actions">
                {link(path::HOME, "button", "To the overview")}
            </p>
        </div>
    }
    .into_any()
}

/// An answer for an address that asks for what there is not.
pub fn unread<T>(unread: &Unread) -> Answer<T> {
    let (title, text) = voice::unread(unread.name, &unread.value);
    Err(Problem {
        code: Code::Invalid,
        message: format!("{title}. {text}"),
        fields: Vec::new(),
        request_id: None,
    })
}

/// An answer for what an address names but does not exist.
pub fn missing<T>(noun: &str) -> Answer<T> {
    Err(Problem {
        code: Code::NotFound,
        message: format!("There is no such {noun}. It may have been deleted."),
        fields: Vec::new(),
        request_id: None,
    })
}
