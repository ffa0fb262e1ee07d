//! Links for many: what gives reason to send them, and whom it concerns.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    domain::{
        access::Permission,
        connection::ConnectionFilter,
        job::Share,
        page::Count,
        voice::{self, Occasion},
    },
    rpc,
    ui::{
        components::head::{head, link, section},
        path,
        patterns::load::{May, loaded},
    },
};

#[component]
pub fn Many() -> impl IntoView {
    let params = use_query_map();
    let occasions = Resource::new_blocking(
        move || params.with(|params| path::filled(params, "since")),
        rpc::campaign::reasons,
    );
    loaded(occasions, move |occasions, may| {
        let since = params.with_untracked(|params| path::filled(params, "since"));
        let drift =
            |client| ConnectionFilter { client, drift: true, ..ConnectionFilter::default() };
        let from = occasions.since;
        let dead = move |client| ConnectionFilter {
            client,
            dead_since: Some(from),
            ..ConnectionFilter::default()
        };
        let secret = |client| ConnectionFilter { client, ..ConnectionFilter::default() };
        view! {
            {head("Links for many", Some(("Relink desk", path::RELINKS)), ())}
            <p class="lead">{voice::CAMPAIGN}</p>
            {section("Scope drift", "", concerned(Occasion::Drift, occasions.drift, drift, &may))}
            {section(
                "After an outage",
                "",
                view! {
                    {spans(since.as_deref(), from)}
                    {concerned(Occasion::Outage, occasions.dead, dead, &may)}
                },
            )}
            {section(
                "A new client secret",
                "",
                concerned(Occasion::Secret, occasions.secrets, secret, &may),
            )}
        }
    })
}

/// Since when.
fn spans(since: Option<&str>, from: OffsetDateTime) -> AnyView {
    let links = [("day", "last day"), ("week", "last week")]
        .into_iter()
        .map(|(span, name)| {
            let current = (since.unwrap_or("week") == span).then_some("page");
            view! {
                <a href=path::relinks_many(span) aria-current=current>
                    {name}
                </a>
            }
        })
        .collect::<Vec<_>>();
    view! {
        <form method="get" action=path::RELINKS_MANY class="bar since">
            <nav class="links" aria-label="Since when">{links}</nav>
            <label class="bar-field">
                <span>"Since"</span>
                <input type="date" name="since" value=path::day_of(from) required/>
            </label>
            <button type="submit" class="button">
                "Show"
            </button>
        </form>
    }
    .into_any()
}

/// Whom an occasion concerns, client by client, and the way to their links.
fn concerned(
    occasion: Occasion,
    shares: Vec<Share>,
    filter: impl Fn(Option<Uuid>) -> ConnectionFilter,
    may: &May,
) -> AnyView {
    if shares.is_empty() {
        return view! { <p class="quiet">{voice::no_occasion(occasion)}</p> }.into_any();
    }
    let makes = may.allows(Permission::ConnectionsRelink);
    let name = voice::occasion_name(occasion);
    let total: i64 = shares.iter().map(|share| share.count).sum();
    // Each secret is replaced by itself.
    let all = (makes && shares.len() > 1 && occasion != Occasion::Secret).then(|| {
        let label = format!("Create links for all {}", voice::grouped(total));
        view! {
            <p class="actions">
                {link(path::campaign_new(name, &filter(None)), "button is-primary", label)}
            </p>
        }
    });
    let rows = shares
        .into_iter()
        .map(|share| {
            let filter = filter(Some(share.client_id));
            let count = voice::connections(Count::Exactly(share.count));
            let begin = makes.then(|| {
                let label = format!("Create links for {count} of {}", share.client);
                view! {
                    <a
                        class="button is-small"
                        href=path::campaign_new(name, &filter)
                        aria-label=label
                    >
                        "Create links"
                    </a>
                }
            });
            view! {
                <tr>
                    <td>{share.client}</td>
                    <td>{link(path::connections(&filter), "", count)}</td>
                    <td>{begin}</td>
                </tr>
            }
        })
        .collect::<Vec<_>>();
    view! {
        <p class="lead">{voice::occasion(occasion)}</p>
        <div class="scroll" tabindex="0" role="region" aria-label=name>
            <table class="table is-narrow">
                <thead>
                    <tr>
                        <th scope="col">"Client"</th>
                        <th scope="col">"Connections"</th>
                        <th scope="col">"What to do"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
        {all}
    }
    .into_any()
}
