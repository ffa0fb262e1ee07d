//! All connections, filtered by what stands in the address.

use leptos::{either::Either, prelude::*};
use leptos_router::hooks::use_query_map;

use crate::{
    domain::{
        access::Permission,
        client::Client,
        connection::{ConnectionFilter, Sort, StateName},
        voice::{self, Empty},
    },
    rpc,
    ui::{
        components::{
            head::{head, link},
            notice::nothing,
        },
        path,
        patterns::{
            board::board,
            filter::{chosen, filter_bar, typed},
            load::loaded,
            pager::Pager,
        },
    },
};

#[component]
pub fn List() -> impl IntoView {
    let params = use_query_map();
    let query =
        move || params.with(|params| (path::connection_filter(params), path::paging(params)));
    let connections = Resource::new_blocking(query, |(filter, paging)| async move {
        let list = rpc::connection::list(filter, paging).await?;
        let clients = rpc::client::list().await?;
        Ok((list, clients))
    });
    loaded(connections, move |(list, clients), may| {
        let filter = params.with_untracked(path::connection_filter);
        let filtered =
            ConnectionFilter { sort: None, ..filter.clone() } != ConnectionFilter::default();
        let connect = may.allows(Permission::ConnectionsWrite);
        // A client that is known already is not asked for.
        let one = match clients.as_slice() {
            [one] => Some(one.id),
            _ => filter.client,
        };
        let button = move || {
            let import =
                one.map_or_else(|| path::CONNECTION_IMPORT.to_owned(), path::client_import);
            view! {
                {link(import, "button", "Import")}
                {link(path::CONNECTION_NEW, "button is-primary", "Connect an account")}
            }
        };
        let content = if list.page.items.is_empty() {
            let place = if filtered { Empty::ConnectionsFound } else { Empty::Connections };
            Either::Left(nothing(place, (connect && !filtered).then(button)))
        } else {
            Either::Right(board(list.page.items, list.as_of))
        };
        view! {
            {head("Connections", None, connect.then(button))}
            {bar(&filter, &clients, filtered)}
            {content}
            <Pager next=list.page.next/>
        }
    })
}

fn bar(filter: &ConnectionFilter, clients: &[Client], filtered: bool) -> AnyView {
    let owned = |value: &str, name: &str| (value.to_owned(), name.to_owned());
    let states = std::iter::once(owned("", "any"))
        .chain(StateName::ALL.iter().map(|state| owned(state.as_str(), voice::state_name(*state))))
        .collect();
    let mut slugs: Vec<&str> = clients.iter().map(|client| client.provider.as_str()).collect();
    slugs.sort_unstable();
    slugs.dedup();
    let providers = std::iter::once(owned("", "any"))
        .chain(slugs.into_iter().map(|slug| owned(slug, slug)))
        .collect();
    let clients = std::iter::once(owned("", "any"))
        .chain(clients.iter().map(|client| (client.id.to_string(), client.name.clone())))
        .collect();
    let sorts = Sort::ALL
        .iter()
        .map(|sort| {
            let value = if *sort == Sort::default() { "" } else { sort.as_str() };
            owned(value, sort_name(*sort))
        })
        .collect();
    let q = filter.q.clone().unwrap_or_default();
    let state = filter.state.map(StateName::as_str).unwrap_or_default();
    let client = filter.client.map(|id| id.to_string()).unwrap_or_default();
    let provider = filter.provider.as_deref().unwrap_or_default();
    let before = filter.needs_human_before.map(path::day).unwrap_or_default();
    let sort = filter.sort.filter(|sort| *sort != Sort::default()).map(Sort::as_str);
    let fields = [
        typed("q", "Label, account or external id", "search", q),
        chosen("state", "State", states, state),
        chosen("client", "Client", clients, &client),
        chosen("provider", "Provider", providers, provider),
        typed("needs_human_before", "Needs a person before", "date", before),
        chosen("sort", "Order", sorts, sort.unwrap_or_default()),
    ];
    filter_bar(path::CONNECTIONS, filtered, fields.into_iter().collect::<Vec<_>>())
}

fn sort_name(sort: Sort) -> &'static str {
    match sort {
        Sort::Newest => "newest first",
        Sort::NeedsHumanBy => "needs a person soonest",
        Sort::Expires => "expires soonest",
        Sort::Label => "by label",
    }
}
