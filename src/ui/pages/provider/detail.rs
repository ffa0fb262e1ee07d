//! One provider.

use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};

use super::profile;
use crate::{
    domain::{access::Permission, catalog::ProviderEntry},
    rpc::{self, provider::Delete},
    ui::{
        components::{
            confirm::confirm,
            head::{head, link, section},
            notice::said,
        },
        path,
        patterns::{
            action::{Doing, button_form, hidden},
            discover::by_issuer,
            load::{May, loaded},
        },
    },
};

#[component]
pub fn Detail() -> impl IntoView {
    let params = use_params_map();
    let saved = use_query_map().with_untracked(|query| query.get(path::SAVED).is_some());
    let delete = Doing::<Delete>::new();
    let slug = move || params.with(|params| params.get("slug")).unwrap_or_default();
    let entry = Resource::new_blocking(slug, rpc::provider::get);
    loaded(entry, move |entry, may| show(entry, &may, saved, delete))
}

fn show(entry: ProviderEntry, may: &May, saved: bool, delete: Doing<Delete>) -> AnyView {
    let ProviderEntry { profile, custom, clients } = entry;
    let slug = profile.slug.clone();
    let may_write = may.allows(Permission::ProvidersWrite);
    let may_register = may.allows(Permission::ClientsWrite);
    let links = [
        ("Documentation", &profile.links.docs),
        ("Where to register a client", &profile.links.register_client),
    ]
    .into_iter()
    .filter_map(|(name, href)| {
        let href = href.clone().filter(|href| href.starts_with("https://"))?;
        let link = view! {
            <a href=href rel="noreferrer noopener" target="_blank">
                {name}
            </a>
        };
        Some(link.into_any())
    })
    // The other way, to copy it, is above.
    .chain((may_write && profile.is_for_any_server()).then(by_issuer))
    .map(|link| view! { <li>{link}</li> })
    .collect::<Vec<_>>();
    let json = profile::json(&profile);
    view! {
        {head(profile.name.clone(), Some(("Providers", path::PROVIDERS)), view! {
            {may_write
                .then(|| {
                    view! {
                        {custom.then(|| link(path::provider_edit(&slug), "button", "Edit"))}
                        {link(path::provider_copy(&slug), "button", "Copy as custom")}
                    }
                })}
            {may_register
                .then(|| {
                    view! {
                        {link(path::client_new(&slug), "button is-primary", "Register a client")}
                    }
                })}
        })}
        {saved.then(|| view! { <div role="status">{said(true, "Saved.".into())}</div> })}
        <p class="lead">
            {if custom { "A custom provider" } else { "A preset that ships with Regrant" }} ", known as "
            <code>{slug.clone()}</code> {used_by(clients)}
        </p>
        {(!links.is_empty()).then(|| view! { <ul class="links">{links}</ul> })}
        {profile::profile(&profile)}
        <details class="fold">
            <summary>"The whole profile as JSON"</summary>
            <pre class="raw">{json}</pre>
        </details>
        {(custom && may_write && clients == 0).then(|| ending(&slug, delete))}
    }
    .into_any()
}

fn used_by(clients: i64) -> String {
    match clients {
        0 => ". No client uses it.".into(),
        1 => ". 1 client uses it.".into(),
        many => format!(". {many} clients use it."),
    }
}

fn ending(slug: &str, delete: Doing<Delete>) -> AnyView {
    let form = button_form(delete, hidden("slug", slug), "Delete provider", "grave");
    let text = "No client uses it. It cannot be brought back.";
    section("Delete", "", confirm("Delete provider", text, form))
}
