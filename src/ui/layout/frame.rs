//! The page around everything that needs a login: where one can go, who one is, and the page.

use leptos::{prelude::*, server_fn::ServerFn};
use leptos_router::{
    components::{A, Outlet},
    hooks::use_query_map,
};

use super::keys;
use crate::{
    domain::{access::Permission, overview::Viewer, voice},
    rpc::session::Logout,
    ui::{
        components::{badge::RoleTag, glyph, notice::said},
        path,
        patterns::{
            action::PlainForm,
            load::{May, Session},
        },
    },
};

/// Where one can go: the address, the name, the key that leads there after `g`, and who may.
const PLACES: [(&str, &str, char, Permission); 10] = [
    (path::HOME, "Overview", 'o', Permission::ConnectionsRead),
    (path::CONNECTIONS, "Connections", 'c', Permission::ConnectionsRead),
    (path::RELINKS, "Relink desk", 'r', Permission::ConnectionsRead),
    (path::CLIENTS, "Clients", 'l', Permission::ClientsRead),
    (path::PROVIDERS, "Providers", 'p', Permission::ProvidersRead),
    (path::USERS, "Users", 'u', Permission::UsersRead),
    (path::API_KEYS, "API keys", 'k', Permission::ApiKeysRead),
    (path::AUDIT, "Audit", 'a', Permission::AuditRead),
    (path::SETTINGS, "Settings", 's', Permission::AuditRead),
    (path::PROFILE, "Profile", 'm', Permission::ConnectionsRead),
];

/// The page itself stands outside of what waits for the viewer: it is made once, and its data is
/// asked for once. It sends to the login by itself.
#[component]
pub fn Frame() -> impl IntoView {
    let session = expect_context::<Session>();
    // Where what was done is not to be seen by itself: a button may be gone with what it did.
    let told = use_query_map().with_untracked(|params| {
        let done = params.get_str(path::DONE).and_then(path::was_done);
        done.and_then(voice::done)
    });
    let told = told.map(|text| {
        view! { <div class="was-done" role="status">{said(true, text.to_owned())}</div> }
    });
    view! {
        <a class="skip" href="#main">
            "To the content"
        </a>
        <div class="frame">
            <header class="rail">
                <A href=path::HOME attr:class="wordmark">
                    {glyph::logo()}
                    "Regrant"
                </A>
                <Transition>
                    {move || Suspend::new(async move {
                        match session.0.await {
                            Ok(Some(viewer)) => rail(viewer),
                            Ok(None) | Err(_) => ().into_any(),
                        }
                    })}
                </Transition>
            </header>
            <main class="main" id="main" tabindex="-1">
                {told}
                <Outlet/>
            </main>
        </div>
    }
}

fn rail(viewer: Viewer) -> AnyView {
    let may = May(viewer.clone());
    let (places, keys): (Vec<_>, Vec<_>) = PLACES
        .into_iter()
        .filter(|(.., permission)| may.allows(*permission))
        .map(|(href, name, key, _)| {
            let place = view! {
                <li>
                    <A href=href exact=href == path::HOME attr:data-key=key.to_string()>
                        {name}
                    </A>
                </li>
            };
            (place, (format!("g {key}"), name))
        })
        .unzip();
    view! {
        <nav class="places" aria-label="Main">
            <ul>{places}</ul>
        </nav>
        <div class="who">
            <p class="who-name" title=viewer.email.clone()>
                {viewer.email.clone()}
            </p>
            <RoleTag role=viewer.role/>
            <PlainForm action=Logout::url() class="who-out">
                <button type="submit" class="button is-small">
                    "Sign out"
                </button>
            </PlainForm>
            <button type="button" class="who-keys needs-script" popovertarget=keys::ID>
                "Shortcuts"
            </button>
        </div>
        {keys::list(keys)}
    }
    .into_any()
}
