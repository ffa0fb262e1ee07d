//! Registering a client: first the provider, then what the provider gave.

use std::collections::BTreeMap;

use leptos::{either::Either, prelude::*};
use leptos_router::hooks::use_query_map;

use crate::{
    domain::{
        access::Permission,
        catalog::ProviderEntry,
        provider::{AuthenticationMethod, Call, FilledBy, Profile, Variable},
    },
    rpc::{self, client::Create},
    ui::{
        components::{
            copy::Copyable,
            field::{Submit, Text, Trouble},
            head::{head, link, section},
            notice::Answered,
        },
        pages::provider::{Sought, bar, tiles},
        path,
        patterns::{
            action::{Doing, action_form},
            discover::{DiscoverForm, discovered, instead},
            load::loaded,
            variables::field,
        },
    },
};

/// What the page is about: the provider is still to be chosen, or is.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
enum Step {
    Choose(Vec<ProviderEntry>),
    Register(Box<ProviderEntry>, String),
}

#[component]
pub fn New() -> impl IntoView {
    let params = use_query_map();
    let create = Doing::<Create>::new();
    let step = Resource::new_blocking(
        move || params.with(|params| path::filled(params, "provider")),
        |provider| async move {
            Ok(match provider {
                None => Step::Choose(rpc::provider::list().await?),
                Some(slug) => Step::Register(
                    Box::new(rpc::provider::get(slug).await?),
                    rpc::client::redirect_uri().await?,
                ),
            })
        },
    );
    loaded(step, move |step, may| {
        if !may.allows(Permission::ClientsWrite) {
            return view! {
                {head("Register a client", Some(("Clients", path::CLIENTS)), ())}
                <p>"Only admins register clients."</p>
            }
            .into_any();
        }
        match step {
            Step::Choose(providers) => {
                let sought = params.with(Sought::read);
                let discover = may.allows(Permission::ProvidersWrite);
                choose(providers, &sought, discover)
            }
            Step::Register(entry, redirect_uri) => {
                let profile = &entry.profile;
                let may_write = may.allows(Permission::ProvidersWrite);
                let before = view! {
                    {params.with(path::discovered).map(|again| discovered(profile, again))}
                    {profile.notes.clone().map(|notes| view! { <p class="prose">{notes}</p> })}
                    {may_write.then(|| instead(profile))}
                };
                register(profile, before, redirect_uri, create)
            }
        }
    })
}

fn choose(providers: Vec<ProviderEntry>, sought: &Sought, discover: bool) -> AnyView {
    view! {
        {head("Register a client", Some(("Clients", path::CLIENTS)), ())}
        <p class="lead">
            "A client is your registration at a provider. Which provider is it for?"
            {discover
                .then(|| {
                    view! {
                        " Not in the list? "
                        <a href="#discover">"Discover it by its issuer address"</a>
                        "."
                    }
                })}
        </p>
        {bar(path::CLIENT_NEW, &providers, sought)}
        {tiles(providers, sought, path::client_new)}
        {discover
            .then(|| {
                view! {
                    <div id="discover">
                        {section("Not in the list?", "Many providers say themselves how to talk to them", view! {
                            <DiscoverForm/>
                            <p class="help">
                                "Or " {link(path::PROVIDER_NEW, "", "write a provider by hand")} "."
                            </p>
                        })}
                    </div>
                }
            })}
    }
    .into_any()
}

fn register(
    profile: &Profile,
    before: impl IntoView + 'static,
    redirect_uri: String,
    create: Doing<Create>,
) -> AnyView {
    let trouble = create.trouble;
    let register_at =
        profile.links.register_client.clone().filter(|href| href.starts_with("https://")).map(
            |href| {
                view! {
                    <p>
                        <a href=href rel="noreferrer noopener" target="_blank">
                            "Register it at " {profile.name.clone()}
                        </a> " first, with this redirect URI:"
                    </p>
                }
            },
        );
    view! {
        {head(format!("Register a client at {}", profile.name), Some(("Clients", path::CLIENTS)), ())}
        {before}
        {section("1. At the provider", "", view! {
            {register_at}
            <Copyable
                id="redirect-uri"
                label="Redirect URI"
                value=redirect_uri
                help="Register it there letter by letter. It is the only one Regrant uses."
            />
        })}
        {section("2. What the provider gave you", "", view! {
            {action_form(create, "form", view! {
                <input type="hidden" name="provider" value=profile.slug.clone()/>
                <Text
                    name="name"
                    label="Name"
                    trouble
                    required=true
                    value=profile.name.clone()
                    help="What your team calls it."
                />
                <Text
                    name="oauth_client_id"
                    label="Client id"
                    trouble
                    required=true
                    autocomplete="off"
                    value=profile.default_client_id.clone().unwrap_or_default()
                />
                {secret(profile, trouble)}
                {variables(profile, &BTreeMap::new(), trouble)}
                <Text
                    name="scopes"
                    label="Scopes"
                    trouble
                    value=profile.authorization.default_scopes.join(" ")
                    help="What the client may ask for, separated by blanks."
                />
                <div class="actions">
                    <Submit label="Register client" pending=create.pending weight="primary"/>
                </div>
                <Answered trouble/>
            })}
        })}
    }
    .into_any()
}

/// The field for the secret, as the provider wants it; nothing where there is none.
pub fn secret(profile: &Profile, trouble: Trouble) -> Option<AnyView> {
    const HELP: &str = "Kept encrypted and never shown again.";
    profile.needs_client_secret().then(|| secret_field(profile, trouble, true, HELP))
}

/// The same where there is one, for what sends it elsewhere.
pub fn secret_again(profile: &Profile, trouble: Trouble) -> AnyView {
    const HELP: &str = "Needed only when the client id changes, or where requests are sent: a secret never \
                        follows to another client or address by itself.";
    secret_field(profile, trouble, false, HELP)
}

fn secret_field(
    profile: &Profile,
    trouble: Trouble,
    required: bool,
    help: &'static str,
) -> AnyView {
    let field = match profile.request.authentication(Call::Refresh).method {
        AuthenticationMethod::PrivateKeyJwt => Either::Left(view! {
            <Text
                name="client_secret"
                label="Private key (PEM)"
                trouble
                required
                rows=8
                mono=true
                help
            />
        }),
        _ => Either::Right(view! {
            <Text
                name="client_secret"
                label="Client secret"
                kind="password"
                trouble
                required
                autocomplete="new-password"
                help
            />
        }),
    };
    field.into_any()
}

/// The fields for what the provider leaves to each client, and after them for what a client may
/// settle for all of its connections.
pub fn variables(
    profile: &Profile,
    values: &BTreeMap<String, String>,
    trouble: Trouble,
) -> Vec<AnyView> {
    let (shared, own): (Vec<_>, Vec<_>) = profile
        .variables
        .iter()
        .cloned()
        .partition(|variable| variable.filled_by == FilledBy::Client);
    let own = own.into_iter().map(|variable| {
        let each = "Leave it empty where each connection has its own.";
        let help = variable.help.map_or(each.into(), |help| format!("{help} {each}"));
        Variable { help: Some(help), default: None, optional: true, ..variable }
    });
    shared.into_iter().chain(own).map(|variable| field(&variable, values, trouble)).collect()
}
