//! What a client would send, and how an answer would be read.

use std::collections::BTreeMap;

use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    domain::{
        dry_run::{DryRequest, GrantReading, LastReading, Reading, RefusalReading},
        problem::Code,
        provider::Variable,
        voice,
    },
    rpc::{self, dry_run::Read},
    ui::{
        components::{
            field::{Choice, Submit, Text},
            head::{head, section},
            moment::Exact,
            notice::{Answered, said},
        },
        path,
        patterns::{
            action::{Doing, action_form, hidden},
            filter::{chosen, typed},
            load::{loaded, missing},
            variables::options,
        },
    },
};

#[component]
pub fn DryRun() -> impl IntoView {
    let (params, query) = (use_params_map(), use_query_map());
    let read = Doing::<Read>::new();
    let run = Resource::new_blocking(
        move || {
            let values = query.with(path::variables);
            (params.with(path::id), values)
        },
        |(id, values)| async move {
            let Some(id) = id else { return missing("client") };
            let client = rpc::client::get(id).await?;
            let profile = rpc::provider::get(client.provider.clone()).await?.profile;
            let own: Vec<_> = profile.connection_variables(&client.variables).cloned().collect();
            // What the address says is shown in its field, and by the field what is wrong with it.
            let run = rpc::dry_run::requests(id, values.clone()).await;
            let (run, wrong) = match run {
                Err(problem) if problem.code == Code::Invalid => {
                    let told = problem.fields.first().map(|field| field.message.clone());
                    let empty = rpc::dry_run::requests(id, BTreeMap::new()).await?;
                    (empty, Some(told.unwrap_or(problem.message)))
                }
                run => (run?, None),
            };
            Ok((client, Filled { own, values, wrong }, run, rpc::dry_run::last(id).await?))
        },
    );
    loaded(run, move |(client, filled, run, last), _| {
        let title = format!("Dry run of {}", client.name);
        let up = path::client(client.id);
        view! {
            {head(title, Some((&client.name, &up)), ())}
            <p class="lead">
                "Nothing here is sent. Words in capitals stand for secrets and for what differs each time; what follows Basic is Base64 of the client id and such a word."
            </p>
            {(!filled.own.is_empty()).then(|| fill(client.id, &filled))}
            {run.requests.iter().map(request).collect::<Vec<_>>()}
            {section("Read an answer", "Its tokens are masked and not kept", view! {
                {last.clone().map(|last| reading(last.reading))}
                {ask(client.id, &filled.values, &run.requests, last, read)}
            })}
        }
        .into_any()
    })
}

/// What a connection would fill in, as the address says it.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct Filled {
    own: Vec<Variable>,
    values: BTreeMap<String, String>,
    wrong: Option<String>,
}

fn fill(client: Uuid, filled: &Filled) -> AnyView {
    let fields = filled.own.iter().map(|variable| {
        let value = variable.value(&filled.values).unwrap_or_default();
        let name = path::variable(&variable.name);
        match variable.choices.is_empty() {
            true => typed(name, &variable.label, "text", value.to_owned()),
            false => chosen(name, &variable.label, options(variable, value), value),
        }
    });
    let content = view! {
        <form method="get" action=path::client_dry_run(client) class="bar">
            {fields.collect::<Vec<_>>()}
            <div class="bar-go">
                <button type="submit" class="button">
                    "Fill in"
                </button>
            </div>
        </form>
        {filled.wrong.clone().map(|wrong| view! { <p class="warning">{wrong}</p> })}
    };
    section("One connection's own", "These stand in its requests", content)
}

fn request(request: &DryRequest) -> AnyView {
    let content = match &request.problem {
        Some(problem) => view! { <p class="warning">{problem.clone()}</p> }.into_any(),
        None => view! { <pre class="raw">{text(request)}</pre> }.into_any(),
    };
    section(voice::call(&request.call), "", content)
}

/// As it would stand on the wire.
fn text(request: &DryRequest) -> String {
    let headers =
        request.headers.iter().map(|header| format!("{}: {}\n", header.name, header.value));
    let headers: String = headers.collect();
    let DryRequest { method, url, body, .. } = request;
    let gap = if body.is_empty() { "" } else { "\n" };
    format!("{method} {url}\n{headers}{gap}{body}")
}

fn ask(
    client: Uuid,
    values: &BTreeMap<String, String>,
    requests: &[DryRequest],
    last: Option<LastReading>,
    doing: Doing<Read>,
) -> AnyView {
    let trouble = doing.trouble;
    let (status, content_type, answered) = last
        .map(|last| (last.status, last.content_type, last.answers.as_str()))
        .unwrap_or_default();
    let answers = [
        ("exchange", "a code or a token that was redeemed"),
        ("refresh", "a refresh"),
        ("client_credentials", "client credentials"),
    ];
    // What is not asked for is not answered.
    let asked = |call: &str| requests.iter().any(|request| request.call == call);
    let answers = answers.into_iter().filter(|(value, _)| match *value {
        "exchange" => ["exchange", "device_token", "token_exchange"].into_iter().any(asked),
        call => asked(call),
    });
    let answers = answers.map(|(value, name)| (value.to_owned(), name.to_owned())).collect();
    let own = values
        .iter()
        .map(|(name, value)| {
            let name = format!("variables[{name}]");
            view! { <input type="hidden" name=name value=value.clone()/> }
        })
        .collect::<Vec<_>>();
    let fields = view! {
        {hidden("client", client)}
        {own}
        <Text
            name="body"
            label="What the token endpoint answered"
            trouble=trouble
            rows=8
            mono=true
            required=true
            placeholder="{ \"access_token\": …, \"expires_in\": 3600 }"
        />
        <Text
            name="status"
            label="Status"
            trouble=trouble
            value=status
            placeholder="200"
        />
        <Text
            name="content_type"
            label="Content type"
            trouble=trouble
            value=content_type
            placeholder="application/json"
        />
        <Choice
            name="answers"
            label="It answers"
            trouble=trouble
            required=true
            options=answers
            value=answered
        />
        <div class="actions">
            <Submit label="Read it" pending=doing.pending/>
        </div>
        <Answered trouble=trouble/>
    };
    // Our script leaves the sample where it was pasted, so that it can be corrected and read again.
    action_form(doing, "form is-kept", fields)
}

fn reading(reading: Reading) -> AnyView {
    match reading {
        Reading::Grant(grant) => granted(*grant),
        Reading::Refusal(refusal) => refused(refusal),
    }
}

fn granted(grant: GrantReading) -> AnyView {
    let moment = |at: Option<OffsetDateTime>, otherwise: &'static str| match at {
        Some(at) => view! { <Exact at=at/> }.into_any(),
        None => otherwise.into_any(),
    };
    let scopes = match grant.scopes {
        Some(scopes) if scopes.is_empty() => "none".into(),
        Some(scopes) => scopes.join(" "),
        None => "not told: those that were asked for".into(),
    };
    let account = match (grant.account_label, grant.account_id) {
        (Some(label), Some(id)) => format!("{label} ({id})"),
        (_, Some(id)) => id,
        _ => "not told in this answer".into(),
    };
    let mut facts = vec![
        fact("Access token", grant.access_token),
        fact("Its type", grant.token_type),
        fact("Access token ends", moment(grant.access_expires_at, "not known")),
        fact("Refresh token", grant.refresh_token.unwrap_or_else(|| "none in this answer".into())),
        fact("Refresh token ends", moment(grant.refresh_expires_at, "not known")),
        fact("Would be refreshed", moment(grant.due_at, "never")),
        fact("Needs a person", moment(grant.needs_human_by, "not in sight")),
        fact("Scopes", scopes),
        fact("Account", account),
    ];
    facts.extend(grant.id_token_problem.map(|why| fact("Id token refused", why)));
    facts.extend(grant.extras.into_iter().map(|(name, value)| fact(name, value.to_string())));
    let unreadable = grant.unreadable_expiries.into_iter().map(voice::unreadable_expiry);
    let unreadable = unreadable.map(|text| said(false, text)).collect::<Vec<_>>();
    let unread = unread(grant.unread_fields);
    view! {
        <p class="said" data-tone="well">"Regrant would take this as a token set."</p>
        {unreadable}
        {unread}
        <dl class="facts">{facts}</dl>
    }
    .into_any()
}

fn refused(refusal: RefusalReading) -> AnyView {
    let mut facts = vec![fact("Class", view! { <code>{refusal.class.as_str()}</code> })];
    facts.extend(refusal.code.map(|code| fact("Code", view! { <code>{code}</code> })));
    facts.extend(refusal.description.map(|text| fact("What it said", text)));
    view! {
        <p class="said" data-tone="ill">{voice::sample_refused(refusal.class)}</p>
        {refusal.body_problem.map(|text| said(false, text))}
        {unread(refusal.unread_fields)}
        <dl class="facts">{facts}</dl>
    }
    .into_any()
}

fn unread(fields: Vec<String>) -> Vec<AnyView> {
    fields.into_iter().map(|place| said(false, voice::unread_field(&place))).collect()
}

fn fact(name: impl Into<String>, value: impl IntoView + 'static) -> AnyView {
    let (name, value) = (name.into(), value.into_any());
    view! {
        <div>
            <dt>{name}</dt>
            <dd>{value}</dd>
        </div>
    }
    .into_any()
}
