//! A value to take elsewhere. Without a script it is a field to select from; with one it selects
//! itself, and a button copies it.

use leptos::{
    ev::FocusEvent,
    prelude::*,
    task::spawn_local,
    wasm_bindgen::JsCast,
    web_sys::{EventTarget, HtmlInputElement, HtmlTextAreaElement},
};
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

use crate::domain::voice;

#[wasm_bindgen]
extern "C" {
    /// Refused where the page came by plain http, or where the reader does not want it.
    #[wasm_bindgen(catch, js_namespace = ["navigator", "clipboard"], js_name = writeText)]
    async fn write_text(text: &str) -> Result<(), JsValue>;

    /// Copies what is selected; whether it could.
    #[wasm_bindgen(js_namespace = document, js_name = execCommand)]
    fn execute(command: &str) -> bool;
}

fn select(target: Option<EventTarget>) {
    let Some(target) = target else { return };
    if let Some(field) = target.dyn_ref::<HtmlInputElement>() {
        field.select();
    } else if let Some(field) = target.dyn_ref::<HtmlTextAreaElement>() {
        field.select();
    }
}

#[island]
pub fn Copyable(
    #[prop(into)] id: String,
    #[prop(into)] label: String,
    #[prop(into)] value: String,
    #[prop(optional, into)] help: Option<String>,
    /// More than one line, and then how many.
    #[prop(optional)]
    rows: Option<u32>,
) -> impl IntoView {
    let copied = RwSignal::new(None);
    let scripted = RwSignal::new(false);
    Effect::new(move || scripted.set(true));
    let focused = |event: FocusEvent| select(event.target());
    let (text, field) = (value.clone(), id.clone());
    let copy = move |_| {
        let (text, field) = (text.clone(), field.clone());
        spawn_local(async move {
            let mut well = write_text(&text).await.is_ok();
            if !well {
                select(document().get_element_by_id(&field).map(Into::into));
                well = execute("copy");
            }
            copied.set(Some(well));
        });
    };
    let told = move || {
        copied.get().map(|well| match well {
            true => view! { <p class="unseen">{voice::COPIED}</p> },
            false => view! { <p class="help">{voice::NOT_COPIED}</p> },
        })
    };
    let control = match rows {
        Some(rows) => view! {
            <textarea id=id.clone() readonly rows=rows on:focus=focused>
                {value}
            </textarea>
        }
        .into_any(),
        None => view! { <input id=id.clone() type="text" readonly value=value on:focus=focused/> }
            .into_any(),
    };
    view! {
        <div class="field">
            <label for=id>{label}</label>
            <div class="copyable">
                {control}
                <button
                    type="button"
                    class="button"
                    hidden=move || !scripted.get()
                    on:click=copy
                >
                    {move || if copied.get() == Some(true) { "Copied" } else { "Copy" }}
                </button>
            </div>
            <div class="about" aria-live="polite">
                {told} {help.map(|help| view! { <p class="help">{help}</p> })}
            </div>
        </div>
    }
}
