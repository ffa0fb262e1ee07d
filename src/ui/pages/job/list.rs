//! All jobs, the newest first.

use leptos::{either::Either, prelude::*};
use leptos_router::hooks::use_query_map;

use crate::{
    domain::{
        job::Job,
        voice::{self, Empty},
    },
    rpc,
    ui::{
        components::{
            head::{head, link},
            moment::Exact,
            notice::nothing,
        },
        path,
        patterns::{
            live::{live, reload},
            load::loaded,
            pager::Pager,
            table::table,
        },
    },
};

#[component]
pub fn List() -> impl IntoView {
    let params = use_query_map();
    let jobs = Resource::new_blocking(move || params.with(path::paging), rpc::job::list);
    loaded(jobs, |page, _| {
        let moves = page.items.iter().any(Job::is_running);
        let content = if page.items.is_empty() {
            Either::Left(nothing(
                Empty::Jobs,
                link(path::CONNECTIONS, "button", "To the connections"),
            ))
        } else {
            Either::Right(all(page.items))
        };
        view! {
            {head("Jobs", Some(("Connections", path::CONNECTIONS)), ())}
            {reload(moves)}
            {live("jobs", moves, content)}
            <Pager next=page.next/>
        }
    })
}

fn all(jobs: Vec<Job>) -> AnyView {
    let rows = jobs.into_iter().map(|job| {
        let (_, text) = voice::job(&job);
        let name = voice::job_name(&job);
        let action = job.name.is_some().then(|| {
            view! { <p class="sub">{voice::job_action(job.action)}</p> }
        });
        view! {
            <tr>
                <td>{link(path::job(job.id), "", name)} {action}</td>
                <td>{text}</td>
                <td>{job.created_by}</td>
                <td>
                    <Exact at=job.created_at/>
                </td>
            </tr>
        }
    });
    let headings = ["Job", "How it stands", "Asked for by", "Begun"];
    table("Jobs", &headings, rows.collect::<Vec<_>>())
}
