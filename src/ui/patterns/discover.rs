//! Finding out about a provider from its address.

use leptos::prelude::*;

use super::action::{Doing, action_form};
use crate::{
    rpc::provider::Discover,
    ui::components::{
        field::{Submit, Text},
        notice::Answered,
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
