//! What was done, by whom and to what.

use leptos::prelude::*;

use crate::{
    domain::{
        audit::{AuditEntry, AuditFilter},
        voice::{self, Empty},
    },
    ui::{
        components::{head::link, moment::Exact, notice::nothing},
        path,
    },
};

/// Which entries stand together.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Of {
    All,
    /// Those of the thing whose page it is, which need not name it.
    One,
}

/// These entries, in their order; where there are none, what `place` says.
pub fn entries(entries: Vec<AuditEntry>, of: Of, place: Empty) -> AnyView {
    if entries.is_empty() {
        return nothing(place, ());
    }
    let rows = entries.into_iter().map(|entry| row(entry, of)).collect::<Vec<_>>();
    view! {
        <div class="scroll" tabindex="0" role="region" aria-label="Audit log">
            <table class="table is-slim">
                <thead>
                    <tr>
                        <th scope="col">"When"</th>
                        <th scope="col">"Who"</th>
                        <th scope="col">"Did"</th>
                        {(of == Of::All).then(|| view! { <th scope="col">"To what"</th> })}
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

fn row(entry: AuditEntry, of: Of) -> AnyView {
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
    let subject = match same {
        Some(href) => link(href, "", label),
        None => label.into_any(),
    };
    view! {
        <tr>
            <td>
                <Exact at=entry.at/>
            </td>
            <td>
                {entry.actor_label}
                <p class="sub is-minor">{entry.actor_kind.replace('_', " ")}</p>
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
            {(of == Of::All).then(|| view! { <td>{subject}</td> })}
        </tr>
    }
    .into_any()
}
