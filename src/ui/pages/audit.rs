//! Who did what, and when.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use crate::{
    domain::{
        audit::AuditFilter,
        voice::{self, Empty},
    },
    rpc,
    ui::{
        components::head::head,
        path,
        patterns::{
            audit,
            files::files,
            filter::{chosen, filter_bar, typed, unread as unread_filter},
            load::loaded,
            pager::Pager,
        },
    },
};

#[component]
pub fn List() -> impl IntoView {
    let params = use_query_map();
    let query = move || {
        params.with(|params| {
            let filter = path::audit_filter(params);
            (path::audit_unread(params).is_none().then_some(filter), path::paging(params))
        })
    };
    let entries = Resource::new_blocking(query, |(filter, paging)| async move {
        match filter {
            Some(filter) => Ok(Some(rpc::audit::list(filter, paging).await?)),
            None => Ok(None),
        }
    });
    loaded(entries, move |page, _| {
        let filter = params.with_untracked(path::audit_filter);
        let filtered = filter != AuditFilter::default();
        let Some(page) = page else {
            let unread = params.with_untracked(path::audit_unread);
            return view! {
                {head("Audit", None, ())}
                {bar(&filter, filtered)}
                {unread.map(|what| unread_filter(path::AUDIT, &what))}
            }
            .into_any();
        };
        let place = if filtered { Empty::AuditFound } else { Empty::Audit };
        view! {
            {head("Audit", None, ())}
            {bar(&filter, filtered)}
            <div class="found">
                <p>"The newest first"</p>
                <p class="found-files">{files(|format| path::audit_export(&filter, format))}</p>
            </div>
            {audit::entries(page.items, audit::Of::All, place)}
            <Pager next=page.next/>
        }
        .into_any()
    })
}

fn bar(filter: &AuditFilter, filtered: bool) -> AnyView {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let day = |at: Option<time::OffsetDateTime>| at.map(path::day).unwrap_or_default();
    let about = text(&filter.action);
    let mut abouts = vec![(String::new(), "anything".to_owned())];
    abouts.extend(voice::AUDIT_NOUNS.iter().map(|(noun, word)| ((*noun).into(), (*word).into())));
    if abouts.iter().all(|(known, _)| *known != about) {
        let word = voice::audit(&about).map_or_else(|| about.clone(), ToOwned::to_owned);
        abouts.push((about.clone(), word));
    }
    let fields = vec![
        typed("actor", "Who", "search", text(&filter.actor)),
        chosen("action", "About", abouts, &about),
        typed("from", "From", "date", day(filter.from)),
        typed("before", "Before", "date", day(filter.before)),
        typed("subject", "Id of what", "search", text(&filter.subject)),
    ];
    filter_bar(path::AUDIT, filtered, fields)
}
