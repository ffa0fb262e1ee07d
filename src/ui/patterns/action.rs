//! Forms that call a server function, with and without WASM.
//!
//! Without it the browser posts the form, the server sends it back to the page it came from, and
//! what went wrong travels in the address, as does which action worked. The action here begins with
//! that.

use leptos::{
    prelude::*,
    server::ServerActionError,
    server_fn::{Http, ServerFn, client::Client, codec::PostUrl, request::ClientReq},
};
use leptos_router::hooks::use_query_map;
use serde::de::DeserializeOwned;

use crate::{
    domain::problem::Problem,
    ui::{
        components::{
            field::{Submit, Trouble},
            notice::Answered,
        },
        path,
    },
};

/// An action, and what the page shows of it.
pub struct Doing<S>
where
    S: ServerFn + 'static,
    S::Output: 'static,
{
    pub action: ServerAction<S>,
    pub trouble: Trouble,
    pub pending: Signal<bool>,
    /// Grows each time the action ends; resources that it changes depend on it.
    pub version: Signal<usize>,
    /// Whether the browser was sent back here because the action had worked.
    pub before: bool,
}

impl<S> Clone for Doing<S>
where
    S: ServerFn + 'static,
    S::Output: 'static,
{
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for Doing<S>
where
    S: ServerFn + 'static,
    S::Output: 'static,
{
}

impl<S> Doing<S>
where
    S: ServerFn<Error = Problem> + Clone + Send + Sync + 'static,
    S::Output: Clone + Send + Sync + 'static,
{
    /// Has to be called while the page is made, not later.
    pub fn new() -> Self {
        use_query_map().with_untracked(|params| {
            if let (Some(path), Some(error)) = (params.get("__path"), params.get("__err")) {
                provide_context(ServerActionError::new(&path, &error));
            }
        });
        let action = ServerAction::<S>::new();
        let value = action.value();
        let pending = action.pending();
        Self {
            action,
            trouble: Trouble::new(
                S::PATH,
                Signal::derive(move || value.with(|value| value.as_ref()?.as_ref().err().cloned())),
            ),
            pending: pending.into(),
            version: action.version().into(),
            before: use_query_map()
                .with_untracked(|params| params.get_str(path::DONE) == Some(S::PATH)),
        }
    }

    /// What it answered, once it worked.
    pub fn answer(&self) -> Signal<Option<S::Output>> {
        let value = self.action.value();
        Signal::derive(move || value.with(|value| value.as_ref()?.as_ref().ok().cloned()))
    }

    /// A sentence to show once it worked.
    pub fn done(&self, text: &'static str) -> Signal<Option<String>> {
        let Self { action, before, .. } = *self;
        let value = action.value();
        Signal::derive(move || {
            let worked = value.with(|value| value.as_ref().map_or(before, |answer| answer.is_ok()));
            worked.then(|| text.to_owned())
        })
    }
}

/// A form that leads to another page: signing in and out change everything on the page.
#[component]
pub fn PlainForm(
    /// The server function's address.
    action: &'static str,
    #[prop(optional, into)] class: &'static str,
    children: Children,
) -> impl IntoView {
    view! {
        <form method="post" action=action class=class>
            {children()}
        </form>
    }
}

/// A form that calls `doing`.
pub fn action_form<S, O>(
    doing: Doing<S>,
    class: &'static str,
    content: impl IntoView + 'static,
) -> AnyView
where
    S: DeserializeOwned
        + ServerFn<Protocol = Http<PostUrl, O>, Error = Problem>
        + Clone
        + Send
        + Sync
        + 'static,
    <<S::Client as Client<Problem>>::Request as ClientReq<Problem>>::FormData:
        From<leptos::web_sys::FormData>,
    S::Output: Clone + Send + Sync + 'static,
    S::Client: Client<Problem>,
{
    let content = content.into_any();
    view! {
        <ActionForm action=doing.action attr:class=class>
            {content}
        </ActionForm>
    }
    .into_any()
}

/// What a form sends that nobody enters.
pub fn hidden(name: &'static str, value: impl ToString) -> AnyView {
    view! { <input type="hidden" name=name value=value.to_string()/> }.into_any()
}

/// A button that calls `doing` with what stands beside it, and says so if that fails.
pub fn button_form<S, O>(
    doing: Doing<S>,
    sent: impl IntoView + 'static,
    label: impl Into<String>,
    weight: &'static str,
) -> AnyView
where
    S: DeserializeOwned
        + ServerFn<Protocol = Http<PostUrl, O>, Error = Problem>
        + Clone
        + Send
        + Sync
        + 'static,
    <<S::Client as Client<Problem>>::Request as ClientReq<Problem>>::FormData:
        From<leptos::web_sys::FormData>,
    S::Output: Clone + Send + Sync + 'static,
    S::Client: Client<Problem>,
{
    let content = view! {
        {sent.into_any()}
        <Submit label=label.into() pending=doing.pending weight=weight/>
        <Answered trouble=doing.trouble/>
    };
    action_form(doing, "form is-inline", content)
}
