//! The interface: what the server renders and the browser takes over. It asks `rpc`, shows `domain`
//! and holds no rule of its own.

mod components;
mod layout;
mod pages;
pub mod path;
mod patterns;
mod shell;

use leptos::prelude::*;
use leptos_meta::{Title, provide_meta_context};
use leptos_router::{
    SsrMode,
    components::{ParentRoute, Route, Router, Routes},
    path as at,
};

pub use pages::provider::Posted;
pub use patterns::{typed::Typed, visit::Visit};
pub use shell::{Assets, shell};

use layout::Frame;
use pages::{
    api_key, audit, client, connection, job, missing, overview, profile, provider, relink, session,
    settings, user,
};
use patterns::load::Session;

/// The whole interface. Every page waits for its data on the server, so that it is whole without a
/// script.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    Session::provide();
    view! {
        <Title formatter=|title: String| {
            if title.is_empty() { "Regrant".to_owned() } else { format!("{title} · Regrant") }
        }/>
        <Router>
            <Routes fallback=missing::Page>
                <Route path=at!("/login") view=session::Login ssr=SsrMode::Async/>
                <Route path=at!("/setup/:token") view=session::Setup ssr=SsrMode::Async/>
                <Route path=at!("/relink/outcome/:kind") view=relink::Outcome ssr=SsrMode::Async/>
                <Route path=at!("/relink/:token") view=relink::Invitation ssr=SsrMode::Async/>
                <ParentRoute path=at!("") view=Frame ssr=SsrMode::Async>
                    <Route path=at!("/") view=overview::Page ssr=SsrMode::Async/>
                    <Route path=at!("/connections") view=connection::List ssr=SsrMode::Async/>
                    <Route path=at!("/connections/new") view=connection::New ssr=SsrMode::Async/>
                    <Route path=at!("/connections/import") view=connection::ForImport ssr=SsrMode::Async/>
                    <Route path=at!("/connections/:id") view=connection::Detail ssr=SsrMode::Async/>
                    <Route path=at!("/connections/:id/token") view=connection::Revealed ssr=SsrMode::Async/>
                    <Route path=at!("/jobs") view=job::List ssr=SsrMode::Async/>
                    <Route path=at!("/jobs/new") view=job::New ssr=SsrMode::Async/>
                    <Route path=at!("/jobs/:id") view=job::Detail ssr=SsrMode::Async/>
                    <Route path=at!("/relinks") view=relink::Desk ssr=SsrMode::Async/>
                    <Route path=at!("/relinks/many") view=relink::Many ssr=SsrMode::Async/>
                    <Route path=at!("/relinks/:id") view=relink::Watch ssr=SsrMode::Async/>
                    <Route path=at!("/clients") view=client::List ssr=SsrMode::Async/>
                    <Route path=at!("/clients/new") view=client::New ssr=SsrMode::Async/>
                    <Route path=at!("/clients/:id") view=client::Detail ssr=SsrMode::Async/>
                    <Route path=at!("/clients/:id/import") view=client::Import ssr=SsrMode::Async/>
                    <Route path=at!("/clients/:id/dry-run") view=client::DryRun ssr=SsrMode::Async/>
                    <Route path=at!("/providers") view=provider::List ssr=SsrMode::Async/>
                    <Route path=at!("/providers/new") view=provider::New ssr=SsrMode::Async/>
                    <Route path=at!("/providers/:slug") view=provider::Detail ssr=SsrMode::Async/>
                    <Route path=at!("/providers/:slug/edit") view=provider::Edit ssr=SsrMode::Async/>
                    <Route path=at!("/users") view=user::List ssr=SsrMode::Async/>
                    <Route path=at!("/users/:id/password") view=user::Password ssr=SsrMode::Async/>
                    <Route path=at!("/api-keys") view=api_key::List ssr=SsrMode::Async/>
                    <Route path=at!("/audit") view=audit::List ssr=SsrMode::Async/>
                    <Route path=at!("/settings") view=settings::Page ssr=SsrMode::Async/>
                    <Route path=at!("/profile") view=profile::Page ssr=SsrMode::Async/>
                </ParentRoute>
            </Routes>
        </Router>
    }
}
