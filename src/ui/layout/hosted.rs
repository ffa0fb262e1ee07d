//! The page around what people outside of the house see: its name and logo, the one thing to do, and
//! who helps.

use leptos::prelude::*;
use leptos_meta::{Stylesheet, Title};

use crate::{
    domain::brand::{Brand, contact_link},
    ui::{path, patterns::visit::Visit},
};

pub fn hosted(brand: &Brand, title: String, content: impl IntoView + 'static) -> AnyView {
    let content = content.into_any();
    let name = brand.name.clone();
    let sign = match brand.has_logo {
        // The name is said once, be it by the picture or in letters.
        true => {
            view! { <img class="brand-logo" src=path::brand_logo(&brand.version) alt=name.clone()/> }
                .into_any()
        }
        false => name.clone().into_any(),
    };
    let help = brand.contact.as_deref().map(help);
    view! {
        <Stylesheet href=path::brand_style(&brand.version)/>
        <Title text=title.clone() formatter=move |title: String| format!("{title} · {name}")/>
        <div class="door is-hosted">
            <header class="brand">
                <p>{sign}</p>
            </header>
            <main class="door-main" id="main">
                <h1>{title}</h1>
                {content}
                {help}
            </main>
        </div>
    }
    .into_any()
}

/// The sentence of who helps, with a link where there is one.
fn help(contact: &str) -> AnyView {
    let (before, after) = Visit::texts().help.split_once("{contact}").unwrap_or_default();
    let contact = match contact_link(contact) {
        Some(href) => view! { <a href=href rel="noreferrer">{contact.to_owned()}</a> }.into_any(),
        None => contact.to_owned().into_any(),
    };
    view! { <p class="help brand-help">{before} {contact} {after}</p> }.into_any()
}
