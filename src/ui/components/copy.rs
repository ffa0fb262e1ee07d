//! A value to take elsewhere. Without a script it is a field to select from; with one it selects
//! itself, and a button copies it.

use leptos::{ev::FocusEvent, prelude::*, wasm_bindgen::JsCast, web_sys::HtmlInputElement};
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
) -> impl IntoView {
    let copied = RwSignal::new(false);
    let scripted = RwSignal::new(false);
    Effect::new(move || scripted.set(true));
    let select = |event: FocusEvent| {
        if let Some(field) =
            event.target().and_then(|target| target.dyn_into::<HtmlInputElement>().ok())
        {
            field.select();
        }
    };
    let text = value.clone();
    let copy = move |_| copied.set(write_text(&text).is_ok());
    view! {
        <div class="field">
            <label for=id.clone()>{label}</label>
            <div class="copyable">
                <input id=id type="text" readonly value=value on:focus=select/>
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
