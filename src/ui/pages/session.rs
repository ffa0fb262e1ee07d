//! Signing in, and the first admin. Both are plain forms: they change who one is, so the whole page
//! is made anew.

use leptos::{prelude::*, server_fn::ServerFn};
use leptos_router::hooks::{use_params_map, use_query_map};

use crate::{
    domain::user::PASSWORD_MIN,
    rpc::session::{Login as LoginFn, Setup as SetupFn},
    ui::{
        components::{
            field::{Submit, Text},
            notice::Answered,
        },
        layout::Door,
        path,
        patterns::action::{Doing, PlainForm},
    },
};

#[component]
pub fn Login() -> impl IntoView {
    let doing = Doing::<LoginFn>::new();
    let next = use_query_map().with_untracked(|params| path::filled(params, "next"));
    view! {
        <Door title="Sign in">
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
                <Text
                    name="password"
                    label="Password"
                    kind="password"
                    trouble=doing.trouble
                    required=true
                    autocomplete="current-password"
                />
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
    let token = use_params_map().with_untracked(|params| params.get("token")).unwrap_or_default();
    view! {
        <Door title="The first admin">
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
                <Text
                    name="password"
                    label="Password"
                    kind="password"
                    trouble=doing.trouble
                    required=true
                    autocomplete="new-password"
                    minlength=PASSWORD_MIN
                    help=format!("At least {PASSWORD_MIN} characters. A few words in a row are fine.")
                />
                <div class="actions">
                    <Submit label="Create the first admin" weight="primary"/>
                </div>
            </PlainForm>
        </Door>
    }
}
