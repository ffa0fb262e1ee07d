//! All connections, filtered by what stands in the address.

use leptos::{either::Either, prelude::*};
use leptos_router::hooks::use_query_map;

use super::filter::{bar, saved};
use crate::{
    domain::{
        access::Permission,
        connection::ConnectionFilter,
        job::Action,
        page::Count,
        voice::{self, Empty},
    },
    rpc::{self, saved_filter::Create},
    ui::{
        components::{
            head::{head, link},
            notice::nothing,
        },
        path,
        patterns::{
            action::Doing,
            board::{board, board_to_choose},
            files::files,
            filter::{chosen, unread as unread_filter},
            live::live_at_times,
            load::{May, loaded},
            pager::Pager,
        },
    },
};

#[component]
pub fn List() -> impl IntoView {
    let params = use_query_map();
    let create = Doing::<Create>::new();
    let query = move || {
        params.with(|params| {
            let filter = path::connection_filter(params);
            (path::connection_unread(params).is_none().then_some(filter), path::paging(params))
        })
    };
    let connections = Resource::new_blocking(query, |(filter, paging)| async move {
        let list = match filter {
            Some(filter) => Some(rpc::connection::list(filter, paging).await?),
            None => None,
        };
        let clients = rpc::client::names().await?;
        Ok((list, clients, rpc::saved_filter::list().await?))
    });
    loaded(connections, move |(list, clients, all), may| {
        let filter = params.with_untracked(path::connection_filter);
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
        let Some(list) = list else {
            let unread = params.with_untracked(path::connection_unread);
            return view! {
                {head("Connections", None, connect.then(button))}
                {bar(&filter, &clients)}
                {unread.map(|what| unread_filter(path::CONNECTIONS, &what))}
            }
            .into_any();
        };
        let content = if list.page.items.is_empty() {
            let place = if filter.narrows() { Empty::ConnectionsFound } else { Empty::Connections };
            Either::Left(nothing(place, (connect && !filter.narrows()).then(button)))
        } else {
            let rows = match choosable(&may).is_empty() {
                true => board(list.page.items, &list.endless, list.as_of),
                false => board_to_choose(list.page.items, &list.endless, list.as_of, CHOOSE),
            };
            Either::Right(view! {
                <div class="found">
                    <p role="status">{voice::connections(list.count)}</p>
                    <p class="found-files">
                        {files(|format| path::connection_export(&filter, format))}
                    </p>
                </div>
                {choose(&filter, list.count, &may)}
                {rows}
            })
        };
        view! {
            {head("Connections", None, connect.then(button))}
            {bar(&filter, &clients)}
            {live_at_times("found", "connections clients", 5, view! {
                {saved(&filter, all, create)}
                {content}
                <Pager next=list.page.next/>
            })}
        }
        .into_any()
    })
}

/// The form that the boxes of the rows belong to.
const CHOOSE: &str = "choose";

fn choosable(may: &May) -> Vec<Action> {
    Action::ALL.into_iter().filter(|action| may.allows(action.permission())).collect()
}

/// What can be done with the rows that are ticked, or with all that the filter lets through.
fn choose(filter: &ConnectionFilter, count: Count, may: &May) -> Option<AnyView> {
    let actions = choosable(may);
    let options = actions
        .iter()
        .map(|action| (action.as_str().to_owned(), voice::job_action(*action).to_owned()))
        .collect();
    let filter = path::filter_pairs(filter)
        .map(|(name, value)| view! { <input type="hidden" name=name value=value/> })
        .collect::<Vec<_>>();
    let all = match count {
        Count::Exactly(count) => format!("all {}", voice::grouped(count)),
        Count::MoreThan(_) => "all that fit".to_owned(),
    };
    (!actions.is_empty()).then(|| {
        view! {
            <form id=CHOOSE method="get" action=path::JOB_NEW class="choose">
                {filter}
                <label class="check needs-script">
                    <input type="checkbox" data-all="id"/>
                    <span>"This page"</span>
                </label>
                {chosen("action", "Do", options, "")}
                <button type="submit" class="button" name="of" value="chosen">
                    "With the ticked"
                </button>
                <button type="submit" class="button" name="of" value="all">
                    {format!("With {all}")}
                </button>
                {link(path::JOBS, "choose-jobs", "Jobs so far")}
            </form>
        }
        .into_any()
    })
}
