//! Who did what, and when.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use crate::{
    domain::{audit::AuditFilter, voice::Empty},
    rpc,
    ui::{
        components::head::head,
        path,
        patterns::{
            audit,
            filter::{filter_bar, typed},
            load::loaded,
            pager::Pager,
        },
    },
};

#[component]
pub fn List() -> impl IntoView {
    let params = use_query_map();
    let query = move || params.with(|params| (path::audit_filter(params), path::paging(params)));
    let entries =
        Resource::new_blocking(query, |(filter, paging)| rpc::audit::list(filter, paging));
    loaded(entries, move |page, _| {
        let filter = params.with_untracked(path::audit_filter);
        let filtered = filter != AuditFilter::default();
        let place = if filtered { Empty::AuditFound } else { Empty::Audit };
        view! {
            {head("Audit", None, ())}
            {bar(filter, filtered)}
            {audit::entries(page.items, audit::Of::All, place)}
            <Pager next=page.next/>
        }
    })
}

fn bar(filter: AuditFilter, filtered: bool) -> AnyView {
    let field = |name, label, value: Option<String>| {
        typed(name, label, "search", value.unwrap_or_default())
    };
    let fields = vec![
        field("actor", "Who", filter.actor),
        field("action", "Action begins with", filter.action),
        field("subject", "Id of what", filter.subject),
    ];
    filter_bar(path::AUDIT, filtered, fields)
}
