//! The keys of the dashboard: what they do, and the switch that turns them off (WCAG 2.1.4). The script
//! listens for them.

use leptos::prelude::*;

/// The list of the keys, as the script and its button know it.
pub const ID: &str = "keys";

const EVERYWHERE: [(&str, &str); 4] = [
    ("/", "Search"),
    ("j", "The next row of a list"),
    ("k", "The row before"),
    ("?", "These shortcuts"),
];

/// The keys that lead to `places`, and those that do the same everywhere.
pub fn list(places: Vec<(String, &'static str)>) -> AnyView {
    let everywhere = EVERYWHERE.into_iter().map(|(key, does)| (key.to_owned(), does));
    let rows = everywhere
        .chain(places)
        .map(|(keys, does)| {
            let keys = keys
                .split(' ')
                .map(|key| view! { <kbd>{key.to_owned()}</kbd> })
                .collect::<Vec<_>>();
            view! {
                <div>
                    <dt>{keys}</dt>
                    <dd>{does}</dd>
                </div>
            }
        })
        .collect::<Vec<_>>();
    view! {
        <div class="keys" id=ID popover="auto" role="dialog" aria-labelledby="keys-title">
            <div class="keys-head">
                <h2 id="keys-title">"Keyboard shortcuts"</h2>
                <button
                    type="button"
                    class="button is-small"
                    popovertarget=ID
                    popovertargetaction="hide"
                >
                    "Close"
                </button>
            </div>
            <dl>{rows}</dl>
            <label class="check">
                <input type="checkbox" data-keys="" checked/>
                <span>"Listen for these keys in this browser"</span>
            </label>
        </div>
    }
    .into_any()
}
