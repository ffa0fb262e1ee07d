//! What is known of one connection: whose it is, what it may do, and until when.

use leptos::prelude::*;
use time::OffsetDateTime;

use crate::{
    domain::{
        connection::{Connection, GrantType, Reason, State},
        provider::{AccessTokens, Variable},
        voice,
    },
    ui::{
        components::{
            head::link,
            moment::{Ago, Day},
        },
        path,
        patterns::variables::shown,
    },
};

pub fn facts(
    connection: &Connection,
    comes_by: String,
    variables: &[Variable],
    extras: Vec<(String, String)>,
    provider: &str,
    tokens: AccessTokens,
    as_of: OffsetDateTime,
) -> AnyView {
    let none = || view! { <span class="quiet">"none"</span> }.into_any();
    let account = match (&connection.account_label, &connection.account_id) {
        (Some(label), Some(id)) if label != id => view! {
            {label.clone()}
            " "
            <code class="quiet">{id.clone()}</code>
        }
        .into_any(),
        (Some(known), _) | (None, Some(known)) => known.clone().into_any(),
        (None, None) if connection.grant_type == GrantType::ClientCredentials => {
            view! { <span class="quiet">"none: it is the client's own"</span> }.into_any()
        }
        (None, None) => view! { <span class="quiet">"not known yet"</span> }.into_any(),
    };
    let tags = connection
        .tags
        .iter()
        .map(|tag| view! { <span class="tag">{tag.clone()}</span> })
        .collect::<Vec<_>>();
    let when = |at: Option<OffsetDateTime>, absent: &'static str| match at {
        Some(at) => view! {
            <Ago at as_of/>
            <span class="quiet">" · " {voice::exact(at)}</span>
        }
        .into_any(),
        None => view! { <span class="quiet">{absent}</span> }.into_any(),
    };
    let dead_since = connection.dead_since();
    let has_none =
        matches!(connection.state, State::NeedsReauth { reason: Reason::NoRefreshToken, .. });
    let own = variables.iter().filter_map(|variable| {
        let value = variable.value(&connection.variables)?;
        Some((variable.label.clone(), shown(variable, value).into_any()))
    });
    let is_gone = connection.state == State::Disconnected;
    let never = match tokens {
        _ if is_gone => "gone",
        AccessTokens::Endless => "not in sight",
        AccessTokens::Ending => "not known",
    };
    let rows = vec![
        (
            "Client",
            view! {
                {link(path::client(connection.client_id), "", connection.client_name.clone())}
                " at "
                {link(path::provider(&connection.provider), "", provider.to_owned())}
            }
            .into_any(),
        ),
        ("Comes by", comes_by.into_any()),
        ("Access token ends", when(connection.access_expires_at, never)),
        (
            "Refresh token ends",
            if is_gone {
                view! { <span class="quiet">"gone"</span> }.into_any()
            } else if dead_since.is_some() && !has_none {
                view! { <span class="quiet">"no longer accepted"</span> }.into_any()
            } else if connection.has_refresh_token && !has_none {
                when(connection.refresh_expires_at, "no end known")
            } else {
                view! { <span class="quiet">"there is none"</span> }.into_any()
            },
        ),
        ("Next refresh", when(connection.refresh_at(as_of), "none planned")),
        (
            "Needs a person",
            match connection.state {
                State::Pending => voice::FIRST_CONSENT.into_any(),
                _ => {
                    let by = dead_since.or(connection.person_by());
                    when(by, voice::no_moment(connection, tokens))
                }
            },
        ),
        ("Generation", connection.generation.into_any()),
        (
            "External id",
            match &connection.external_id {
                Some(id) => view! { <code>{id.clone()}</code> }.into_any(),
                None => none(),
            },
        ),
        (
            "Tags",
            if tags.is_empty() {
                none()
            } else {
                view! { <span class="tags">{tags}</span> }.into_any()
            },
        ),
        ("Id", view! { <code>{connection.id.to_string()}</code> }.into_any()),
        ("Made", view! { <Day at=connection.created_at/> }.into_any()),
    ];
    let rows = rows.into_iter().map(|(name, value)| (name.to_owned(), value));
    let first = [("Account", account), ("Scopes", scopes(connection, provider))];
    let rows = first
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .chain(own)
        .chain(
            extras
                .into_iter()
                .map(|(name, value)| (name, view! { <code>{value}</code> }.into_any())),
        )
        .chain(rows)
        .map(|(name, value)| {
            let name = match name.as_str() {
                "Generation" => view! { <abbr title=voice::GENERATION>{name}</abbr> }.into_any(),
                _ => name.into_any(),
            };
            view! {
                <div>
                    <dt>{name}</dt>
                    <dd>{value}</dd>
                </div>
            }
        })
        .collect::<Vec<_>>();
    view! { <dl class="facts is-two">{rows}</dl> }.into_any()
}

/// Scopes asked and granted. What differs is said in words, not by colour.
fn scopes(connection: &Connection, provider: &str) -> AnyView {
    let drift = connection.drift();
    let (missing, more) = drift.map(|drift| (drift.missing, drift.more)).unwrap_or_default();
    let granted = &connection.scopes_granted;
    let is_told = connection.holds_tokens() && !granted.is_empty();
    let shown = connection
        .scopes_requested
        .iter()
        .map(|scope| {
            let note = match missing.contains(&scope.as_str()) {
                true => " · not granted",
                false if is_told && !granted.contains(scope) => voice::NOT_NAMED,
                false => "",
            };
            (scope.clone(), note)
        })
        .chain(more.iter().map(|scope| ((*scope).to_owned(), " · not asked for")))
        .map(|(scope, note)| {
            view! {
                <span class="tag" class:is-odd=!note.is_empty()>
                    <code>{scope}</code>
                    {note}
                </span>
            }
        })
        .collect::<Vec<_>>();
    if shown.is_empty() {
        view! { <span class="quiet">"none asked for"</span> }.into_any()
    } else {
        view! {
            <span class="tags">{shown}</span>
            {voice::drift(connection, provider).map(|told| view! { <p class="sub">{told}</p> })}
        }
        .into_any()
    }
}
