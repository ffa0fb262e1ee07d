//! One job: how far it is, and what came of it. It moves by itself, and goes on when nobody looks.

use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use uuid::Uuid;

use crate::{
    domain::{
        job::{Action, Job, JobOutcome},
        voice,
    },
    rpc::{self, job::Stop},
    ui::{
        components::{
            head::{head, link, section},
            moment::Exact,
            notice::said,
        },
        path,
        patterns::{
            action::{Doing, button_form, hidden},
            live::{bar, live, reload},
            load::{loaded, missing},
        },
    },
};

#[component]
pub fn Detail() -> impl IntoView {
    let params = use_params_map();
    let stop = Doing::<Stop>::new();
    let job = Resource::new_blocking(
        move || {
            let id = params.with(|params| params.get("id")?.parse::<Uuid>().ok());
            (id, stop.version.get())
        },
        |(id, _)| async move {
            let Some(id) = id else { return missing("job") };
            let job = rpc::job::get(id).await?;
            let failed = match job.failed {
                0 => Vec::new(),
                _ => rpc::job::failed(id).await?,
            };
            Ok((job, failed))
        },
    );
    loaded(job, move |(job, failed), may| {
        let moves = job.is_running();
        let stops = moves && may.allows(job.action.permission());
        let title = match &job.tag {
            Some(tag) => format!("{}: {tag}", voice::job_action(job.action)),
            None => voice::job_action(job.action).to_owned(),
        };
        let stop = stops.then(|| button_form(stop, hidden("id", job.id), "Stop", "grave"));
        view! {
            {head(title, Some(("Jobs", path::JOBS)), ())}
            {reload(moves)}
            {live("job", moves, view! {
                {progress(&job)}
                <p class="quiet">
                    {format!("Asked for by {}, ", job.created_by)} <Exact at=job.created_at/>
                </p>
                {stop}
                {files(&job)}
                {(!failed.is_empty())
                    .then(|| section("What could not be done", "", problems(failed, job.failed)))}
            })}
        }
    })
}

/// What is said aloud is said once, at the end.
fn progress(job: &Job) -> AnyView {
    let (well, text) = voice::job(job);
    let (on_the_way, told) = if job.is_running() { (Some(text), None) } else { (None, Some(text)) };
    let going = on_the_way.map(|text| {
        view! {
            <p>{text}</p>
            {bar("Done so far", job.worked(), Some(job.total))}
            <p class="help">"You can leave this page: the job goes on without it."</p>
        }
    });
    view! {
        {going}
        <div role="status">{told.map(|text| said(well, text))}</div>
    }
    .into_any()
}

fn files(job: &Job) -> AnyView {
    let file = |format: &'static str, label: &'static str| {
        let href = path::job_export(job.id, format);
        view! {
            <a href=href class="button" download="" rel="external">
                {label}
            </a>
        }
    };
    let what = match job.action {
        Action::Relink => "Each link, and what came of each connection:",
        _ => "What came of each connection:",
    };
    view! {
        <p>{what}</p>
        <p class="actions">
            {file("csv", "Download CSV")} {file("ndjson", "Download NDJSON")}
        </p>
    }
    .into_any()
}

fn problems(shown: Vec<JobOutcome>, failed: i64) -> AnyView {
    let more = usize::try_from(failed).unwrap_or_default().saturating_sub(shown.len());
    let rows = shown.into_iter().map(|outcome| {
        let name = if outcome.label.is_empty() { "(no name yet)".into() } else { outcome.label };
        view! {
            <tr>
                <td>{link(path::connection(outcome.connection_id), "", name)}</td>
                <td>{outcome.client}</td>
                <td>{outcome.detail.unwrap_or_default()}</td>
            </tr>
        }
    });
    view! {
        <div class="scroll" tabindex="0" role="region" aria-label="What could not be done">
            <table class="table">
                <thead>
                    <tr>
                        <th scope="col">"Connection"</th>
                        <th scope="col">"Client"</th>
                        <th scope="col">"Why"</th>
                    </tr>
                </thead>
                <tbody>{rows.collect::<Vec<_>>()}</tbody>
            </table>
        </div>
        {(more > 0).then(|| view! { <p class="quiet">{format!("And {more} more.")}</p> })}
    }
    .into_any()
}
