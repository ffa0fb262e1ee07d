//! Which token set came from which. A refresh token is told by its fingerprint, so that one that was
//! replaced can be told from one that went on.

use leptos::prelude::*;
use time::OffsetDateTime;

use crate::{
    domain::{
        attempt::Attempt,
        voice::{self, Empty},
    },
    ui::components::{moment::Ago, notice::nothing},
};

/// So much of a fingerprint is told apart at a glance.
const SHOWN: usize = 12;

/// The generations that refreshes brought, of these attempts, the newest first.
pub fn lineage(attempts: &[Attempt], as_of: OffsetDateTime) -> AnyView {
    let rows = attempts
        .iter()
        .filter_map(|attempt| {
            let generation = attempt.generation_after?;
            let (before, after) = (&attempt.fingerprint_before, &attempt.fingerprint_after);
            let at = attempt.finished_at.unwrap_or(attempt.started_at);
            Some(view! {
                <li>
                    <span class="tag">"Generation " {generation}</span>
                    {fingerprint(after.as_deref())}
                    <span>{voice::renewed(before.as_deref(), after.as_deref())}</span>
                    <span class="quiet">
                        "from generation " {attempt.generation_before} ", " <Ago at as_of/>
                    </span>
                </li>
            })
        })
        .collect::<Vec<_>>();
    if rows.is_empty() {
        return nothing(Empty::Lineage, ());
    }
    view! { <ul class="lines">{rows}</ul> }.into_any()
}

fn fingerprint(full: Option<&str>) -> Option<AnyView> {
    let full = full?.to_owned();
    let short: String = full.chars().take(SHOWN).collect();
    Some(view! { <code title=full>{short}</code> }.into_any())
}
