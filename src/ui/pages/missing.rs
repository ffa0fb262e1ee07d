//! An address of ours that names nothing.

use leptos::prelude::*;

use crate::ui::{
    components::{head::link, status::answer_with},
    layout::Door,
    path,
};

#[component]
pub fn Page() -> impl IntoView {
    answer_with(404);
    view! {
        <Door title="There is no such page">
            <p>"The address may have been cut off, or what it showed was deleted."</p>
            <p class="actions">
                {link(path::HOME, "button", "To the overview")}
            </p>
        </Door>
    }
}
