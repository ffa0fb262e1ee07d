//! Signing in, and the first admin. Both are plain forms: they change who one is, so the whole page
//! is made anew.

use leptos::{prelude::*, server_fn::ServerFn};
use leptos_router::hooks::{use_params_map, use_query_map};

use crate::{
    domain::{user::SetupLink, voice},
    rpc::{
        self,
        session::{Login as LoginFn, Setup as SetupFn},
    },
    ui::{
        components::{
            field::{Submit, Text},
            head::link as link_to,
            notice::Answered,
            password::{NewPassword, OwnPassword},
        },
        layout::Door,
        path,
        patterns::{
            action::{Doing, PlainForm},
            load::loaded_for_anyone,
        },
    },
};

#[component]
pub fn Login() -> impl IntoView {
    let doing = Doing::<LoginFn>::new();
    let next = use_query_map().with_untracked(|params| path::filled(params, "next"));
    // Who can't be asked says no more than that.
    let anybody = Resource::new_blocking(
        || (),
        |()| async { Ok(rpc::session::look_at_setup_link(None).await.unwrap_or(SetupLink::Over)) },
    );
    let hint = loaded_for_anyone(anybody, |link| {
        (link != SetupLink::Over).then(|| view! { <p>{voice::NOBODY_YET}</p> })
    });
    view! {
        <Door title="Sign in">
            {hint}
            <PlainForm action=LoginFn::url() class="form">
                <Answered trouble=doing.trouble/>
                <Text
                    name="email"
                    label="E-mail"
                    kind="email"
                    trouble=doing.trouble
                    required=true
                    autocomplete="username"
                />
                <OwnPassword name="password" label="Password" trouble=doing.trouble/>
                {next.map(|next| view! { <input type="hidden" name="next" value=next/> })}
                <div class="actions">
                    <Submit label="Sign in" weight="primary"/>
                </div>
            </PlainForm>
        </Door>
    }
}

#[component]
pub fn Setup() -> impl IntoView {
    let doing = Doing::<SetupFn>::new();
    let params = use_params_map();
    let token = move || params.with(|params| params.get("token"));
    let link = Resource::new_blocking(token, rpc::session::look_at_setup_link);
    let shown = loaded_for_anyone(link, move |link| match link {
        SetupLink::Open => first_admin(token().unwrap_or_default(), doing),
        SetupLink::Unknown => view! { <p>{voice::SETUP_UNKNOWN}</p> }.into_any(),
        SetupLink::Over => view! {
            <p>{voice::SETUP_OVER}</p>
            <p class="actions">{link_to(path::LOGIN, "button is-primary", "Sign in")}</p>
        }
        .into_any(),
    });
    view! { <Door title="The first admin">{shown}</Door> }
}

fn first_admin(token: String, doing: Doing<SetupFn>) -> AnyView {
    view! {
        <p>
            "Regrant has no users yet. Whoever holds this link becomes the first admin; the link then stops working."
        </p>
        <PlainForm action=SetupFn::url() class="form">
            <Answered trouble=doing.trouble/>
            <input type="hidden" name="token" value=token/>
            <Text
                name="email"
                label="E-mail"
                kind="email"
                trouble=doing.trouble
                required=true
                autocomplete="username"
            />
            <NewPassword name="password" label="Password" trouble=doing.trouble more="A few words in a row are fine."/>
            <div class="actions">
                <Submit label="Create the first admin" weight="primary"/>
            </div>
        </PlainForm>
    }
    .into_any()
}
