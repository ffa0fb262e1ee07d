//! The catalogue.

use leptos::{either::Either, prelude::*};
use leptos_router::hooks::use_query_map;

use crate::{
    domain::{access::Permission, catalog::ProviderEntry, voice::Empty},
    rpc,
    ui::{
        components::{
            head::{head, link},
            notice::nothing,
        },
        path,
        patterns::{
            filter::{filter_bar, typed},
            load::loaded,
        },
    },
};

#[component]
pub fn List() -> impl IntoView {
    let params = use_query_map();
    let providers = Resource::new_blocking(|| (), |()| rpc::provider::list());
    loaded(providers, move |providers, may| {
        let may_write = may.allows(Permission::ProvidersWrite);
        let q = params.with(|params| path::filled(params, "q"));
        view! {
            {head("Providers", None, view! {
                {may_write
                    .then(|| {
                        view! {
                            {link(path::PROVIDER_NEW, "button", "Add a provider")}
                        }
                    })}
            })}
            {bar(path::PROVIDERS, q.as_deref())}
            {tiles(providers, q.as_deref(), path::provider)}
        }
    })
}

/// The search over the catalogue.
pub fn bar(action: &'static str, q: Option<&str>) -> AnyView {
    let fields = typed("q", "Name or category", "search", q.unwrap_or_default().to_owned());
    filter_bar(action, q.is_some(), fields)
}

/// The providers that fit, each a tile that leads to `to`.
pub fn tiles(
    providers: Vec<ProviderEntry>,
    q: Option<&str>,
    to: impl Fn(&str) -> String,
) -> AnyView {
    let q = q.unwrap_or_default().to_lowercase();
    let tiles = providers
        .into_iter()
        .filter(|entry| fits(entry, &q))
        .map(|entry| tile(&entry, to(&entry.profile.slug)))
        .collect::<Vec<_>>();
    if tiles.is_empty() {
        Either::Left(nothing(Empty::Providers, ()))
    } else {
        Either::Right(view! { <ul class="tiles">{tiles}</ul> })
    }
    .into_any()
}

fn fits(entry: &ProviderEntry, q: &str) -> bool {
    let profile = &entry.profile;
    q.is_empty()
        || profile.name.to_lowercase().contains(q)
        || profile.slug.contains(q)
        || profile.category.as_deref().is_some_and(|category| category.contains(q))
}

fn tile(entry: &ProviderEntry, href: String) -> AnyView {
    let profile = &entry.profile;
    let monogram: String = profile
        .name
        .split(|c: char| !c.is_alphanumeric())
        .filter_map(|word| word.chars().next())
        .take(2)
        .collect();
    let kind = if entry.custom { "custom" } else { "preset" };
    let clients = match entry.clients {
        0 => None,
        1 => Some("1 client".to_owned()),
        many => Some(format!("{many} clients")),
    };
    let about = [Some(kind.to_owned()), profile.category.clone(), clients];
    let about = about.into_iter().flatten().collect::<Vec<_>>().join(" · ");
    view! {
        <li class="tile">
            <span class="monogram" aria-hidden="true">
                {monogram}
            </span>
            <div>
                {link(href, "", profile.name.clone())}
                <p>{about}</p>
            </div>
        </li>
    }
    .into_any()
}
