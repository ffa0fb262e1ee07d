//! Support's home: find the customer's connection, send a link, see how far everyone is.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use crate::{
    domain::{
        access::Permission,
        campaign::Campaign,
        connection::{ConnectionFilter, ConnectionList, Sort, Standing, State},
        page::Paging,
        relink::{RelinkList, RelinkShow},
        voice::{self, Empty},
    },
    rpc::{self, relink::Create},
    ui::{
        components::{
            badge::StandingBadge,
            field::Submit,
            head::{head, link, section},
            notice::{Answered, nothing},
        },
        path,
        patterns::{
            action::{Doing, action_form, hidden},
            customers::campaigns,
            filter::{filter_bar, typed},
            live::{live_counted, live_on},
            load::{May, loaded, unread},
            pager::Pager,
            relinks::entries,
        },
    },
};

/// Campaigns are counted over all their customers.
const PACE: u32 = 2;
/// How many connections a search shows: whoever it is has to be told apart at a glance.
const FOUND: u32 = 12;

#[component]
pub fn Desk() -> impl IntoView {
    let params = use_query_map();
    let create = Doing::<Create>::new();
    let query = move || {
        params.with(|params| {
            let show = (path::relink_show(params), path::relink_show_unread(params));
            (path::filled(params, "q"), show, path::paging(params))
        })
    };
    let desk = Resource::new_blocking(query, |(q, (show, odd), paging)| async move {
        if let Some(odd) = odd {
            return unread(&odd);
        }
        let found = match q {
            Some(q) => Some(rpc::connection::list(asked(q), first()).await?),
            None => None,
        };
        let many = rpc::campaign::list().await?;
        Ok((found, many, rpc::relink::list(show, paging).await?))
    });
    loaded(desk, move |(found, many, list), may| {
        let q = params.with_untracked(|params| path::filled(params, "q"));
        let show = params.with_untracked(path::relink_show);
        view! {
            {head("Relink desk", None, ())}
            {filter_bar(
                path::RELINKS,
                q.is_some(),
                typed("q", "Whose connection? Label, account or external id", "search", q.unwrap_or_default()),
            )}
            {found.map(|found| section("Found", "What needs a person soonest comes first", results(found, &may, create)))}
            {section("Campaigns", "Links for many customers at once", campaigns_and_more(many))}
            {section("Links", "", links(list, show))}
        }
    })
}

fn asked(q: String) -> ConnectionFilter {
    ConnectionFilter { q: Some(q), sort: Some(Sort::NeedsHumanBy), ..ConnectionFilter::default() }
}

fn first() -> Paging {
    Paging { cursor: None, limit: Some(FOUND) }
}

fn results(found: ConnectionList, may: &May, create: Doing<Create>) -> AnyView {
    if found.page.items.is_empty() {
        return nothing(Empty::ConnectionsFound, ());
    }
    let more = found.page.next.is_some();
    let as_of = found.as_of;
    let rows = found
        .page
        .items
        .into_iter()
        .enumerate()
        .map(|(at, connection)| {
            let standing = connection.standing(as_of);
            let name = connection.name().to_owned();
            let account = connection.account_label.clone().filter(|account| *account != name);
            let external = connection.external_id.clone();
            let none = voice::no_relink(&connection);
            let makes = may.allows(Permission::ConnectionsRelink) && none.is_none();
            let mind = voice::unknown_account(&connection).filter(|_| makes);
            let anew = (connection.state == State::Disconnected
                && may.allows(Permission::ConnectionsWrite))
            .then(|| {
                link(path::connection_new(connection.client_id), "button is-small", "Connect anew")
            });
            let form = makes.then(|| {
                let weight = match standing {
                    Standing::NeedsPerson | Standing::Pending => "primary",
                    _ => "",
                };
                let sent = view! {
                    {hidden("id", connection.id)}
                    <Submit label="Create a link" pending=create.pending weight/>
                };
                action_form(create, "form is-inline", sent)
            });
            view! {
                <li class="found">
                    <StandingBadge standing/>
                    <div class="found-name">
                        // Whoever searched goes on from what was found.
                        <a href=path::connection(connection.id) autofocus=at == 0>
                            {name}
                        </a>
                        <p class="sub">
                            {connection.client_name}
                            {account.map(|account| format!(" · {account}"))}
                            {external.map(|external| format!(" · {external}"))}
                        </p>
                        {none.map(|why| view! { <p class="sub">{why}</p> })}
                        {mind.map(|mind| view! { <p class="sub">{mind}</p> })}
                    </div>
                    {form} {anew}
                </li>
            }
        })
        .collect::<Vec<_>>();
    view! {
        <Answered trouble=create.trouble/>
        <ul class="lines">{rows}</ul>
        {more.then(|| view! { <p class="help">{voice::more_found()}</p> })}
    }
    .into_any()
}

/// What is under way for many at once, and the way to begin more of it.
fn campaigns_and_more(many: Vec<Campaign>) -> AnyView {
    let shown = (!many.is_empty()).then(|| campaigns(many));
    view! {
        {live_counted("campaigns", "relinks", PACE, shown)}
        <p class="actions">
            {link(path::RELINKS_MANY, "button", "Who needs a link?")} <span class="quiet">
                "Scope drift, the aftermath of an outage, a new client secret"
            </span>
        </p>
    }
    .into_any()
}

fn links(list: RelinkList, shown: RelinkShow) -> AnyView {
    let shows = RelinkShow::ALL
        .into_iter()
        .map(|show| {
            let current = (show == shown).then_some("page");
            view! {
                <a href=path::relinks(show) aria-current=current>
                    {voice::relink_show(show)}
                </a>
            }
        })
        .collect::<Vec<_>>();
    let content = if list.page.items.is_empty() {
        nothing(Empty::RelinksSent, ())
    } else {
        entries(list.page.items, list.as_of)
    };
    view! {
        <nav class="links" aria-label="Which links">{shows}</nav>
        {live_on("relinks", "relinks", content)}
        <Pager next=list.page.next/>
    }
    .into_any()
}
