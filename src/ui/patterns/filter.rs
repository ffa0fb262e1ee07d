//! The bar above a list that narrows it. What is asked for stands in the address.

use leptos::prelude::*;
use leptos_router::components::Form;

use crate::ui::components::head::link;

pub fn filter_bar(
    action: &'static str,
    filtered: bool,
    fields: impl IntoView + 'static,
) -> AnyView {
    let fields = fields.into_any();
    view! {
        <Form method="GET" action=action attr:class="bar" attr:role="search">
            {fields}
            <div class="bar-go">
                <button type="submit" class="button">
                    "Show"
                </button>
                {filtered.then(|| link(action, "bar-clear", "Clear"))}
            </div>
        </Form>
    }
    .into_any()
}
