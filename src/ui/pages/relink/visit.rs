//! What the account's owner sees: no login, no navigation, plain words in their language, one button.

use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};
use time::OffsetDateTime;

use crate::{
    domain::{
        brand::Brand,
        device::{DeviceAuthorization, DeviceState},
        language::Language,
        relink::{self, Consent, Ended, Need},
        voice::visitor::{self, Ending, Texts, fill},
    },
    rpc,
    ui::{
        components::{field::Submit, glyph, notice},
        layout::hosted,
        path,
        patterns::{live::live_until_another, load::loaded_for_anyone, visit::Visit},
    },
};

use super::super::missing;

#[component]
pub fn Invitation() -> impl IntoView {
    let params = use_params_map();
    let token = move || params.with(|params| params.get("token")).unwrap_or_default();
    let invitation = Resource::new_blocking(token, |token| async move {
        Ok((rpc::relink::get(token).await?, rpc::brand::get().await?))
    });
    let last = use_query_map()
        .with_untracked(|params| params.get("outcome"))
        .and_then(|outcome| outcome.parse::<relink::Outcome>().ok())
        .filter(|outcome| *outcome != relink::Outcome::Done);
    let texts = Visit::texts();
    loaded_for_anyone(invitation, move |(invitation, brand)| {
        let ending = match invitation {
            relink::Invitation::Open { service, account, need, consent } => {
                let asked = Asked { service, account, need, consent };
                return open(&brand, asked, &token(), last);
            }
            relink::Invitation::NotNow => texts.not_now,
            relink::Invitation::Done => texts.done,
            relink::Invitation::Used => texts.used,
            relink::Invitation::Expired => texts.expired,
            relink::Invitation::Ended(Ended::Replaced) => texts.replaced,
            relink::Invitation::Ended(Ended::Revoked) => texts.revoked,
            relink::Invitation::Unknown => texts.unknown,
        };
        ended(&brand, ending, &path::relink(&token()))
    })
}

/// What consent is asked for.
struct Asked {
    service: String,
    account: Option<String>,
    need: Need,
    consent: Consent,
}

fn open(brand: &Brand, asked: Asked, token: &str, last: Option<relink::Outcome>) -> AnyView {
    let Asked { service, account, need, consent } = asked;
    let texts = Visit::texts();
    let named = |text: &str| fill(text, &[("service", &service)]);
    let (title, needs) = match need {
        Need::First => (texts.title_first, texts.needs_first),
        Need::Again => (texts.title, texts.needs_consent),
        Need::Anew => (texts.title, texts.needs_anew),
    };
    let way = match &consent {
        Consent::Page => texts.by_page,
        Consent::Code | Consent::Asked { .. } => texts.by_code,
    };
    let account = match account {
        Some(account) => view! {
            <dl class="facts is-boxed">
                <div>
                    <dt>{texts.which_account}</dt>
                    <dd>
                        <p class="is-big">{account}</p>
                        <p class="help">{texts.which_account_help}</p>
                    </dd>
                </div>
            </dl>
        }
        .into_any(),
        None => view! { <p>{named(texts.any_account)}</p> }.into_any(),
    };
    let here = match last {
        Some(outcome) => path::relink_again(token, outcome),
        None => path::relink(token),
    };
    let last = last.or_else(|| came_of(&consent));
    let told = last.map(|outcome| {
        let ending = texts.outcome(outcome);
        view! { <notice::Notice well=ending.well title=ending.title text=ending.text/> }
    });
    let (title, needs) = (named(title), named(needs));
    let step = step(texts, &service, consent, token, last);
    let languages = languages(&here);
    let content = view! {
        {told}
        <p>{needs} " " {way}</p>
        {account}
        {step}
        <p class="help">{texts.once}</p>
        {languages}
    };
    hosted(brand, title, content)
}

/// How the try before this one ended, where a code was typed.
fn came_of(consent: &Consent) -> Option<relink::Outcome> {
    let Consent::Asked { device, .. } = consent else { return None };
    match device.state {
        DeviceState::Waiting | DeviceState::Done => None,
        DeviceState::Denied => Some(relink::Outcome::Denied),
        DeviceState::Expired => Some(relink::Outcome::Expired),
        DeviceState::WrongAccount => Some(relink::Outcome::WrongAccount),
        DeviceState::Failed => Some(relink::Outcome::Failed),
    }
}

/// What to do next: go to the provider, ask for a code, type it.
fn step(
    texts: &'static Texts,
    service: &str,
    consent: Consent,
    token: &str,
    last: Option<relink::Outcome>,
) -> AnyView {
    let label = match consent {
        Consent::Asked { device, as_of } if device.state == DeviceState::Waiting => {
            return code(texts, &device, as_of, token);
        }
        Consent::Page => match last {
            None => texts.go_on,
            Some(relink::Outcome::WrongAccount) => texts.go_on_again,
            Some(_) => texts.try_again,
        },
        Consent::Code => texts.get_code,
        Consent::Asked { .. } => texts.get_code_again,
    };
    let label = fill(label, &[("service", service)]);
    let action = path::in_language(&path::relink_begin(token), Visit::language());
    view! {
        <form method="post" action=action class="form">
            <div class="actions">
                <Submit label=label weight="primary"/>
            </div>
        </form>
    }
    .into_any()
}

/// The code, where to type it, and an address at which is seen what came of it.
fn code(
    texts: &'static Texts,
    device: &DeviceAuthorization,
    as_of: OffsetDateTime,
    token: &str,
) -> AnyView {
    let address = device.verification_uri.clone();
    let complete = device.verification_uri_complete.clone().map(|complete| {
        view! {
            <p>
                <a href=complete rel="noreferrer noopener" target="_blank">
                    {texts.code_or}
                </a>
            </p>
        }
    });
    let until = texts.moment(device.expires_at);
    let left = (device.expires_at - as_of).is_positive();
    let inside = view! {
        <div class="once" data-device-code="">
            <p>
                {texts.code_where} " "
                <a href=address.clone() rel="noreferrer noopener" target="_blank">
                    {address.clone()}
                </a>
            </p>
            <p class="code">{device.user_code.clone()}</p>
            {complete}
            <p class="help">
                {fill(texts.code_until, &[("until", &until)])} " "
                <a href=path::relink(token)>{texts.code_reload}</a>
            </p>
        </div>
    };
    live_until_another("device", left, inside)
}

#[component]
pub fn Outcome() -> impl IntoView {
    let kind = use_params_map().with_untracked(|params| params.get("kind")).unwrap_or_default();
    let ending = match kind.as_str() {
        path::SPENT => Some(Visit::texts().spent),
        path::BEING_STORED => Some(Visit::texts().being_stored),
        kind => kind.parse().ok().map(|kind| Visit::texts().outcome(kind)),
    };
    let brand = Resource::new_blocking(|| (), |()| rpc::brand::get());
    match ending {
        Some(ending) => {
            let here = path::outcome(&kind);
            loaded_for_anyone(brand, move |brand| ended(&brand, ending, &here)).into_any()
        }
        None => view! { <missing::Page/> }.into_any(),
    }
}

/// The end of the way, at the page `here`.
fn ended(brand: &Brand, ending: Ending, here: &str) -> AnyView {
    let (tone, shape) = if ending.well { ("well", glyph::TICK) } else { ("ill", glyph::CROSS) };
    let content = view! {
        <div class="verdict" data-tone=tone>
            {glyph::shape(shape)}
            <p>{ending.text}</p>
        </div>
        {languages(here)}
    };
    hosted(brand, ending.title.to_owned(), content)
}

/// The page in another language.
fn languages(page: &str) -> AnyView {
    let current = Visit::language();
    let others = Language::ALL
        .into_iter()
        .filter(|language| *language != current)
        .map(|language| {
            let tag = language.tag();
            view! {
                <a href=path::in_language(page, language) lang=tag hreflang=tag>
                    {visitor::texts(language).language}
                </a>
            }
        })
        .collect::<Vec<_>>();
    view! { <p class="links">{others}</p> }.into_any()
}
