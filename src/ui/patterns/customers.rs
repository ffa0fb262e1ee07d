//! How far the customers of a job of relinks are: a bar that fills, the same in words, and those who are
//! not done.

use leptos::prelude::*;
use time::OffsetDateTime;
use uuid::Uuid;

use super::relinks::{stage, state_of};
use crate::{
    domain::{
        campaign::{Campaign, Progress, Straggler},
        relink::Stage,
        voice,
    },
    ui::{
        components::{head::link, moment::Ago},
        path,
    },
};

/// The bar. What it shows stands in words beside it.
pub fn stage_bar(progress: &Progress) -> AnyView {
    let mut from = 0;
    let parts = progress
        .stages
        .iter()
        .map(|one| {
            let at = from;
            from += one.count;
            view! {
                <rect x=at y="0" width=one.count height="1" data-state=state_of(one.stage)></rect>
            }
        })
        .collect::<Vec<_>>();
    let field = format!("0 0 {} 1", progress.total.max(1));
    view! {
        <svg class="stages" viewBox=field preserveAspectRatio="none" aria-hidden="true">
            {parts}
        </svg>
    }
    .into_any()
}

/// How many are at each stage; each but the last one leads to those who are at it.
pub fn stage_counts(job: Uuid, progress: &Progress, shown: Option<Stage>) -> AnyView {
    let counts = progress
        .stages
        .iter()
        .map(|one| {
            let text = voice::stage_count(one);
            let current = (shown == Some(one.stage)).then_some("page");
            let content = match one.stage {
                Stage::Done => {
                    view! { <span class="tag" data-state="alive">{text}</span> }.into_any()
                }
                other => view! {
                    <a
                        class="tag"
                        data-state=state_of(other)
                        href=path::job_stragglers(job, Some(other))
                        aria-current=current
                    >
                        {text}
                    </a>
                }
                .into_any(),
            };
            view! { <li>{content}</li> }
        })
        .collect::<Vec<_>>();
    let all = shown.is_some().then(|| {
        view! { <li>{link(path::job_stragglers(job, None), "", "all who are not done")}</li> }
    });
    view! { <ul class="stage-counts" aria-label="How far they are">{counts} {all}</ul> }.into_any()
}

/// Those who are not done, each with what to say.
pub fn stragglers(stragglers: Vec<Straggler>, as_of: OffsetDateTime) -> AnyView {
    let rows = stragglers
        .into_iter()
        .map(|Straggler { entry, say, .. }| {
            let account = entry.account.as_deref();
            let happened = voice::relink(&entry.relink, account, &entry.service, as_of).happened;
            let unknown = account.is_none();
            let account = entry.account.filter(|account| *account != entry.connection);
            view! {
                <li class="found">
                    {stage(entry.stage)}
                    <div class="found-name">
                        {link(path::relink_watch(entry.relink.id), "", entry.connection)}
                        <p>{happened}</p>
                        <p class="say">{say}</p>
                        <p class="sub">
                            {entry.client} {account.map(|account| format!(" · {account}"))}
                            {unknown.then(|| format!(" · {}", voice::UNKNOWN_ACCOUNT_SHORT))}
                            " · link made " <Ago at=entry.relink.created_at as_of/>
                        </p>
                    </div>
                </li>
            }
        })
        .collect::<Vec<_>>();
    view! { <ul class="lines">{rows}</ul> }.into_any()
}

/// Those under way, as the desk shows them.
pub fn campaigns(campaigns: Vec<Campaign>) -> AnyView {
    let rows = campaigns
        .into_iter()
        .map(|Campaign { job, progress }| {
            let name = voice::job_name(&job);
            let told =
                if job.is_running() { voice::job(&job).1 } else { voice::campaign(&progress) };
            view! {
                <li class="campaign">
                    <div class="campaign-name">
                        {link(path::job(job.id), "", name)} <p class="sub">{told}</p>
                    </div>
                    {stage_bar(&progress)}
                </li>
            }
        })
        .collect::<Vec<_>>();
    view! { <ul class="lines">{rows}</ul> }.into_any()
}
