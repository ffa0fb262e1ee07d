//! A table, which scrolls by itself where the screen is too narrow for it.

use leptos::prelude::*;

/// `label`: what it is called for whoever can't see where it stands. `headings`: those of its columns.
pub fn table(
    label: &'static str,
    headings: &[&'static str],
    rows: impl IntoView + 'static,
) -> AnyView {
    shaped("table", label, headings, rows.into_any())
}

/// The same, no wider than what it holds.
pub fn narrow_table(
    label: &'static str,
    headings: &[&'static str],
    rows: impl IntoView + 'static,
) -> AnyView {
    shaped("table is-narrow", label, headings, rows.into_any())
}

fn shaped(
    class: &'static str,
    label: &'static str,
    headings: &[&'static str],
    rows: AnyView,
) -> AnyView {
    let headings = headings
        .iter()
        .map(|heading| view! { <th scope="col">{*heading}</th> })
        .collect::<Vec<_>>();
    view! {
        <div class="scroll" tabindex="0" role="region" aria-label=label>
            <table class=class>
                <thead>
                    <tr>{headings}</tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}
