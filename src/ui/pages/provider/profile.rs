//! A profile in words: what one looks up before registering a client, with the whole as JSON below.

use leptos::prelude::*;
use time::Duration;

use crate::domain::{
    provider::{Call, Profile, WithoutExpiry},
    voice,
};

pub fn profile(profile: &Profile) -> AnyView {
    let endpoints = profile
        .endpoints
        .iter()
        .map(|(name, template)| {
            view! {
                <div>
                    <dt>{name.replace('_', " ")}</dt>
                    <dd>
                        <code>{template.to_owned()}</code>
                    </dd>
                </div>
            }
        })
        .collect::<Vec<_>>();
    let variables = profile
        .variables
        .iter()
        .map(|variable| {
            let values = variable
                .choices
                .iter()
                .map(|choice| choice.label.clone())
                .collect::<Vec<_>>()
                .join(", ");
            let about = match (values.is_empty(), &variable.default) {
                (false, _) => values,
                (true, Some(default)) => format!("{default} unless said otherwise"),
                (true, None) if variable.optional => "may stay empty".into(),
                (true, None) => "each client fills it in".into(),
            };
            view! {
                <div>
                    <dt>{variable.label.clone()}</dt>
                    <dd>
                        {about}
                        {variable.help.clone().map(|help| view! { <p class="help">{help}</p> })}
                    </dd>
                </div>
            }
        })
        .collect::<Vec<_>>();
    let facts = facts(profile)
        .into_iter()
        .map(|(name, value)| {
            view! {
                <div>
                    <dt>{name}</dt>
                    <dd>{value}</dd>
                </div>
            }
        })
        .collect::<Vec<_>>();
    view! {
        {profile.notes.clone().map(|notes| view! { <p class="prose">{notes}</p> })}
        <dl class="facts">{facts}</dl>
        <dl class="facts">{variables}</dl>
        <dl class="facts">{endpoints}</dl>
    }
    .into_any()
}

fn facts(profile: &Profile) -> Vec<(&'static str, String)> {
    let grants = profile.grants.iter().map(|grant| voice::beginning(*grant)).collect::<Vec<_>>();
    let proof = profile.request.authentication(Call::Refresh).method;
    let mut facts = vec![
        (
            "Begins by",
            if grants.is_empty() { voice::IMPORT_ONLY.into() } else { grants.join(", ") },
        ),
        ("Kept alive", voice::renewal(profile.renewal).into()),
        ("Client proves itself by", voice::authentication(proof).into()),
        ("Requests are written as", voice::encoding(profile.request.encoding).into()),
        ("Code challenge (PKCE)", voice::pkce(profile.authorization.pkce).into()),
        ("New refresh token", voice::rotation(profile.policy.rotation).into()),
    ];
    let lifetimes = &profile.lifetimes;
    match lifetimes.access_seconds {
        Some(seconds) => facts.push(("Access token lives", length(seconds))),
        None => {
            let is_endless = profile.is_endless().then_some(WithoutExpiry::Endless);
            let what = is_endless.unwrap_or(lifetimes.without_expiry);
            facts.push(("Access token without an expiry", voice::without_expiry(what).into()));
        }
    }
    if let Some(seconds) = lifetimes.refresh_seconds {
        let from = voice::refresh_lifetime(lifetimes.refresh_kind);
        facts.push(("Refresh token lives", format!("{} {from}", length(seconds))));
    }
    if let Some(seconds) = lifetimes.refresh_idle_seconds {
        facts.push(("Refresh token idles out after", length(seconds)));
    }
    if !profile.authorization.default_scopes.is_empty() {
        facts.push(("Usual scopes", profile.authorization.default_scopes.join(" ")));
    }
    if profile.policy.replacing_secret_revokes_grants {
        facts.push(("A new client secret", "ends every connection of the client".into()));
    }
    facts
}

fn length(seconds: u64) -> String {
    voice::span(Duration::seconds(i64::try_from(seconds).unwrap_or(i64::MAX)))
}

/// The profile as the API gives it.
pub fn json(profile: &Profile) -> String {
    serde_json::to_string_pretty(profile).unwrap_or_default()
}
