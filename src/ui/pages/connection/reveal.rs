//! A token that is shown to a person: the form that asks for the password again, and the page that
//! shows it once. Nothing on that page is handed to an island, so that it stands in one place, from
//! which the script takes it when its time is over or the page is left.

use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use uuid::Uuid;

use crate::{
    domain::{
        connection::Connection,
        revealed::{RevealedToken, SHOWN},
        voice,
    },
    rpc::{self, connection::Reveal},
    ui::{
        components::{
            field::Submit,
            head::{head, link},
            notice::Answered,
            password::OwnPassword,
        },
        path,
        patterns::{
            action::{Doing, action_form, hidden},
            load::{loaded, missing},
        },
    },
};

/// What an admin does to see the token.
pub fn ask(connection: &Connection, doing: Doing<Reveal>) -> AnyView {
    let fields = view! {
        {hidden("id", connection.id)}
        <OwnPassword name="password" label="Your password" trouble=doing.trouble/>
        <div class="actions">
            <Submit label="Show the access token" pending=doing.pending/>
        </div>
        <Answered trouble=doing.trouble/>
    };
    view! {
        <details class="confirm is-calm" id="reveal" open=doing.trouble.stands()>
            <summary class="button">"Reveal the access token"</summary>
            <div class="confirm-body">
                <p>{voice::reveal()}</p>
                {action_form(doing, "form", fields)}
            </div>
        </details>
    }
    .into_any()
}

#[component]
pub fn Revealed() -> impl IntoView {
    let params = use_params_map();
    let token = Resource::new_blocking(
        move || params.with(path::id),
        |id| async move {
            let Some(id) = id else { return missing("connection") };
            Ok((id, rpc::connection::revealed(id).await?))
        },
    );
    loaded(token, |(id, token), _| match token {
        Some(token) => show(token),
        None => gone(id),
    })
}

fn show(token: RevealedToken) -> AnyView {
    let back = path::connection(token.connection_id);
    let top = head("Access token", Some((&token.connection, &back)), ());
    let done = link(&back, "button", "Done");
    view! {
        {top}
        <div class="once" data-gone-in=SHOWN.whole_seconds() data-back=back>
            <p role="timer" data-left>
                {voice::revealed_for()}
            </p>
            <pre class="secret" id="secret" tabindex="0" role="region" aria-label="The access token">{token.access_token}</pre>
            <p>{voice::revealed(token.expires_at, token.as_of)}</p>
            <p class="actions">
                <button type="button" class="button" data-copies="secret" aria-live="polite" hidden>
                    "Copy"
                </button>
                {done}
            </p>
        </div>
    }
    .into_any()
}

fn gone(id: Uuid) -> AnyView {
    view! {
        {head("Access token", Some(("The connection", &path::connection(id))), ())}
        <div class="stack">
            <p>{voice::revealed_before()}</p>
            <p class="actions">
                {link(path::connection(id), "button", "To the connection")}
            </p>
        </div>
    }
    .into_any()
}
