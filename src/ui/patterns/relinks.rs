//! The links sent for a connection and where each stands, and the one just made.

use leptos::prelude::*;
use time::OffsetDateTime;

use crate::{
    domain::{
        relink::{CreatedRelink, Relink},
        voice::{self, Empty},
    },
    ui::components::{copy::Copyable, moment::Day, notice::nothing},
};

pub fn relinks(relinks: &[Relink], as_of: OffsetDateTime) -> AnyView {
    if relinks.is_empty() {
        return nothing(Empty::Relinks, ());
    }
    let rows = relinks
        .iter()
        .map(|relink| {
            let (word, text) = voice::relink_standing(relink, as_of);
            view! {
                <li>
                    <span class="tag">{word}</span>
                    <span>{text}</span>
                    <span class="quiet">
                        "made by " {relink.created_by.clone()} " on " <Day at=relink.created_at/>
                    </span>
                </li>
            }
        })
        .collect::<Vec<_>>();
    view! { <ul class="lines">{rows}</ul> }.into_any()
}

/// A link to give to the account's owner. It is never shown again.
pub fn made(relink: CreatedRelink, as_of: OffsetDateTime) -> AnyView {
    let help = format!(
        "Send it to the account's owner. It works once, expires {}, and is not shown again.",
        voice::relative(relink.expires_at, as_of)
    );
    view! {
        <div class="once">
            <Copyable id="relink-url" label="Relink" value=relink.url help=help/>
        </div>
    }
    .into_any()
}
