//! The catalogue.

use leptos::prelude::*;
use leptos_router::{hooks::use_query_map, params::ParamsMap};

use crate::{
    domain::{
        access::Permission,
        catalog::{ProviderEntry, SAMPLE},
        provider::Profile,
        voice::{self, Empty},
    },
    rpc,
    ui::{
        components::{
            head::{head, link, section},
            notice::nothing,
        },
        path,
        patterns::{
            filter::{chosen, filter_bar, typed},
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
        let sought = params.with(Sought::read);
        view! {
            {head("Providers", None, view! {
                {may_write
                    .then(|| {
                        view! {
                            {link(path::PROVIDER_NEW, "button", "Add a provider")}
                        }
                    })}
            })}
            {bar(path::PROVIDERS, &providers, &sought)}
            {tiles(providers, &sought, path::provider)}
        }
    })
}

/// What is looked for in the catalogue.
#[derive(Clone, Debug, Default)]
pub struct Sought {
    q: Option<String>,
    category: Option<String>,
}

impl Sought {
    pub fn read(params: &ParamsMap) -> Self {
        Self { q: path::filled(params, "q"), category: path::filled(params, "category") }
    }

    fn fits(&self, profile: &Profile) -> bool {
        let q = self.q.as_deref().unwrap_or_default().to_lowercase();
        // "quick books" and "Quickbooks" are one word to whoever looks for it.
        let plain = |text: &str| text.to_lowercase().replace([' ', '-', '.'], "");
        let q = plain(&q);
        let named = [profile.name.as_str(), profile.slug.as_str()]
            .into_iter()
            .chain(profile.category.as_deref())
            .chain(profile.keywords.iter().map(String::as_str))
            .any(|text| plain(text).contains(&q));
        named && (self.category.is_none() || profile.category == self.category)
    }
}

/// The search over the catalogue.
pub fn bar(action: &'static str, providers: &[ProviderEntry], sought: &Sought) -> AnyView {
    let mut categories: Vec<String> =
        providers.iter().filter_map(|entry| entry.profile.category.clone()).collect();
    categories.sort_by(|one, other| (one == SAMPLE, one).cmp(&(other == SAMPLE, other)));
    categories.dedup();
    let any = [(String::new(), "any".to_owned())];
    let named = categories.into_iter().map(|category| (category.clone(), category));
    let options = any.into_iter().chain(named).collect();
    let q = sought.q.clone().unwrap_or_default();
    let fields = vec![
        typed("q", "Name", "search", q),
        chosen("category", "Category", options, sought.category.as_deref().unwrap_or_default()),
    ];
    filter_bar(action, sought.q.is_some() || sought.category.is_some(), fields)
}

/// The providers that fit, each a tile that leads to `to`; those that a demo made up last, and by themselves.
pub fn tiles(
    providers: Vec<ProviderEntry>,
    sought: &Sought,
    to: impl Fn(&str) -> String,
) -> AnyView {
    let none = if providers.is_empty() { Empty::Providers } else { Empty::ProvidersFound };
    let (samples, real): (Vec<_>, Vec<_>) = providers
        .into_iter()
        .filter(|entry| sought.fits(&entry.profile))
        .partition(ProviderEntry::is_sample);
    if samples.is_empty() && real.is_empty() {
        return nothing(none, ());
    }
    let list = |entries: Vec<ProviderEntry>| {
        let tiles = entries
            .into_iter()
            .map(|entry| tile(&entry, to(&entry.profile.slug)))
            .collect::<Vec<_>>();
        (!tiles.is_empty()).then(|| view! { <ul class="tiles">{tiles}</ul> })
    };
    let (real, samples) = (list(real), list(samples));
    let samples = samples.map(|samples| {
        section(
            "Samples",
            "",
            view! {
                <p class="lead">{voice::SAMPLE_PROVIDERS}</p>
                {samples}
            },
        )
    });
    view! {
        {real}
        {samples}
    }
    .into_any()
}

fn tile(entry: &ProviderEntry, href: String) -> AnyView {
    let profile = &entry.profile;
    let monogram: String = profile
        .name
        .split(|c: char| !c.is_alphanumeric())
        .filter_map(|word| word.chars().next())
        .take(2)
        .collect();
    let (kind, category) = match (entry.is_sample(), entry.custom) {
        (true, _) => (SAMPLE, None),
        (false, true) => ("custom", profile.category.clone()),
        (false, false) => ("preset", profile.category.clone()),
    };
    let clients = match entry.clients {
        0 => None,
        1 => Some("1 client".to_owned()),
        many => Some(format!("{many} clients")),
    };
    let about = [Some(kind.to_owned()), category, clients];
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
