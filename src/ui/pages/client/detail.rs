//! One client: how it stands, what it is, and how to change it.

use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use super::{
    check,
    form::{secret_again, variables},
    secret, trouble,
};
use crate::{
    domain::{
        access::Permission,
        catalog::ProviderEntry,
        check::{CredentialCheck, Finding},
        client::{Client, StateName},
        provider::Profile,
        rehearsal::Prospects,
        voice,
    },
    rpc::{
        self,
        client::{Check, Delete, SetDisabled, Update},
    },
    ui::{
        components::{
            badge::{ClientBadge, client_tone},
            confirm::confirm,
            copy::Copyable,
            field::{Submit, Text},
            head::{head, link, section},
            moment::{Day, Exact},
            notice::Answered,
        },
        path,
        patterns::{
            action::{Doing, action_form, button_form, hidden},
            live::live_on,
            load::{May, loaded, missing},
            variables::shown,
        },
    },
};

#[derive(Clone, Copy)]
struct Doings {
    update: Doing<Update>,
    check: Doing<Check>,
    secret: secret::Doings,
    set_disabled: Doing<SetDisabled>,
    delete: Doing<Delete>,
    trouble: trouble::Doings,
}

#[component]
pub fn Detail() -> impl IntoView {
    let params = use_params_map();
    let doings = Doings {
        update: Doing::new(),
        check: Doing::new(),
        secret: secret::Doings::new(),
        set_disabled: Doing::new(),
        delete: Doing::new(),
        trouble: trouble::Doings { resume: Doing::new(), condemn: Doing::new() },
    };
    let client = Resource::new_blocking(
        move || {
            (
                params.with(path::id),
                doings.update.version.get(),
                doings.check.version.get(),
                doings.secret.versions(),
                doings.set_disabled.version.get(),
                doings.trouble.resume.version.get(),
                doings.trouble.condemn.version.get(),
            )
        },
        |(id, ..)| async move {
            let Some(id) = id else { return missing("client") };
            let client = rpc::client::get(id).await?;
            let provider = rpc::provider::get(client.provider.clone()).await?;
            let prospects = rpc::rehearsal::prospects(id).await?;
            Ok((client, provider, rpc::client::checked(id).await?, prospects))
        },
    );
    loaded(client, move |(client, provider, found, prospects), may| {
        show(client, provider, found, prospects, &may, doings)
    })
}

fn show(
    client: Client,
    provider: ProviderEntry,
    found: Option<CredentialCheck>,
    prospects: Prospects,
    may: &May,
    doings: Doings,
) -> AnyView {
    let may_write = may.allows(Permission::ClientsWrite);
    let connect = may.allows(Permission::ConnectionsWrite) && client.state != StateName::Disabled;
    let is_new = may_write && connect && client.connections == 0;
    // Who has just been refused is not told that it works, nor who has tried nothing yet.
    let is_doubtful = client.state == StateName::Ready
        && found.as_ref().map_or(is_new, |found| found.finding == Finding::Refused);
    let weight = if is_new { "button" } else { "button is-primary" };
    let profile = provider.profile;
    let standing = view! {
        {head(client.name.clone(), Some(("Clients", path::CLIENTS)), view! {
            {connect
                .then(|| {
                    view! {
                        {link(path::connection_new(client.id), weight, "Connect an account")}
                    }
                })}
        })}
        {found.map(|found| check::found(&client, &profile, &found))}
        <div class="status" data-state=client_tone(client.state) data-keeps=check::secret(&client)>
            <p class="status-line">
                <ClientBadge state=client.state/>
                " since "
                <Day at=client.state_since/>
            </p>
            <p class="as-known" class:is-unproved=is_doubtful>
                {voice::client_state(client.state)}
            </p>
            // Shown in the place of both, for as long as the refusal stands above.
            {(client.state == StateName::Ready)
                .then(|| view! { <p class="not-met">{voice::NOT_MET_YET}</p> })}
            {trouble::pause(&client, may_write, doings.trouble)}
            {(may_write && !is_new)
                .then(|| view! { <div class="actions">{check::button(&client, doings.check)}</div> })}
            {client
                .state_detail
                .clone()
                .map(|detail| {
                    view! {
                        <details class="fold">
                            <summary>"What the provider said"</summary>
                            <pre>{detail}</pre>
                        </details>
                    }
                })}
        </div>
        {trouble::incident(&client, &profile, may_write, doings.trouble)}
        {is_new.then(|| check::first_steps(&client, &profile, doings.check))}
        {facts(&client, &profile)}
    };
    view! {
        {live_on("client", "clients", standing)}
        <div class="pair is-close">
            {(!is_new)
                .then(|| {
                    view! {
                        <Copyable
                            id="redirect-uri"
                            label="Redirect URI"
                            value=client.redirect_uri.clone()
                        />
                    }
                })}
            {may_write
                .then(|| {
                    view! {
                        <p>
                            {link(path::client_dry_run(client.id), "", "Dry run")}
                            ": the exact requests, and how an answer would be read. "
                            {link(path::client_import(client.id), "", "Import connections")}
                            " from elsewhere."
                        </p>
                    }
                })}
        </div>
        {may_write.then(|| manage(&client, &profile, prospects, doings))}
    }
    .into_any()
}

fn facts(client: &Client, profile: &Profile) -> AnyView {
    let values = profile
        .variables
        .iter()
        .filter_map(|variable| {
            let value = client.variables.get(&variable.name).filter(|value| !value.is_empty())?;
            let shown = shown(variable, value);
            Some(view! {
                <div>
                    <dt>{variable.label.clone()}</dt>
                    <dd>{shown}</dd>
                </div>
            })
        })
        .collect::<Vec<_>>();
    let secret = match (client.has_secret, client.secret_set_at) {
        (true, Some(at)) => view! { "kept, set at " <Exact at/> }.into_any(),
        (true, None) => "kept".into_any(),
        (false, _) => "none".into_any(),
    };
    let scopes = if client.scopes.is_empty() { "none".into() } else { client.scopes.join(" ") };
    view! {
        <dl class="facts is-two">
            <div>
                <dt>"Provider"</dt>
                <dd>
                    {link(path::provider(&profile.slug), "", profile.name.clone())}
                </dd>
            </div>
            <div>
                <dt>"Connections"</dt>
                <dd>
                    {link(path::connections_of_client(client.id), "", voice::grouped(client.connections))}
                    " "
                    <span class="quiet">{voice::NOT_DISCONNECTED}</span>
                </dd>
            </div>
            <div>
                <dt>"Client id"</dt>
                <dd>
                    <code>{client.oauth_client_id.clone()}</code>
                </dd>
            </div>
            <div>
                <dt>"Secret"</dt>
                <dd>{secret}</dd>
            </div>
            <div>
                <dt>"Scopes"</dt>
                <dd>
                    <code>{scopes}</code>
                </dd>
            </div>
            {values}
            <div>
                <dt>"Registered here"</dt>
                <dd>
                    <Day at=client.created_at/>
                </dd>
            </div>
        </dl>
    }
    .into_any()
}

fn manage(client: &Client, profile: &Profile, prospects: Prospects, doings: Doings) -> AnyView {
    let secret = profile.needs_client_secret().then(|| {
        view! { <div id="secret">{secret::replace(client, profile, prospects, doings.secret)}</div> }
    });
    let edit = section("Edit", "", edit(client, profile, doings.update));
    let ending = section("Switch off or delete", "", ending(client, doings));
    view! {
        <div class="pair">
            <div>{edit}</div>
            <div>{secret} {ending}</div>
        </div>
    }
    .into_any()
}

fn edit(client: &Client, profile: &Profile, update: Doing<Update>) -> AnyView {
    let secret_too = client.has_secret.then(|| secret_again(profile, update.trouble));
    let fields = view! {
        {hidden("id", client.id)}
        <Text
            name="name"
            label="Name"
            trouble=update.trouble
            required=true
            value=client.name.clone()
        />
        <Text
            name="oauth_client_id"
            label="Client id"
            trouble=update.trouble
            required=true
            value=client.oauth_client_id.clone()
        />
        <Text
            name="scopes"
            label="Scopes"
            trouble=update.trouble
            value=client.scopes.join(" ")
            help="Separated by blanks. Connections get them with their next consent."
        />
        {variables(profile, &client.variables, update.trouble)}
        {secret_too}
        <div class="actions">
            <Submit label="Save" pending=update.pending/>
        </div>
        <Answered trouble=update.trouble/>
    };
    action_form(update, "form", fields)
}

fn ending(client: &Client, doings: Doings) -> AnyView {
    let set = |disabled: bool, label: &str, weight| {
        let sent = (hidden("id", client.id), hidden("disabled", disabled));
        button_form(doings.set_disabled, sent, label, weight)
    };
    let switch = if client.state == StateName::Disabled {
        set(false, "Switch on", "")
    } else {
        let text = voice::client_switch_off(client.connections);
        confirm("Switch off", text, set(true, "Switch off", "grave"))
    };
    let text = voice::client_delete(client.connections);
    let delete = button_form(doings.delete, hidden("id", client.id), "Delete client", "grave");
    view! { <div class="actions">{switch} {confirm("Delete", text, delete)}</div> }.into_any()
}
