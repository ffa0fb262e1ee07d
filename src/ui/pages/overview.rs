//! What will break, when, and what to do about it.

use leptos::prelude::*;
use leptos_router::components::A;

use crate::{
    domain::{
        access::Permission,
        client::Client,
        connection::{SOON, Standing, StateName},
        overview::Overview,
        voice::{self, Empty},
    },
    rpc,
    ui::{
        components::{
            badge::ClientBadge,
            chart, glyph,
            head::{head, link, section},
            moment::Exact,
            notice::nothing,
        },
        path,
        patterns::{
            board::board,
            load::{May, loaded},
        },
    },
};

#[component]
pub fn Page() -> impl IntoView {
    let overview = Resource::new_blocking(|| (), |()| rpc::overview::get());
    loaded(
        overview,
        |overview, may| {
            if overview.has_clients { at_a_glance(overview) } else { begin(&may) }
        },
    )
}

fn begin(may: &May) -> AnyView {
    let may_write = may.allows(Permission::ClientsWrite);
    view! {
        {head("Overview", None, ())}
        {nothing(Empty::Everything, view! {
            {may_write
                .then(|| {
                    view! {
                        {link(path::CLIENT_NEW, "button is-primary", "Register a client")}
                    }
                })} {link(path::PROVIDERS, "button", "Look at the providers")}
        })}
    }
    .into_any()
}

fn at_a_glance(overview: Overview) -> AnyView {
    let as_of = overview.as_of;
    let needs_human = if overview.needs_human.is_empty() {
        nothing(Empty::NeedsHuman, ())
    } else {
        board(overview.needs_human.clone(), as_of)
    };
    let quiet = overview
        .expiries
        .iter()
        .all(|each| each.access == 0 && each.refresh == 0 && each.needs_human == 0);
    let expiries = if quiet {
        nothing(Empty::Expiries, ())
    } else {
        chart::expiries(&overview.expiries, as_of)
    };
    let refreshes = if overview.refreshes.overdue == 0
        && overview.refreshes.buckets.iter().all(|bucket| bucket.due == 0)
    {
        nothing(Empty::Refreshes, ())
    } else {
        chart::refreshes(&overview.refreshes, as_of)
    };
    let troubles =
        overview.clients_in_trouble.iter().map(|client| card(client, as_of)).collect::<Vec<_>>();
    view! {
        {head("Overview", None, view! {
            <p class="as-of">"As of " <Exact at=as_of/></p>
        })}
        {counts(&overview)}
        {(!troubles.is_empty())
            .then(|| {
                view! {
                    {section("Clients in trouble", "", view! {
                        <ul class="cards">{troubles}</ul>
                    })}
                }
            })}
        {section("Needs a person", "Soonest first", view! {
            {needs_human}
        })}
        {section("What runs out", "Over the time ahead", view! {
            {expiries}
        })}
        {section("Refreshes ahead", "By themselves, over the next day", view! {
            {refreshes}
        })}
    }
    .into_any()
}

/// The standings in the order of how much they ask of a person.
const ORDER: [Standing; 8] = [
    Standing::NeedsPerson,
    Standing::Soon,
    Standing::ClientRefused,
    Standing::Retrying,
    Standing::Pending,
    Standing::Paused,
    Standing::Alive,
    Standing::Disconnected,
];

fn counts(overview: &Overview) -> AnyView {
    let count = |standing: Standing| {
        overview
            .counts
            .iter()
            .find(|(counted, _)| *counted == standing)
            .map_or(0, |(_, count)| *count)
    };
    let always = [Standing::NeedsPerson, Standing::Soon, Standing::Retrying, Standing::Alive];
    let cells = ORDER
        .into_iter()
        .map(|standing| (standing, count(standing)))
        .filter(|(standing, count)| *count > 0 || always.contains(standing))
        .map(|(standing, count)| {
            view! {
                <li data-state=standing.as_str() class:is-none=count == 0>
                    <A href=address(standing, overview) attr:title=voice::meaning(standing)>
                        <span class="count">{voice::grouped(count)}</span>
                        <span class="count-word">{glyph::standing(standing)} {standing.word()}</span>
                    </A>
                </li>
            }
        })
        .collect::<Vec<_>>();
    view! {
        <ul class="counts" aria-label="Connections by state">
            {cells}
        </ul>
    }
    .into_any()
}

/// The list that shows what was counted, as near as its filters come.
fn address(standing: Standing, overview: &Overview) -> String {
    match standing {
        Standing::Alive => path::connections_in(StateName::Active),
        Standing::Soon => path::connections_needing_human(overview.as_of + SOON),
        Standing::Retrying => path::connections_in(StateName::Retrying),
        Standing::NeedsPerson => path::connections_in(StateName::NeedsReauth),
        Standing::Pending => path::connections_in(StateName::Pending),
        Standing::Disconnected => path::connections_in(StateName::Disconnected),
        Standing::ClientRefused | Standing::Paused => {
            match overview.clients_in_trouble.as_slice() {
                [only] => path::connections_of_client(only.id),
                _ => path::CLIENTS.to_owned(),
            }
        }
    }
}

fn card(client: &Client, as_of: time::OffsetDateTime) -> AnyView {
    view! {
        <li class="card" data-state=crate::ui::components::badge::client_tone(client.state)>
            <h3>
                {link(path::client(client.id), "", client.name.clone())}
            </h3>
            <p class="card-state">
                <ClientBadge state=client.state/>
                {format!(" for {}", voice::span(as_of - client.state_since))}
            </p>
            <p>{voice::client_trouble(client)}</p>
        </li>
    }
    .into_any()
}
