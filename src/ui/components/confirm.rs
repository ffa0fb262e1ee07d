//! A step that cannot be taken back: the button opens what it means, the real button stands inside.
//! Works without a script.

use leptos::prelude::*;

/// What the closed button says, what will happen, and the form with the real button.
pub fn confirm(
    label: &'static str,
    text: impl Into<String>,
    form: impl IntoView + 'static,
) -> AnyView {
    confirm_open(label, text, form, false)
}

/// [`confirm`], open if there is something to see in it.
pub fn confirm_open(
    label: &'static str,
    text: impl Into<String>,
    form: impl IntoView + 'static,
    open: bool,
) -> AnyView {
    let form = form.into_any();
    view! {
        <details class="confirm" open=open>
            <summary class="button is-grave">{label}</summary>
            <div class="confirm-body">
                <p>{text.into()}</p>
                {form}
            </div>
        </details>
    }
    .into_any()
}
