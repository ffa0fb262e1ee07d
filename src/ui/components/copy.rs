//! A value to take elsewhere. Without a script it is a field to select from; with one it selects
//! itself, and a button copies it.

use leptos::{
    ev::FocusEvent,
    prelude::*,
    wasm_bindgen::JsCast,
    web_sys::{HtmlInputElement, HtmlTextAreaElement},
};
use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch, js_namespace = ["navigator", "clipboard"], js_name = writeText)]
    fn write_text(text: &str) -> Result<wasm_bindgen::JsValue, wasm_bindgen::JsValue>;
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
    let copied = RwSignal::new(false);
    let scripted = RwSignal::new(false);
    Effect::new(move || scripted.set(true));
    let select = |event: FocusEvent| {
        let Some(target) = event.target() else { return };
        if let Some(field) = target.dyn_ref::<HtmlInputElement>() {
            field.select();
        } else if let Some(field) = target.dyn_ref::<HtmlTextAreaElement>() {
            field.select();
        }
    };
    let text = value.clone();
    let copy = move |_| copied.set(write_text(&text).is_ok());
    let control = match rows {
        Some(rows) => view! {
            <textarea id=id.clone() readonly rows=rows on:focus=select>
                {value}
            </textarea>
        }
        .into_any(),
        None => view! { <input id=id.clone() type="text" readonly value=value on:focus=select/> }
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
                    {move || if copied.get() { "Copied" } else { "Copy" }}
                </button>
            </div>
            {help.map(|help| view! { <p class="help">{help}</p> })}
        </div>
    }
}
