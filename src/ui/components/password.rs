//! The fields of passwords. What a new one must be is said here alone.

use leptos::prelude::*;

use super::field::{Text, Trouble};
use crate::domain::user::PASSWORD_MIN;

/// A password that is to be kept. `more`: what is said of it beside its length.
#[component]
pub fn NewPassword(
    name: &'static str,
    label: &'static str,
    trouble: Trouble,
    #[prop(optional)] more: &'static str,
) -> impl IntoView {
    let help = format!("At least {PASSWORD_MIN} characters. {more}").trim_end().to_owned();
    view! {
        <Text
            name
            label
            kind="password"
            trouble
            required=true
            autocomplete="new-password"
            minlength=PASSWORD_MIN
            help
        />
    }
}

/// The password that whoever sends the form has.
#[component]
pub fn OwnPassword(name: &'static str, label: &'static str, trouble: Trouble) -> impl IntoView {
    view! {
        <Text name label kind="password" trouble required=true autocomplete="current-password"/>
    }
}
