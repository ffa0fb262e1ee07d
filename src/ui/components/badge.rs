//! A state as shape, colour and word together.

use leptos::prelude::*;

use super::glyph;
use crate::domain::{access::Role, client, connection::Standing, voice};

#[component]
pub fn StandingBadge(standing: Standing) -> impl IntoView {
    view! {
        <span class="badge" data-state=standing.as_str() title=voice::meaning(standing)>
            {glyph::standing(standing)}
            {standing.word()}
        </span>
    }
}

#[component]
pub fn ClientBadge(state: client::StateName) -> impl IntoView {
    view! {
        <span class="badge" data-state=client_tone(state) title=voice::client_state(state)>
            {glyph::client(state)}
            {voice::client_state_word(state)}
        </span>
    }
}

/// The standing whose colour a client's state shares.
pub fn client_tone(state: client::StateName) -> &'static str {
    match state {
        client::StateName::Ready => "alive",
        client::StateName::CredentialsRejected => "client-refused",
        client::StateName::Incident => "soon",
        client::StateName::Disabled => "paused",
    }
}

#[component]
pub fn RoleTag(role: Role) -> impl IntoView {
    view! {
        <span class="tag" title=voice::role(role)>
            {role.as_str()}
        </span>
    }
}
