//! Connections as on a departure board: one row each, *now* in the same place in all of them.

use std::collections::BTreeSet;

use leptos::prelude::*;
use time::OffsetDateTime;

use crate::{
    domain::{
        connection::{Connection, Standing, State},
        lifeline::Life,
        provider::AccessTokens,
        voice,
    },
    ui::{
        components::{badge::StandingBadge, lifeline, moment::Ago},
        path,
    },
};

/// `endless`: the providers whose access tokens have no end.
pub fn board(
    connections: Vec<Connection>,
    endless: &BTreeSet<String>,
    as_of: OffsetDateTime,
) -> AnyView {
    board_of(connections, endless, as_of, None)
}

/// A board whose rows can be chosen: their boxes belong to the form of this id.
pub fn board_to_choose(
    connections: Vec<Connection>,
    endless: &BTreeSet<String>,
    as_of: OffsetDateTime,
    form: &'static str,
) -> AnyView {
    board_of(connections, endless, as_of, Some(form))
}

fn board_of(
    connections: Vec<Connection>,
    endless: &BTreeSet<String>,
    as_of: OffsetDateTime,
    form: Option<&'static str>,
) -> AnyView {
    let rows = connections
        .into_iter()
        .map(|connection| {
            let choice = form.map(|form| choice(&connection, form));
            let tokens = AccessTokens::of(&connection.provider, endless);
            view! { <li class="board-row">{choice} {row(connection, tokens, as_of)}</li> }
                .into_any()
        })
        .collect();
    framed(rows, form.is_some())
}

/// Rows below the names of their columns.
pub fn framed(rows: Vec<AnyView>, choosing: bool) -> AnyView {
    let class = if choosing { "board is-choosing" } else { "board" };
    view! {
        <div class=class>
            <div class="board-head" aria-hidden="true">
                {choosing.then(|| view! { <span></span> })}
                <span>"State"</span>
                <span>"Connection"</span>
                {lifeline::axis()}
                <span class="board-by">"Needs a person"</span>
            </div>
            <ol>{rows}</ol>
        </div>
    }
    .into_any()
}

fn choice(connection: &Connection, form: &'static str) -> AnyView {
    let label = format!("Choose {}", connection.name());
    view! {
        <label class="board-choice">
            <input
                type="checkbox"
                name="id"
                value=connection.id.to_string()
                form=form
                aria-label=label
            />
        </label>
    }
    .into_any()
}

/// What stands in a row. `tokens`: its provider's.
pub fn row(connection: Connection, tokens: AccessTokens, as_of: OffsetDateTime) -> AnyView {
    let standing = connection.standing(as_of);
    let life = Life::of(&connection, &[], as_of);
    let name = connection.name().to_owned();
    let about = voice::in_short(&connection, tokens, as_of);
    let account = connection.account_label.clone().filter(|account| *account != name);
    let by = match (standing, life.dead_since.or(connection.person_by())) {
        (Standing::Disconnected, _) => view! { <span class="quiet">"–"</span> }.into_any(),
        (Standing::Pending, _) => view! { <strong>{voice::FIRST_CONSENT}</strong> }.into_any(),
        // Its client is switched off.
        _ if connection.state == State::Pending => voice::FIRST_CONSENT.into_any(),
        (_, Some(by)) => view! { <Ago at=by as_of/> }.into_any(),
        (_, None) => {
            view! { <span class="quiet">{voice::no_moment(&connection, tokens)}</span> }.into_any()
        }
    };
    view! {
        <div class="board-state">
            <StandingBadge standing/>
        </div>
        <div class="board-name">
            <a href=path::connection(connection.id)>{name}</a>
            <p title=about>
                {connection.client_name} {account.map(|account| format!(" · {account}"))}
            </p>
        </div>
        <div class="board-line">{lifeline::row(&life, standing)}</div>
        <div class="board-by">
            <span class="board-cap">"Needs a person: "</span>
            {by}
        </div>
    }
    .into_any()
}
