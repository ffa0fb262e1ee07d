//! The page around everything that needs a login: where one can go, who one is, and the page.

use leptos::{prelude::*, server_fn::ServerFn};
use leptos_router::{
    components::{A, Outlet},
    hooks::{use_location, use_query_map},
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

/// The list of the places, as the button knows it that opens it where there is no room for a rail.
const MENU: &str = "menu";

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
    let here = use_location().pathname.with_untracked(|pathname| place_of(pathname));
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
                    {Suspend::new(async move {
                        match session.0.await {
                            Ok(Some(viewer)) => rail(viewer, here),
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

/// The name of the place that a page belongs to.
fn place_of(pathname: &str) -> Option<&'static str> {
    let is_under = |href: &str| {
        pathname
            .strip_prefix(href)
            .is_some_and(|rest| rest.is_empty() || (href != path::HOME && rest.starts_with('/')))
    };
    PLACES.into_iter().find(|(href, ..)| is_under(href)).map(|(_, name, ..)| name)
}

fn rail(viewer: Viewer, here: Option<&'static str>) -> AnyView {
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
        <button type="button" class="rail-open" popovertarget=MENU>
            {here.map(|name| view! { <span class="rail-here">{name}</span> })} <span>"Menu"</span>
            {glyph::menu()}
        </button>
        // Shown in its place where there is room: only elsewhere is it opened.
        <div class="rail-rest" id=MENU popover="auto">
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
        </div>
        {keys::list(keys)}
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_belongs_to_the_place_that_leads_to_it() {
        for (pathname, place) in [
            ("/", Some("Overview")),
            ("/connections", Some("Connections")),
            ("/connections/0199/edit", Some("Connections")),
            ("/relinks/many", Some("Relink desk")),
            ("/clients/new", Some("Clients")),
            ("/jobs", None),
            ("/clientsandmore", None),
        ] {
            assert_eq!(place_of(pathname), place, "{pathname}");
        }
    }
}
