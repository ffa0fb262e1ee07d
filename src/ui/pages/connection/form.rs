//! Making a connection: by consent now, from a token one has, or as the client itself.

use std::collections::BTreeMap;

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use uuid::Uuid;

use super::choose::choose;
use crate::{
    domain::{
        access::Permission,
        client::Client,
        provider::{GrantType, Profile},
    },
    rpc::{
        self,
        connection::{Connect, ConnectDevice, Exchange, GrantClientCredentials, Import},
    },
    ui::{
        components::{
            field::{Choice, Submit, Text, Trouble},
            head::{head, link, section},
            notice::Answered,
        },
        path,
        patterns::{
            action::{Doing, action_form},
            load::{loaded, missing},
            variables::fields,
        },
    },
};

/// What the page is about: the client is still to be chosen, or is.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
enum Step {
    Choose(Vec<Client>),
    Connect(Box<(Client, Profile)>),
}

#[derive(Clone, Copy)]
struct Doings {
    connect: Doing<Connect>,
    device: Doing<ConnectDevice>,
    import: Doing<Import>,
    grant: Doing<GrantClientCredentials>,
    exchange: Doing<Exchange>,
}

#[component]
pub fn New() -> impl IntoView {
    let params = use_query_map();
    let doings = Doings {
        connect: Doing::new(),
        device: Doing::new(),
        import: Doing::new(),
        grant: Doing::new(),
        exchange: Doing::new(),
    };
    let step = Resource::new_blocking(
        move || params.with(|params| path::filled(params, "client")),
        |client| async move {
            let Some(id) = client else {
                return Ok(Step::Choose(rpc::client::list().await?));
            };
            let Ok(id) = id.parse::<Uuid>() else { return missing("client") };
            let client = rpc::client::get(id).await?;
            let provider = rpc::provider::get(client.provider.clone()).await?;
            Ok(Step::Connect(Box::new((client, provider.profile))))
        },
    );
    loaded(step, move |step, may| {
        if !may.allows(Permission::ConnectionsWrite) {
            return view! {
                {head("Connect an account", Some(("Connections", path::CONNECTIONS)), ())}
                <p>
                    "Only admins make new connections. To bring one back, open it and create a relink."
                </p>
            }
            .into_any();
        }
        match step {
            Step::Choose(clients) => choose("Connect an account", clients, path::connection_new),
            Step::Connect(both) => connect(&both.0, &both.1, doings),
        }
    })
}

fn connect(client: &Client, profile: &Profile, doings: Doings) -> AnyView {
    let title = format!("Connect an account at {}", profile.name);
    view! {
        {head(title, Some(("Connections", path::CONNECTIONS)), ())}
        <p class="lead">
            "With the client " {link(path::client(client.id), "", client.name.clone())} "."
        </p>
        {profile
            .allows(GrantType::AuthorizationCode)
            .then(|| by_consent(client, profile, doings.connect))}
        {profile.allows(GrantType::DeviceCode).then(|| by_device(client, profile, doings.device))}
        {profile
            .allows(GrantType::ClientCredentials)
            .then(|| by_client_credentials(client, profile, doings.grant))}
        {profile
            .allows(GrantType::TokenExchange)
            .then(|| by_exchange(client, profile, doings.exchange))}
        {by_import(client, profile, doings.import)}
    }
    .into_any()
}

fn common(client: &Client, profile: &Profile, trouble: Trouble) -> AnyView {
    let own = fields(profile.connection_variables(&client.variables), &BTreeMap::new(), trouble);
    view! {
        <input type="hidden" name="client_id" value=client.id.to_string()/>
        {own}
        <Text
            name="label"
            label="Label"
            trouble
            help="What your team calls it. Without one, the account's name is shown."
        />
        <Text
            name="external_id"
            label="External id"
            trouble
            help="Your own key for it, such as a customer number."
        />
    }
    .into_any()
}

fn scopes(client: &Client, trouble: Trouble) -> AnyView {
    view! {
        <Text
            name="scopes"
            label="Scopes"
            trouble
            value=client.scopes.join(" ")
            help="Separated by blanks. The client's own unless you change them."
        />
    }
    .into_any()
}

fn by_consent(client: &Client, profile: &Profile, doing: Doing<Connect>) -> AnyView {
    view! {
        {section("By consent, now", "The account's owner has to be at this browser", view! {
            {action_form(doing, "form", view! {
                {common(client, profile, doing.trouble)}
                {scopes(client, doing.trouble)}
                <div class="actions">
                    <Submit
                        label=format!("Continue to {}", profile.name)
                        pending=doing.pending
                        weight="primary"
                    />
                </div>
                <Answered trouble=doing.trouble/>
            })}
        })}
    }
    .into_any()
}

/// Whether a service has no other way to a connection than one; then nobody needs to choose it.
fn is_only_way(profile: &Profile) -> bool {
    profile.grants.len() == 1
}

fn by_device(client: &Client, profile: &Profile, doing: Doing<ConnectDevice>) -> AnyView {
    let help = format!(
        "{} gives a short code. Whoever owns the account types it wherever they are signed in.",
        profile.name
    );
    view! {
        {section("With a code on another device", "Nobody has to stay at this browser", view! {
            <details class="fold is-form" open=doing.trouble.stands() || is_only_way(profile)>
                <summary class="button">"Use a code"</summary>
                {action_form(doing, "form", view! {
                    <p>{help}</p>
                    {common(client, profile, doing.trouble)}
                    {scopes(client, doing.trouble)}
                    <div class="actions">
                        <Submit label="Get a code" pending=doing.pending/>
                    </div>
                })}
            </details>
            <Answered trouble=doing.trouble/>
        })}
    }
    .into_any()
}

fn by_client_credentials(
    client: &Client,
    profile: &Profile,
    doing: Doing<GrantClientCredentials>,
) -> AnyView {
    view! {
        {section("As the client itself", "No person is involved, now or later", view! {
            <details class="fold is-form" open=doing.trouble.stands() || is_only_way(profile)>
                <summary class="button">"Use the client's own access"</summary>
                {action_form(doing, "form", view! {
                    {common(client, profile, doing.trouble)}
                    <div class="actions">
                        <Submit label="Ask for access" pending=doing.pending/>
                    </div>
                })}
            </details>
            <Answered trouble=doing.trouble/>
        })}
    }
    .into_any()
}

/// The kinds of tokens there are (RFC 8693 section 3).
fn token_types() -> Vec<(String, String)> {
    [
        ("access_token", "access token"),
        ("id_token", "id token"),
        ("jwt", "another JWT"),
        ("refresh_token", "refresh token"),
        ("saml2", "SAML 2.0 assertion"),
        ("saml1", "SAML 1.1 assertion"),
    ]
    .map(|(kind, name)| (format!("urn:ietf:params:oauth:token-type:{kind}"), name.to_owned()))
    .to_vec()
}

fn by_exchange(client: &Client, profile: &Profile, doing: Doing<Exchange>) -> AnyView {
    let help = format!("{} takes it and gives one for this client. It is not kept.", profile.name);
    view! {
        {section("From another token", "Exchanged for one of this client's own", view! {
            <details class="fold is-form" open=doing.trouble.stands()>
                <summary class="button">"Exchange a token"</summary>
                {action_form(doing, "form", view! {
                    {common(client, profile, doing.trouble)}
                    <Text
                        name="subject_token"
                        label="Token"
                        trouble=doing.trouble
                        required=true
                        rows=4
                        mono=true
                        help=help
                    />
                    <Choice
                        name="subject_token_type"
                        label="Kind of token"
                        trouble=doing.trouble
                        required=true
                        options=token_types()
                    />
                    <Text
                        name="audience"
                        label="Audience"
                        trouble=doing.trouble
                        help="The name of whom the new token is for."
                    />
                    <Text
                        name="resource"
                        label="Resource"
                        trouble=doing.trouble
                        help="The address of what the new token is for."
                    />
                    {scopes(client, doing.trouble)}
                    <div class="actions">
                        <Submit label="Exchange" pending=doing.pending/>
                    </div>
                })}
            </details>
            <Answered trouble=doing.trouble/>
        })}
    }
    .into_any()
}

fn by_import(client: &Client, profile: &Profile, doing: Doing<Import>) -> AnyView {
    view! {
        {section("From a token you have", "Moved here from another system", view! {
            <details class="fold is-form" open=doing.trouble.stands()>
                <summary class="button">"Import a token"</summary>
                {action_form(doing, "form", view! {
                    {common(client, profile, doing.trouble)}
                    <Text
                        name="token_response"
                        label="Token response (JSON)"
                        trouble=doing.trouble
                        required=true
                        rows=8
                        mono=true
                        placeholder="{ \"access_token\": …, \"refresh_token\": …, \"expires_in\": 3600 }"
                        help=format!("The whole answer, just as {} gave it.", profile.name)
                    />
                    <Text
                        name="obtained_at"
                        label="When it was obtained"
                        trouble=doing.trouble
                        placeholder="2026-01-31T12:00:00Z"
                        help="Expiries count from this moment. Now, unless you say otherwise."
                    />
                    <div class="actions">
                        <Submit label="Import" pending=doing.pending/>
                    </div>
                })}
            </details>
            <Answered trouble=doing.trouble/>
        })}
    }
    .into_any()
}
