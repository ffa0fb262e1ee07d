//! The page around everything that needs a login: where one can go, who one is, and the page.

use leptos::{prelude::*, server_fn::ServerFn};
use leptos_router::components::{A, Outlet};

use crate::{
    domain::{access::Permission, overview::Viewer},
    rpc::session::Logout,
    ui::{
        components::{badge::RoleTag, glyph},
        path,
        patterns::{
            action::PlainForm,
            load::{May, Session},
        },
    },
};

const PLACES: [(&str, &str, Permission); 10] = [
    (path::HOME, "Overview", Permission::ConnectionsRead),
    (path::CONNECTIONS, "Connections", Permission::ConnectionsRead),
    (path::RELINKS, "Relink desk", Permission::ConnectionsRead),
    (path::CLIENTS, "Clients", Permission::ClientsRead),
    (path::PROVIDERS, "Providers", Permission::ProvidersRead),
    (path::USERS, "Users", Permission::UsersRead),
    (path::API_KEYS, "API keys", Permission::ApiKeysRead),
    (path::AUDIT, "Audit", Permission::AuditRead),
    (path::SETTINGS, "Settings", Permission::SettingsWrite),
    (path::PROFILE, "Profile", Permission::ConnectionsRead),
];

/// The page itself stands outside of what waits for the viewer: it is made once, and its data is
/// asked for once. It sends to the login by itself.
#[component]
pub fn Frame() -> impl IntoView {
    let session = expect_context::<Session>();
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
                <Outlet/>
            </main>
        </div>
    }
}

fn rail(viewer: Viewer) -> AnyView {
    let may = May(viewer.clone());
    let places = PLACES
        .into_iter()
        .filter(|(_, _, permission)| may.allows(*permission))
        .map(|(href, name, _)| {
            view! {
                <li>
                    <A href=href exact=href == path::HOME>
                        {name}
                    </A>
                </li>
            }
        })
        .collect::<Vec<_>>();
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
        </div>
    }
    .into_any()
}
