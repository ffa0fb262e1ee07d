//! The links sent for a connection or for all, where each stands, and the one just made.

use leptos::prelude::*;
use time::OffsetDateTime;

use crate::{
    domain::{
        language::Language,
        relink::{CreatedRelink, HandedRelink, Picture, Relink, RelinkEntry, Stage, Twins},
        voice::{self, Empty, visitor},
    },
    ui::{
        components::{
            copy::Copyable,
            head::link,
            moment::{Ago, Day},
            notice::nothing,
        },
        path,
    },
};

/// A connection's own. `account`: who gave consent by the one that was used last.
pub fn relinks(
    relinks: &[Relink],
    account: Option<&str>,
    service: &str,
    as_of: OffsetDateTime,
) -> AnyView {
    if relinks.is_empty() {
        return nothing(Empty::Relinks, ());
    }
    let last = relinks.iter().filter_map(|relink| relink.used_at).max();
    let rows = relinks
        .iter()
        .map(|relink| {
            let account = account.filter(|_| relink.used_at == last);
            view! {
                <li>
                    {stage(Stage::of(relink, as_of))}
                    <span>{voice::relink(relink, account, service, as_of).happened}</span>
                    <span class="quiet">
                        "made by " {relink.created_by.clone()} " on " <Day at=relink.created_at/>
                        " · " {link(path::relink_watch(relink.id), "", "watch")}
                    </span>
                </li>
            }
        })
        .collect::<Vec<_>>();
    view! { <ul class="lines">{rows}</ul> }.into_any()
}

/// Those of all connections.
pub fn entries(entries: Vec<RelinkEntry>, as_of: OffsetDateTime) -> AnyView {
    let rows = entries
        .into_iter()
        .map(|entry| {
            let account = entry.account.as_deref();
            let happened = voice::relink(&entry.relink, account, &entry.service, as_of).happened;
            let unknown = account.is_none() && !entry.stage.is_over();
            let account = entry.account.filter(|account| *account != entry.connection);
            view! {
                <li class="found">
                    {stage(entry.stage)}
                    <div class="found-name">
                        {link(path::relink_watch(entry.relink.id), "", entry.connection)}
                        <p>{happened}</p>
                        <p class="sub">
                            {entry.client} {account.map(|account| format!(" · {account}"))}
                            {unknown.then(|| format!(" · {}", voice::UNKNOWN_ACCOUNT_SHORT))}
                            " · made " <Ago at=entry.relink.created_at as_of/> " by "
                            {entry.relink.created_by}
                        </p>
                    </div>
                </li>
            }
        })
        .collect::<Vec<_>>();
    view! { <ul class="lines">{rows}</ul> }.into_any()
}

/// The colour of a stage is that of the state it leads to.
pub fn state_of(stage: Stage) -> &'static str {
    match stage {
        Stage::Done => "alive",
        Stage::Opened | Stage::Away | Stage::Consented => "retrying",
        Stage::WrongAccount | Stage::Denied | Stage::MissingScope => "soon",
        Stage::AlreadyConnected | Stage::ClientRefused | Stage::Failed | Stage::TookTooLong => {
            "soon"
        }
        Stage::Sent | Stage::Expired | Stage::Replaced | Stage::Revoked => "paused",
    }
}

pub fn stage(stage: Stage) -> AnyView {
    view! {
        <span class="tag" data-state=state_of(stage)>
            {voice::relink_word(stage)}
        </span>
    }
    .into_any()
}

/// Where a link stands, and what to say to the customer.
pub fn advice(entry: &RelinkEntry, as_of: OffsetDateTime) -> AnyView {
    let advice = voice::relink(&entry.relink, entry.account.as_deref(), &entry.service, as_of);
    let state = match advice.well {
        Some(true) => "alive",
        Some(false) => "needs-person",
        None => "retrying",
    };
    let first = voice::relink_refused(entry.client_state, &entry.client);
    let say = first.filter(|_| entry.stage != Stage::Done).unwrap_or_else(|| advice.say.to_owned());
    let detail = entry.relink.detail.clone().filter(|_| !entry.stage.is_over());
    let mind =
        (entry.account.is_none() && !entry.stage.is_over()).then_some(voice::UNKNOWN_ACCOUNT);
    view! {
        <div class="status" data-state=state role="status">
            <p class="headline">{advice.happened}</p>
            {mind.map(|mind| view! { <p>{mind}</p> })}
            <dl class="facts is-last">
                <div>
                    <dt>"Say"</dt>
                    <dd>{say}</dd>
                </div>
            </dl>
            {detail
                .map(|detail| {
                    view! {
                        <details class="fold">
                            <summary>"What came back"</summary>
                            <pre>{detail}</pre>
                        </details>
                    }
                })}
        </div>
    }
    .into_any()
}

/// The other connections of the account that gave consent.
pub fn twins(twins: Twins) -> AnyView {
    let told = voice::twins(&twins.account, twins.others.len());
    let others = twins.others.into_iter().map(|one| {
        let standing = one.standing.word();
        view! { " " {link(path::connection(one.id), "", one.name)} " (" {standing} ")" }
    });
    view! {
        {told}
        {others.collect::<Vec<_>>()}
    }
    .into_any()
}

/// The way through, with the time of each step that was made.
pub fn steps(relink: &Relink, as_of: OffsetDateTime) -> AnyView {
    let way = [
        ("Made", Some(relink.created_at)),
        ("Opened", relink.opened_at),
        ("At the provider", relink.left_at),
        ("Came back", relink.returned_at),
        ("Connected", relink.used_at),
    ];
    let steps = way
        .into_iter()
        .map(|(name, at)| {
            let made = at.is_some().to_string();
            view! {
                <li data-made=made>
                    <span>{name}</span>
                    {match at {
                        Some(at) => view! { <Ago at as_of/> }.into_any(),
                        None => view! { <span class="quiet">"not yet"</span> }.into_any(),
                    }}
                </li>
            }
        })
        .collect::<Vec<_>>();
    view! { <ol class="steps">{steps}</ol> }.into_any()
}

/// A link to give to the account's owner. It is never shown again.
pub fn made(relink: CreatedRelink, as_of: OffsetDateTime) -> AnyView {
    let watch = path::relink_watch(relink.id);
    view! {
        <div class="once" data-kept="">
            {field(&relink, as_of)}
            <p>{link(watch, "", "Watch how far they are")}</p>
        </div>
    }
    .into_any()
}

fn field(relink: &CreatedRelink, as_of: OffsetDateTime) -> AnyView {
    let help = format!(
        "Send it to the account's owner. It works once, expires {}, and is not shown again.",
        voice::relative(relink.expires_at, as_of)
    );
    view! { <Copyable id="relink-url" label="Relink" value=relink.url.clone() help=help/> }
        .into_any()
}

/// [`made`], with a picture for a telephone's camera and a text for an e-mail.
pub fn hand_over(handed: HandedRelink, as_of: OffsetDateTime) -> AnyView {
    let mails = Language::ALL
        .into_iter()
        .map(|language| {
            let (subject, body) = visitor::mail(language, &handed);
            let name = visitor::texts(language).language;
            view! {
                <details class="fold">
                    <summary>"E-mail · " <span lang=language.tag()>{name}</span></summary>
                    <p>
                        <a class="button is-small" href=path::mail(&subject, &body)>
                            "Open in the mail program"
                        </a>
                    </p>
                    <Copyable id=format!("relink-mail-{}", language.tag()) label=subject value=body rows=10/>
                </details>
            }
        })
        .collect::<Vec<_>>();
    view! {
        <div class="once is-handed">
            <div class="stack">{field(&handed.made, as_of)} {mails}</div>
            {handed.picture.map(code)}
        </div>
    }
    .into_any()
}

fn code(picture: Picture) -> AnyView {
    let Picture { width, path } = picture;
    view! {
        <figure class="qr">
            <svg
                role="img"
                aria-label="The link as a QR code"
                viewBox=format!("0 0 {width} {width}")
                shape-rendering="crispEdges"
            >
                <rect width=width height=width></rect>
                <path d=path></path>
            </svg>
            <figcaption>"Or scan it with a telephone"</figcaption>
        </figure>
    }
    .into_any()
}
