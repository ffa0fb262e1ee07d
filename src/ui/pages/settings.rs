//! What holds for the whole house: how it shows itself to people outside.

use leptos::prelude::*;

use crate::{
    domain::{
        access::Permission,
        brand::{Brand, Color},
        voice,
    },
    rpc::{
        self,
        brand::{DropLogo, Update},
    },
    ui::{
        components::{
            confirm::confirm,
            field::{Submit, Text},
            head::{head, section},
            notice::Answered,
        },
        path,
        patterns::{
            action::{Doing, action_form, button_form},
            load::loaded,
            upload,
        },
    },
};

#[component]
pub fn Page() -> impl IntoView {
    let (update, drop_logo) = (Doing::<Update>::new(), Doing::<DropLogo>::new());
    let brand = Resource::new_blocking(
        move || (update.version.get(), drop_logo.version.get()),
        |_| rpc::brand::get(),
    );
    loaded(brand, move |brand, may| {
        let content = if may.allows(Permission::SettingsWrite) {
            view! {
                <div class="pair">
                    {section("Brand", voice::brand(), about(&brand, update))}
                    {section("Logo", "", logo(&brand, drop_logo))}
                </div>
            }
            .into_any()
        } else {
            as_they_are(&brand)
        };
        view! {
            {head("Settings", None, ())}
            {content}
        }
    })
}

/// For whoever may look and not change.
fn as_they_are(brand: &Brand) -> AnyView {
    let told = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".into());
    let logo = brand.has_logo.then(|| {
        view! {
            <img class="brand-logo" src=path::brand_logo(&brand.version) alt="The logo as it is"/>
        }
    });
    let facts = view! {
        <dl class="facts">
            <div>
                <dt>"Name"</dt>
                <dd>{brand.name.clone()}</dd>
            </div>
            <div>
                <dt>"Colour"</dt>
                <dd>{told(&brand.color)}</dd>
            </div>
            <div>
                <dt>"Help contact"</dt>
                <dd>{told(&brand.contact)}</dd>
            </div>
            <div>
                <dt>"Logo"</dt>
                <dd>
                    {match logo {
                        Some(logo) => logo.into_any(),
                        None => "none".into_any(),
                    }}
                </dd>
            </div>
        </dl>
        <p class="help">"Only admins change the settings."</p>
    };
    section("Brand", voice::brand(), facts)
}

fn about(brand: &Brand, update: Doing<Update>) -> AnyView {
    let trouble = update.trouble;
    let own = brand.version != Brand::default().version;
    let color = brand.color.clone().unwrap_or_default();
    let ink = Color::parse(&color).map(|color| {
        let ratio = color.contrast(color.ink());
        view! { <p class="help">{voice::brand_contrast(ratio)}</p> }
    });
    let fields = view! {
        <Text
            name="name"
            label="Name"
            trouble
            value=if own { brand.name.clone() } else { String::new() }
            help="The name that your customers know you by."
        />
        <Text
            name="color"
            label="Colour"
            trouble
            value=color
            placeholder="#1a5fb4"
            help="Of the button, as #rrggbb. The letters on it are made black or white, whichever is read better."
        />
        {ink}
        <Text
            name="contact"
            label="Help contact"
            trouble
            value=brand.contact.clone().unwrap_or_default()
            help="An e-mail address, a telephone number, a page (https://…) or a name."
        />
        <div class="actions">
            <Submit label="Save" pending=update.pending weight="primary"/>
        </div>
        <Answered trouble done=update.done("Saved. The page behind a relink shows it from now on.")/>
    };
    action_form(update, "form", fields)
}

fn logo(brand: &Brand, drop_logo: Doing<DropLogo>) -> AnyView {
    let shown = brand.has_logo.then(|| {
        view! {
            <p>
                <img class="brand-logo" src=path::brand_logo(&brand.version) alt="The logo as it is"/>
            </p>
            {confirm(
                "Take it away",
                voice::DROP_LOGO,
                button_form(drop_logo, (), "Take it away", "grave"),
            )}
        }
    });
    view! {
        <div class="stack">
            {shown}
            {upload::refused(path::UPLOAD_LOGO)}
            <form method="post" enctype="multipart/form-data" action=path::UPLOAD_LOGO class="form">
                <div class="field">
                    <label for="logo-file">"Picture"</label>
                    <input
                        id="logo-file"
                        type="file"
                        name="file"
                        accept="image/png,image/jpeg,image/webp"
                        required=true
                        aria-describedby="logo-about"
                    />
                    <p class="help" id="logo-about">
                        "PNG, JPEG or WebP, at most 100 KB. It is shown on white."
                    </p>
                </div>
                <div class="actions">
                    <Submit label="Send the picture"/>
                </div>
            </form>
        </div>
    }
    .into_any()
}
