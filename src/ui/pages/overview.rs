//! What will break, when, and what to do about it.

use leptos::prelude::*;
use leptos_router::{components::A, hooks::use_query_map};
use time::OffsetDateTime;

use crate::{
    domain::{
        access::Permission,
        client::{Client, StateName as ClientState},
        connection::{SOON, Standing},
        overview::{Overview, Scale},
        voice::{self, Empty},
    },
    rpc,
    ui::{
        components::{
            badge::{ClientBadge, StandingBadge, client_tone},
            chart, glyph,
            head::{head, link, section},
            moment::{Exact, machine},
            notice::nothing,
        },
        path,
        patterns::{
            live::live_at_times,
            load::{May, loaded},
            needs::needs,
        },
    },
};

#[component]
pub fn Page() -> impl IntoView {
    let params = use_query_map();
    let overview = Resource::new_blocking(move || params.with(path::over), rpc::overview::get);
    loaded(
        overview,
        |overview, may| {
            if overview.has_clients { at_a_glance(overview, &may) } else { begin(&may) }
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

fn at_a_glance(overview: Overview, may: &May) -> AnyView {
    let as_of = overview.as_of;
    let troubles = overview
        .clients_in_trouble
        .iter()
        .map(|client| card(client, as_of, may))
        .collect::<Vec<_>>();
    let shown = view! {
        {head("Overview", None, view! {
            <p class="as-of">"As of " <Exact at=as_of/></p>
        })}
        {counts(&overview)}
        {(!troubles.is_empty())
            .then(|| {
                view! {
                    {section("Clients in trouble", "Mend these first", view! {
                        <ul class="cards">{troubles}</ul>
                        {overview
                            .hides_clients()
                            .then(|| {
                                view! {
                                    <p class="more">{link(path::CLIENTS, "", voice::MORE_CLIENTS)}</p>
                                }
                            })}
                    })}
                }
            })}
        {section("Needs a person", "Soonest first", needed(&overview, may))}
        {section("What runs out", "Over the time ahead", timeline(&overview))}
        {section("Refreshes", "The day behind and the day ahead", load(&overview))}
    };
    live_at_times("overview", "connections clients", 2, shown)
}

fn needed(overview: &Overview, may: &May) -> AnyView {
    let (ones, groups) = (overview.needs_human.clone(), overview.needs_human_groups.clone());
    // They are counted apart: nothing of theirs can die.
    let pending = overview.count(Standing::Pending);
    let pending = (pending > 0).then(|| {
        let href = path::connections_that_are(Standing::Pending);
        view! { <p class="more">{link(href, "", voice::first_consents(pending))}</p> }
    });
    let unseen = (overview.unseen_ends > 0).then(|| {
        let href = path::connections(&Overview::unseen());
        view! { <p class="more">{link(href, "", voice::unseen_ends(overview.unseen_ends))}</p> }
    });
    let tokenless = (overview.without_token > 0).then(|| {
        let href = path::connections(&overview.tokenless());
        view! { <p class="more">{link(href, "", voice::tokenless(overview.without_token))}</p> }
    });
    let resting = overview.count(Standing::Paused);
    let resting = (resting > 0).then(|| {
        let href = path::connections_that_are(Standing::Paused);
        view! { <p class="more">{link(href, "", voice::resting(resting))}</p> }
    });
    if ones.is_empty() && groups.is_empty() {
        return view! { {nothing(Empty::NeedsHuman, ())} {tokenless} {resting} {unseen} {pending} }
            .into_any();
    }
    let more = overview.hidden_needs();
    let more = (more > 0).then(|| {
        let href = path::connections_needing_human(overview.as_of + SOON);
        view! { <p class="more">{link(href, "", voice::more_needed(more))}</p> }
    });
    view! {
        {needs(ones, groups, overview.as_of, may)}
        {more}
        {tokenless}
        {resting}
        {unseen}
        {pending}
    }
    .into_any()
}

fn timeline(overview: &Overview) -> AnyView {
    let scales = Scale::ALL
        .into_iter()
        .map(|scale| {
            let current = (scale == overview.over).then_some("page");
            view! {
                <a href=path::overview(scale) aria-current=current>
                    {voice::scale(scale)}
                </a>
            }
        })
        .collect::<Vec<_>>();
    let quiet = overview
        .expiries
        .iter()
        .all(|each| each.access == 0 && each.refresh == 0 && each.needs_human == 0);
    let content = match quiet {
        true => nothing(Empty::Expiries, ()),
        false => chart::timeline(&overview.expiries, overview.over, overview.as_of),
    };
    view! {
        <nav class="links" aria-label="How far ahead">
            {scales}
        </nav>
        {content}
    }
    .into_any()
}

fn load(overview: &Overview) -> AnyView {
    let (behind, ahead) = (&overview.attempts, &overview.refreshes);
    let quiet = ahead.overdue == 0
        && ahead.buckets.iter().all(|bucket| bucket.due == 0)
        && behind.iter().all(|bucket| bucket.all() == 0);
    match quiet {
        true => nothing(Empty::Refreshes, ()),
        false => chart::load(behind, ahead, overview.as_of),
    }
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
    let always = [Standing::NeedsPerson, Standing::Soon, Standing::Retrying, Standing::Alive];
    let cells = ORDER
        .into_iter()
        .map(|standing| (standing, overview.count(standing)))
        .filter(|(standing, count)| *count > 0 || always.contains(standing))
        .map(|(standing, count)| {
            view! {
                <li data-state=standing.as_str() class:is-none=count == 0>
                    <A href=path::connections_that_are(standing) attr:title=voice::meaning(standing)>
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

fn card(client: &Client, as_of: OffsetDateTime, may: &May) -> AnyView {
    let said = client.state_detail.clone().map(|said| {
        let id = format!("said-{}", client.id);
        view! {
            <details class="fold" id=id>
                <summary>"What the provider said"</summary>
                <pre>{said}</pre>
            </details>
        }
    });
    let paused = client.paused_until.filter(|_| client.state == ClientState::Ready);
    let remedy = may.allows(Permission::ClientsWrite).then(|| match paused {
        Some(_) => link(path::client_pause(client.id), "button", voice::END_PAUSE),
        None => link(
            path::client_remedy(client.id, client.state),
            "button",
            voice::client_remedy(client.state),
        ),
    });
    let (stands, tone, cause, held_up) = match paused {
        Some(until) => {
            let stands = view! {
                <p class="card-state">
                    <StandingBadge standing=Standing::Paused/>
                    " · ends "
                    <time datetime=machine(until) title=voice::exact(until)>
                        {voice::relative(until, as_of)}
                    </time>
                </p>
            };
            let tone = Standing::Paused.as_str();
            (stands.into_any(), tone, voice::client_paused(until), voice::PAUSED_CONNECTIONS.into())
        }
        None => {
            let stands = view! {
                <p class="card-state">
                    <ClientBadge state=client.state/>
                    " for "
                    <time datetime=machine(client.state_since) title=voice::exact(client.state_since)>
                        {voice::span(as_of - client.state_since)}
                    </time>
                </p>
            };
            let cause = voice::client_cause(client.state).to_owned();
            (stands.into_any(), client_tone(client.state), cause, voice::held_up(client))
        }
    };
    view! {
        <li class="card" data-state=tone>
            <h3>
                {link(path::client(client.id), "", client.name.clone())}
            </h3>
            {stands}
            <p>{cause}</p>
            <p>{link(path::connections_of_client(client.id), "", held_up)}</p>
            {said}
            {remedy.map(|remedy| view! { <p class="actions">{remedy}</p> })}
        </li>
    }
    .into_any()
}
