//! Finding out about a provider from its address.

use leptos::prelude::*;

use super::action::{Doing, action_form};
use crate::{
    domain::{provider::Profile, voice},
    rpc::provider::Discover,
    ui::{
        components::{
            field::{Submit, Text},
            head::link,
            notice::{Answered, said},
        },
        path,
    },
};

#[component]
pub fn DiscoverForm() -> impl IntoView {
    let doing = Doing::<Discover>::new();
    view! {
        {action_form(doing, "form", view! {
            <Text
                name="issuer"
                label="Issuer address"
                trouble=doing.trouble
                required=true
                placeholder="login.example.com"
                help="The provider publishes where its pages are below this address; Regrant reads them there."
            />
            <Text name="name" label="Name" trouble=doing.trouble help="What people call the service."/>
            <div class="actions">
                <Submit label="Discover" pending=doing.pending/>
            </div>
            <Answered trouble=doing.trouble/>
        })}
    }
}

/// That it was discovered on the way here, and where it is.
pub fn discovered(profile: &Profile, again: bool) -> AnyView {
    let verbs = if again { "See the provider" } else { "See the provider, or delete it" };
    view! {
        <div role="status">{said(true, voice::discovered(&profile.name, again))}</div>
        <p>{link(path::provider(&profile.slug), "", verbs)}</p>
    }
    .into_any()
}

/// What can be done instead with a profile in which the addresses are to be filled in.
pub fn instead(profile: &Profile) -> Option<AnyView> {
    profile.is_for_any_server().then(|| {
        view! {
            <ul class="links">
                <li>{by_issuer()}</li>
                <li>{link(path::provider_copy(&profile.slug), "", "Copy as custom")}</li>
            </ul>
        }
        .into_any()
    })
}

/// The way to a provider's own profile by its issuer.
pub fn by_issuer() -> AnyView {
    link(path::DISCOVERY, "", "Discover it by its issuer address").into_any()
}
