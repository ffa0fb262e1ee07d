//! Whether the provider takes a client's credentials: the button that asks, what was found, and with it
//! the first steps of a new client.

use leptos::prelude::*;

use crate::{
    domain::{
        check::{CredentialCheck, Doubt, Finding},
        client::Client,
        provider::Profile,
        voice,
    },
    rpc::client::Check,
    ui::{
        components::{
            copy::Copyable,
            glyph,
            head::{link, section},
            moment::Exact,
        },
        path,
        patterns::{
            action::{Doing, button_form, hidden},
            attempts::own_words,
        },
    },
};

/// What the check before this page found.
pub fn found(client: &Client, profile: &Profile, found: &CredentialCheck) -> AnyView {
    let told = voice::check(found, &profile.name, client.state);
    let (tone, shape) = match told.well {
        Some(true) => ("well", glyph::TICK),
        Some(false) => ("ill", glyph::CROSS),
        None => ("unsure", glyph::DASH),
    };
    let words = found
        .said
        .as_ref()
        .and_then(|said| own_words(said.status, said.code.as_deref(), said.description.as_deref()));
    // Nothing else tells what has to be mended.
    let is_cause = found.finding == Finding::Unknown
        && found.said.as_ref().is_some_and(|said| said.status.is_none());
    let summary = match found.doubt {
        Some(Doubt::Unsent) => "Why".to_owned(),
        _ if is_cause => "What happened".to_owned(),
        _ => format!("What {} said", profile.name),
    };
    let asked = found.way.map(|way| {
        view! {
            <p class="sub">
                {format!("{} was {}, at ", profile.name, voice::check_way(way))}
                <Exact at=found.checked_at/> "."
            </p>
        }
    });
    view! {
        <div class="notice" data-tone=tone role="status" data-kept=secret(client)>
            {glyph::shape(shape)}
            <div>
                <strong>{told.title}</strong>
                <p>{told.text}</p>
                {asked}
                {words
                    .map(|words| {
                        view! {
                            <details class="fold" open=is_cause>
                                <summary>{summary}</summary>
                                <pre>{words}</pre>
                            </details>
                        }
                    })}
            </div>
        </div>
    }
    .into_any()
}

/// With which secret a client was checked: what was found is told as long as it is that.
pub fn secret(client: &Client) -> String {
    client
        .secret_set_at
        .map_or_else(|| "none".to_owned(), |at| at.unix_timestamp_nanos().to_string())
}

/// The button that asks.
pub fn button(client: &Client, doing: Doing<Check>) -> AnyView {
    button_form(doing, hidden("id", client.id), "Check credentials", "")
}

/// What comes between registering a client and its first connection.
pub fn first_steps(client: &Client, profile: &Profile, doing: Doing<Check>) -> AnyView {
    let steps = view! {
        <ol class="first-steps">
            <li>
                <Copyable
                    id="redirect-uri"
                    label="Redirect URI"
                    value=client.redirect_uri.clone()
                    help=format!("Register it at {} letter by letter, if you have not yet.", profile.name)
                />
            </li>
            <li>
                <p>{voice::checking(&profile.name)}</p>
                <div class="actions">{button(client, doing)}</div>
            </li>
            <li>
                <p>"The account's owner consents, and Regrant keeps it alive from then on."</p>
                <div class="actions">
                    {link(
                        path::connection_new(client.id),
                        "button is-primary",
                        "Connect the first account",
                    )}
                </div>
            </li>
        </ol>
    };
    section("First steps", "Until it has a connection", steps)
}
