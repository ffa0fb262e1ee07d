//! The page around what needs no login: signing in, a relink. Nothing but the one thing to do.

use leptos::prelude::*;
use leptos_meta::Title;

use crate::ui::components::glyph;

#[component]
pub fn Door(#[prop(into)] title: String, children: Children) -> impl IntoView {
    view! {
        <Title text=title.clone()/>
        <div class="door">
            <header class="door-line">
                <svg class="lifeline" aria-hidden="true">
                    <rect class="ll-behind" x="6%" width="16%" y="8" height="8"></rect>
                    <rect class="ll-left" x="22%" width="17%" y="8" height="8"></rect>
                    <rect class="ll-reach" x="39%" width="61%" y="11" height="2"></rect>
                    <line class="ll-now" x1="22%" x2="22%" y1="0" y2="24"></line>
                </svg>
            </header>
            <main class="door-main" id="main">
                <p class="wordmark">{glyph::logo()} "Regrant"</p>
                <h1>{title}</h1>
                {children()}
            </main>
        </div>
    }
}
