//! Which token set came from which. A refresh token is told by its fingerprint, so that one that was
//! replaced can be told from one that went on.

use leptos::prelude::*;
use time::OffsetDateTime;

use crate::{
    domain::{
        lineage::{Came, Generation},
        voice::{self, Empty},
    },
    ui::components::{moment::Ago, notice::nothing},
};

/// So much of a fingerprint is told apart at a glance.
const SHOWN: usize = 12;

pub fn lineage(generations: Vec<Generation<'_>>, as_of: OffsetDateTime) -> AnyView {
    if generations.is_empty() {
        return nothing(Empty::Lineage, ());
    }
    let rows = generations
        .into_iter()
        .map(|Generation { number, at, fingerprint: print, came }| {
            let (how, from) = match came {
                Came::Refresh { from, before } => (voice::renewed(before, print), Some(from)),
                Came::Import => (voice::IMPORTED, None),
                Came::Consent { by_relink } => (voice::consented(number, by_relink), None),
            };
            view! {
                <li>
                    <span class="tag">"Generation " {number}</span>
                    {fingerprint(print)}
                    <span>{how}</span>
                    <span class="quiet">
                        {from.map(|from| format!("from generation {from}, "))} <Ago at as_of/>
                    </span>
                </li>
            }
        })
        .collect::<Vec<_>>();
    view! { <ul class="lines">{rows}</ul> }.into_any()
}

fn fingerprint(full: Option<&str>) -> Option<AnyView> {
    let full = full?.to_owned();
    let short: String = full.chars().take(SHOWN).collect();
    Some(view! { <code title=full>{short}</code> }.into_any())
}
