//! One provider.

use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use super::{form::Wrongs, profile};
use crate::{
    domain::{access::Permission, catalog::ProviderEntry},
    rpc::{
        self,
        provider::{Delete, Update},
    },
    ui::{
        components::{
            confirm::confirm,
            field::{Submit, Text},
            head::{head, link, section},
            notice::Answered,
        },
        path,
        patterns::{
            action::{Doing, action_form, button_form, hidden},
            load::{May, loaded},
        },
    },
};

#[component]
pub fn Detail() -> impl IntoView {
    let params = use_params_map();
    let update = Doing::<Update>::new();
    let delete = Doing::<Delete>::new();
    let slug = move || params.with(|params| params.get("slug")).unwrap_or_default();
    let entry = Resource::new_blocking(
        move || (slug(), update.version.get()),
        |(slug, _)| rpc::provider::get(slug),
    );
    loaded(entry, move |entry, may| show(entry, &may, update, delete))
}

fn show(entry: ProviderEntry, may: &May, update: Doing<Update>, delete: Doing<Delete>) -> AnyView {
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
        Some(view! {
            <li>
                <a href=href rel="noreferrer noopener" target="_blank">
                    {name}
                </a>
            </li>
        })
    })
    .collect::<Vec<_>>();
    let json = profile::json(&profile);
    view! {
        {head(profile.name.clone(), Some(("Providers", path::PROVIDERS)), view! {
            {may_write
                .then(|| {
                    view! {
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
        <p class="lead">
            {if custom { "A custom provider" } else { "A preset that ships with Regrant" }} ", known as "
            <code>{slug.clone()}</code> {used_by(clients)}
        </p>
        <ul class="links">{links}</ul>
        {profile::profile(&profile)}
        {if custom && may_write {
            edit(&slug, json, clients, update, delete)
        } else {
            view! {
                <details class="fold">
                    <summary>"The whole profile as JSON"</summary>
                    <pre class="raw">{json}</pre>
                </details>
            }
                .into_any()
        }}
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

fn edit(
    slug: &str,
    json: String,
    clients: i64,
    update: Doing<Update>,
    delete: Doing<Delete>,
) -> AnyView {
    let fields = view! {
        {hidden("slug", slug)}
        <Text
            name="profile"
            label="Profile (JSON)"
            trouble=update.trouble
            required=true
            rows=24
            mono=true
            value=json
            problem_name=""
        />
        <Wrongs trouble=update.trouble/>
        <div class="actions">
            <Submit label="Save profile" pending=update.pending weight="primary"/>
        </div>
        <Answered trouble=update.trouble done=update.done("Saved.")/>
    };
    let edit = section(
        "Edit",
        "Clients use the new profile from their next request on",
        action_form(update, "form is-wide", fields),
    );
    let delete = (clients == 0).then(|| {
        let form = button_form(delete, hidden("slug", slug), "Delete provider", "grave");
        let text = "No client uses it. It cannot be brought back.";
        section("Delete", "", confirm("Delete provider", text, form))
    });
    (edit, delete).into_any()
}
