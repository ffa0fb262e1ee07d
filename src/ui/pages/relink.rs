//! What the account's owner sees: no login, no navigation, plain words, one button.

use leptos::{prelude::*, server_fn::ServerFn};
use leptos_router::hooks::use_params_map;

use crate::{
    domain::{
        device::DeviceState,
        relink::{self, Consent},
        voice::{self, Outcome as Ending},
    },
    rpc::{self, relink::Begin},
    ui::{
        components::{
            field::Submit,
            glyph,
            notice::{self, Answered},
        },
        layout::Door,
        path,
        patterns::{
            action::{Doing, PlainForm},
            device,
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
        relink::Invitation::Open { service, account, consent } => {
            open(&service, account, consent, token(), doing)
        }
        closed => match voice::invitation(&closed) {
            Some(page) => said(page),
            None => ().into_any(),
        },
    })
}

fn open(
    service: &str,
    account: Option<String>,
    consent: Consent,
    token: String,
    doing: Doing<Begin>,
) -> AnyView {
    let way = match &consent {
        Consent::Page => {
            " You will sign in there and be asked to allow access; Regrant never sees your password."
        }
        Consent::Code | Consent::Asked { .. } => {
            " You will be given a code and type it where you are signed in there, on any device; Regrant never sees your password."
        }
    };
    let account = account.map(|account| {
        view! {
            <dl class="facts is-boxed">
                <div>
                    <dt>"Use this account"</dt>
                    <dd class="is-big">{account}</dd>
                </div>
            </dl>
        }
    });
    let title = format!("Reconnect {service}");
    let step = step(service, consent, token, doing);
    let service = service.to_owned();
    view! {
        <Door title=title>
            <p>
                "The connection to " <strong>{service}</strong> " needs your consent again." {way}
            </p>
            {account}
            {step}
            <p class="help">"The link works once. Nothing is changed until you allow it."</p>
        </Door>
    }
    .into_any()
}

/// What to do next: go to the provider, ask for a code, type it.
fn step(service: &str, consent: Consent, token: String, doing: Doing<Begin>) -> AnyView {
    let (before, label) = match consent {
        Consent::Page => (None, format!("Continue to {service}")),
        Consent::Code => (None, "Get a code".to_owned()),
        Consent::Asked { device, as_of } if device.state == DeviceState::Waiting => {
            return device::code(&device, service, as_of, path::relink(&token));
        }
        Consent::Asked { device, .. } => {
            let text = match device.state {
                // The audit log is for the staff.
                DeviceState::Failed => Some(voice::outcome(Ending::Failed).text.to_owned()),
                state => voice::device(state, service),
            };
            (text.map(|text| notice::said(false, text)), "Get another code".to_owned())
        }
    };
    view! {
        {before}
        <PlainForm action=Begin::url() class="form">
            <input type="hidden" name="token" value=token/>
            <div class="actions">
                <Submit label=label weight="primary"/>
            </div>
            <Answered trouble=doing.trouble/>
        </PlainForm>
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
