//! Who did what, and when.

use leptos::{either::Either, prelude::*};
use leptos_router::hooks::use_query_map;

use crate::{
    domain::{
        audit::{AuditEntry, AuditFilter},
        voice::{self, Empty},
    },
    rpc,
    ui::{
        components::{
            head::{head, link},
            moment::Exact,
            notice::nothing,
        },
        path,
        patterns::{
            files::files,
            filter::{chosen, filter_bar, typed},
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
        let rows = page.items.into_iter().map(row).collect::<Vec<_>>();
        let list = if rows.is_empty() {
            let place = if filtered { Empty::AuditFound } else { Empty::Audit };
            Either::Left(nothing(place, ()))
        } else {
            Either::Right(view! {
                <div class="scroll" tabindex="0" role="region" aria-label="Audit log">
                    <table class="table">
                        <thead>
                            <tr>
                                <th scope="col">"When"</th>
                                <th scope="col">"Who"</th>
                                <th scope="col">"Did"</th>
                                <th scope="col">"To what"</th>
                            </tr>
                        </thead>
                        <tbody>{rows}</tbody>
                    </table>
                </div>
            })
        };
        view! {
            {head("Audit", None, ())}
            {bar(&filter, filtered)}
            <div class="found">
                <p>"The newest first"</p>
                <p class="found-files">{files(|format| path::audit_export(&filter, format))}</p>
            </div>
            {list}
            <Pager next=page.next/>
        }
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

fn row(entry: AuditEntry) -> AnyView {
    let detail = match &entry.detail {
        serde_json::Value::Null => None,
        serde_json::Value::Object(fields) if fields.is_empty() => None,
        detail => serde_json::to_string_pretty(detail).ok(),
    };
    let alike = AuditFilter { action: Some(entry.action.clone()), ..AuditFilter::default() };
    let words = voice::audit(&entry.action).map_or_else(|| entry.action.clone(), ToOwned::to_owned);
    let same = entry.subject_id.as_deref().map(path::audit_of);
    let label = if entry.subject_label.is_empty() {
        entry.subject_id.clone().unwrap_or_default()
    } else {
        entry.subject_label
    };
    view! {
        <tr>
            <td>
                <Exact at=entry.at/>
            </td>
            <td>
                {entry.actor_label} <p class="sub">{entry.actor_kind.replace('_', " ")}</p>
            </td>
            <td>
                {link(path::audit(&alike), "", words)} <p class="sub">
                    <code>{entry.action}</code>
                </p>
                {detail
                    .map(|detail| {
                        view! {
                            <details class="fold">
                                <summary>"Details"</summary>
                                <pre>{detail}</pre>
                            </details>
                        }
                    })}
            </td>
            <td>
                {match same {
                    Some(href) => link(href, "", label),
                    None => label.into_any(),
                }}
            </td>
        </tr>
    }
    .into_any()
}
