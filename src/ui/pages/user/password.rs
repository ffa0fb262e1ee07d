//! A new password for somebody who forgot theirs.

use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use crate::{
    domain::{access::Permission, user::User, voice},
    rpc::{self, user::SetPassword},
    ui::{
        components::{
            field::Submit,
            head::{head, link},
            notice::Answered,
            password::{NewPassword, OwnPassword},
        },
        path,
        patterns::{
            action::{Doing, action_form, hidden},
            load::{loaded, missing},
        },
    },
};

#[component]
pub fn Password() -> impl IntoView {
    let params = use_params_map();
    let doing = Doing::<SetPassword>::new();
    let user = Resource::new_blocking(
        move || params.with(path::id),
        |id| async move {
            let Some(id) = id else { return missing("user") };
            rpc::user::get(id).await
        },
    );
    loaded(user, move |user, may| {
        let content = match may.allows(Permission::UsersWrite) {
            false => view! { <p>"Only admins give others a new password."</p> }.into_any(),
            true if may.0.id == user.id => view! {
                <p>
                    "This is you. "
                    {link(path::PROFILE, "", "Change your password in your profile")} "."
                </p>
            }
            .into_any(),
            true => form(&user, doing),
        };
        view! {
            {head(format!("New password for {}", user.email), Some(("Users", path::USERS)), ())}
            {content}
        }
        .into_any()
    })
}

fn form(user: &User, doing: Doing<SetPassword>) -> AnyView {
    let fields = view! {
        {hidden("id", user.id)}
        <NewPassword name="password" label="New password" trouble=doing.trouble more=voice::HAND_OVER/>
        <OwnPassword name="own" label="Your own password" trouble=doing.trouble/>
        <div class="actions">
            <Submit label="Set password" pending=doing.pending weight="primary"/>
        </div>
        <Answered trouble=doing.trouble done=doing.done(voice::PASSWORD_SET)/>
    };
    view! {
        <p class="lead">{voice::new_password(user)}</p>
        {action_form(doing, "form", fields)}
    }
    .into_any()
}
