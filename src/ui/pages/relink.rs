//! What the account's owner sees: no login, no navigation, plain words, one button.

use leptos::{prelude::*, server_fn::ServerFn};
use leptos_router::hooks::use_params_map;

use crate::{
    domain::{
        relink,
        voice::{self, Outcome as Ending},
    },
    rpc::{self, relink::Begin},
    ui::{
        components::{field::Submit, glyph, notice::Answered},
        layout::Door,
        patterns::{
            action::{Doing, PlainForm},
            load::loaded_for_anyone,
        },
    },
};

use super::missing;

#[component]
pub fn Invitation() -> impl IntoView {
    let params = use_params_map();
    let token = move || params.with(|params| params.get("token")).unwrap_or_default();
    let doing = Doing::<Begin>::new();
    let invitation = Resource::new_blocking(token, rpc::relink::get);
    loaded_for_anyone(invitation, move |invitation| match invitation {
        relink::Invitation::Open { service, account } => {
            open(service, account, token(), doing).into_any()
        }
        closed => match voice::invitation(&closed) {
            Some(page) => said(page),
            None => ().into_any(),
        },
    })
}

fn open(service: String, account: Option<String>, token: String, doing: Doing<Begin>) -> AnyView {
    let label = format!("Continue to {service}");
    let title = format!("Reconnect {service}");
    view! {
        <Door title=title>
            <p>
                "The connection to " <strong>{service.clone()}</strong>
                " needs your consent again. You will sign in at "
                {service.clone()} " and be asked to allow access; Regrant never sees your password."
            </p>
            {account
                .map(|account| {
                    view! {
                        <dl class="facts is-boxed">
                            <div>
                                <dt>"Use this account"</dt>
                                <dd class="is-big">{account}</dd>
                            </div>
                        </dl>
                    }
                })}
            <PlainForm action=Begin::url() class="form">
                <input type="hidden" name="token" value=token/>
                <div class="actions">
                    <Submit label=label weight="primary"/>
                </div>
                <Answered trouble=doing.trouble/>
            </PlainForm>
            <p class="help">"The link works once. Nothing is changed until you allow it."</p>
        </Door>
    }
    .into_any()
}

#[component]
pub fn Outcome() -> impl IntoView {
    let kind = use_params_map()
        .with_untracked(|params| params.get("kind"))
        .and_then(|kind| kind.parse::<Ending>().ok());
    match kind {
        Some(kind) => said(voice::outcome(kind)),
        None => view! { <missing::Page/> }.into_any(),
    }
}

fn said(page: voice::Page) -> AnyView {
    let (tone, shape) = if page.well { ("well", glyph::TICK) } else { ("ill", glyph::CROSS) };
    view! {
        <Door title=page.title>
            <div class="verdict" data-tone=tone>
                {glyph::shape(shape)}
                <p>{page.text}</p>
            </div>
        </Door>
    }
    .into_any()
}
