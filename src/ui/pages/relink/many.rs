//! Links for many: what gives reason to send them, and whom it concerns.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    domain::{
        access::Permission,
        campaign::{Concern, SecretShare},
        connection::ConnectionFilter,
        page::Count,
        voice::{self, Occasion},
    },
    rpc,
    ui::{
        components::{
            head::{head, link, section},
            moment::day_or_never,
        },
        path,
        patterns::{
            load::{May, loaded},
            table::narrow_table,
        },
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
                with_their_secret(occasions.secrets, &may),
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
    shares: Vec<Concern>,
    filter: impl Fn(Option<Uuid>) -> ConnectionFilter,
    may: &May,
) -> AnyView {
    if shares.is_empty() {
        return view! { <p class="quiet">{voice::no_occasion(occasion)}</p> }.into_any();
    }
    let makes = may.allows(Permission::ConnectionsRelink);
    let name = voice::occasion_name(occasion);
    let total: i64 = shares.iter().map(|share| share.possible).sum();
    let all = (makes && shares.len() > 1 && total > 0).then(|| {
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
            let links = voice::connections(Count::Exactly(share.possible));
            let begin =
                (makes && share.possible > 0).then(|| begin(name, &filter, &links, &share.client));
            let minded = voice::concern(occasion, &share)
                .into_iter()
                .map(|text| view! { <p class="sub">{text}</p> })
                .collect::<Vec<_>>();
            view! {
                <tr>
                    <td>{share.client}</td>
                    <td>{link(path::connections(&filter), "", count)} {minded}</td>
                    <td>{begin}</td>
                </tr>
            }
        })
        .collect::<Vec<_>>();
    view! {
        <p class="lead">{voice::occasion(occasion)}</p>
        {narrow_table(name, &["Client", "Connections", "What to do"], rows)}
        {all}
    }
    .into_any()
}

/// The way to the links of one client's connections.
fn begin(name: &str, filter: &ConnectionFilter, count: &str, client: &str) -> AnyView {
    let label = format!("Create links for {count} of {client}");
    view! {
        <a class="button is-small" href=path::campaign_new(name, filter) aria-label=label>
            "Create links"
        </a>
    }
    .into_any()
}

/// The clients whose connections end with their secret. Each secret is replaced by itself, and as long as it is
/// not, nobody needs a link.
fn with_their_secret(shares: Vec<SecretShare>, may: &May) -> AnyView {
    if shares.is_empty() {
        let none = voice::no_occasion(Occasion::Secret);
        return view! { <p class="quiet">{none}</p> }.into_any();
    }
    let makes = may.allows(Permission::ConnectionsRelink);
    let name = voice::occasion_name(Occasion::Secret);
    let rows = shares
        .into_iter()
        .map(|share| {
            let client = Some(share.client_id);
            let all = ConnectionFilter { client, ..ConnectionFilter::default() };
            let dead = ConnectionFilter { dead_since: share.since, ..all.clone() };
            let count = |count| voice::connections(Count::Exactly(count));
            let concerned = share.dead > 0;
            let who = match concerned {
                true => link(path::connections(&dead), "", count(share.dead)).into_any(),
                false => view! { <span class="quiet">"nobody"</span> }.into_any(),
            };
            let begin =
                (makes && concerned).then(|| begin(name, &dead, &count(share.dead), &share.client));
            view! {
                <tr>
                    <td>{share.client}</td>
                    <td>{link(path::connections(&all), "", count(share.count))}</td>
                    <td>{day_or_never(share.replaced_at)}</td>
                    <td>{who}</td>
                    <td>{begin}</td>
                </tr>
            }
        })
        .collect::<Vec<_>>();
    view! {
        <p class="lead">{voice::occasion(Occasion::Secret)}</p>
        {narrow_table(
            name,
            &[
                "Client",
                "Connections",
                "Secret replaced",
                "Came to need a person",
                "What to do",
            ],
            rows,
        )}
    }
    .into_any()
}
