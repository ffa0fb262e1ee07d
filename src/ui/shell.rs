//! The HTML document around the interface. The browser takes over nothing but the islands in it.
//!
//! The page works before any of this arrives. The script carries the response's nonce, and nothing
//! in the document is styled in place, so that the content security policy can be strict.

use leptos::{nonce::use_nonce, prelude::*};
use leptos_meta::MetaTags;

use super::{App, Visit};

/// Where the built files are served. Their names carry hashes, so the server has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assets {
    pub js: String,
    pub wasm: String,
    pub css: String,
}

const BOOT: &str = include_str!("boot.js");

/// Asks for the files of the script before the script itself is read. It is a script, so that nothing is fetched
/// where none runs.
fn ahead(js: &str, wasm: &str) -> String {
    format!(
        "for(const link of[{{rel:\"modulepreload\",href:{js:?}}},{{rel:\"preload\",as:\"fetch\",\
         type:\"application/wasm\",crossOrigin:\"anonymous\",href:{wasm:?}}}])\
         document.head.append(Object.assign(document.createElement(\"link\"),link))"
    )
}

/// The whole document.
pub fn shell(assets: Assets) -> impl IntoView {
    let Assets { js, wasm, css } = assets;
    // A build without the browser half serves pages that work without it.
    let scripted = !js.is_empty();
    let visit = Visit::current();
    let language = visit.map_or("en", |visit| visit.language.tag());
    // What a visitor came by is a secret.
    let referrer = if visit.is_some() { "no-referrer" } else { "same-origin" };
    // Above the style sheet, for which a script below it would wait.
    let ahead = scripted.then(|| {
        let ahead = ahead(&js, &wasm);
        view! { <script nonce=use_nonce()>{ahead}</script> }
    });
    let bootstrap = format!("import start,* as parts from {js:?};const wasm={wasm:?};{BOOT}");
    // Only islands are handed over with their data; the rest of the page is final.
    if let Some(context) = Owner::current_shared_context() {
        context.set_is_hydrating(false);
    }
    view! {
        <!DOCTYPE html>
        <html lang=language>
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="color-scheme" content="light dark"/>
                <meta name="referrer" content=referrer/>
                <meta name="robots" content="noindex, nofollow"/>
                {ahead}
                <link rel="icon" href="/favicon.svg" type="image/svg+xml"/>
                <link rel="stylesheet" href=css/>
                {scripted
                    .then(|| {
                        view! {
                            <script type="module" nonce=use_nonce()>
                                {bootstrap}
                            </script>
                        }
                    })}
                <MetaTags/>
            </head>
            <body>
                <App/>
            </body>
        </html>
    }
}
