//! One job: how far it is, and what came of it. It moves by itself, and goes on when nobody looks.

use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    domain::{
        access::Permission,
        campaign::Customers,
        job::{Action, Job, JobOutcome},
        language::Language,
        page::Page,
        relink::Stage,
        voice::{self, visitor},
    },
    rpc::{self, job::Stop},
    ui::{
        components::{
            confirm::confirm,
            head::{head, link, section},
            moment::Exact,
            notice::{said, said_as},
        },
        path,
        patterns::{
            action::{Doing, button_form, hidden},
            customers::{stage_bar, stage_counts, stragglers},
            live::{bar, live, live_on, reload, reload_every},
            load::{May, loaded, missing, unread},
            pager::Pager,
            table::table,
        },
    },
};

/// What came of the connections. With links, it is their customers on whom it depends, unless each is asked for.
#[derive(Clone, Serialize, Deserialize)]
enum Came {
    Customers(Customers),
    Outcomes(Page<JobOutcome>),
}

#[component]
pub fn Detail() -> impl IntoView {
    let (params, asked) = (use_params_map(), use_query_map());
    let stop = Doing::<Stop>::new();
    let job = Resource::new_blocking(
        move || {
            let id = params.with(path::id);
            let page = asked
                .with(|asked| (path::stage(asked), path::stage_unread(asked), path::paging(asked)));
            (id, page, asked.with(path::shows_each), stop.version.get())
        },
        |(id, (stage, odd, paging), each, _)| async move {
            let Some(id) = id else { return missing("job") };
            if let Some(odd) = odd {
                return unread(&odd);
            }
            let job = rpc::job::get(id).await?;
            let failed = match without(&job) {
                0 => Vec::new(),
                _ => rpc::job::failed(id).await?,
            };
            let came = match job.action {
                Action::Relink if !each => {
                    Came::Customers(rpc::campaign::progress(id, stage, paging).await?)
                }
                _ => Came::Outcomes(rpc::job::outcomes(id, paging).await?),
            };
            Ok((job, failed, came))
        },
    );
    loaded(job, move |(job, failed, came), may| {
        let (customers, outcomes) = match came {
            Came::Customers(customers) => (Some(customers), None),
            Came::Outcomes(outcomes) => (None, Some(outcomes)),
        };
        let shown = outcomes.as_ref().map_or(0, |page| page.items.len());
        let shows_all = usize::try_from(job.total) == Ok(shown);
        let moves = job.is_running();
        let stops = moves && may.allows(job.action.permission());
        let title = voice::job_name(&job);
        let stage = asked.with_untracked(path::stage);
        let waits = customers.as_ref().is_some_and(|all| all.progress.stragglers() > 0);
        let other = (job.action == Action::Relink).then(|| match customers {
            Some(_) => link(path::job_each(job.id), "", "What came of each connection"),
            None => link(path::job(job.id), "", "How far the customers are"),
        });
        let customers = customers.map(|customers| {
            let far = far(&job, customers, stage, &may);
            section("Customers", "", live_on("customers", "relinks", far))
        });
        let stop = stops.then(|| {
            let form = button_form(stop, hidden("id", job.id), "Stop", "grave");
            confirm("Stop", voice::job_stop(&job), form)
        });
        view! {
            {head(title, Some(("Jobs", path::JOBS)), ())}
            {reload(moves)}
            // People take longer than jobs.
            {reload_every((waits && !moves).then_some(15))}
            {live("job", moves, view! {
                {progress(&job)}
                {job.name.is_some().then(|| view! { <p>{voice::job_deed(&job)}</p> })}
                <p class="quiet">
                    {format!("Asked for by {}, ", job.created_by)} <Exact at=job.created_at/>
                </p>
                {origin(&job)}
            })}
            // Whoever thinks about it goes on seeing how far it is.
            {live("job-stop", moves, stop)}
            {customers}
            {live("job-outcomes", moves, view! {
                {other.map(|other| view! { <p class="more">{other}</p> })}
                {files(&job)}
                {(!failed.is_empty() && !shows_all)
                    .then(|| section(without_title(&job), "", problems(failed, &job)))}
                {outcomes.map(|page| section("What came of each", "", all(page)))}
            })}
        }
    })
}

/// How many are listed by themselves, since it was not done for them. Whoever got no link may need somebody.
fn without(job: &Job) -> i64 {
    match job.action {
        Action::Relink => job.skipped + job.failed,
        _ => job.failed,
    }
}

fn without_title(job: &Job) -> &'static str {
    match job.action {
        Action::Relink => "Who got no link",
        _ => "What could not be done",
    }
}

/// Whose stragglers it is for, and what its links ask for.
fn origin(job: &Job) -> AnyView {
    let of = job.stragglers_of.map(|id| {
        view! { <p class="quiet">"For the stragglers of " {link(path::job(id), "", "another job")}</p> }
    });
    let scopes = job.client_scopes.then(|| {
        view! { <p class="quiet">"Its links ask for all that the client asks for today."</p> }
    });
    view! {
        {of}
        {scopes}
    }
    .into_any()
}

/// How far the customers are, and those of them who are not done.
fn far(job: &Job, customers: Customers, shown: Option<Stage>, may: &May) -> AnyView {
    let Customers { as_of, progress, stragglers: page } = customers;
    let id = job.id;
    let waits = progress.stragglers() > 0;
    let again = (waits && may.allows(Permission::ConnectionsRelink)).then(|| {
        let href = path::job_new_for_stragglers(id);
        link(href, "button is-primary", "New links for the stragglers")
    });
    let file = waits.then(|| {
        let href = path::straggler_export(id, "csv");
        view! {
            <a href=href class="button" download="" rel="external">
                "Stragglers as CSV"
            </a>
        }
    });
    let mails =
        (progress.has_links() && may.allows(Permission::ConnectionsRelink)).then(|| mails(id));
    let all_done = !waits && progress.total > 0;
    let text = voice::campaign(&progress);
    let told = match all_done {
        true => said(true, text),
        false => view! { <p class="campaign-told">{text}</p> }.into_any(),
    };
    view! {
        <div role="status">{told}</div>
        {stage_bar(&progress)}
        {stage_counts(id, &progress, shown)}
        {waits.then(|| view! { <div class="actions">{again} {file}</div> })}
        {mails}
        {(!page.items.is_empty()).then(|| stragglers(page.items, as_of))}
        <Pager next=page.next/>
    }
    .into_any()
}

/// The texts by which the links are sent.
fn mails(id: Uuid) -> AnyView {
    let files = Language::ALL
        .into_iter()
        .map(|language| {
            let name = visitor::texts(language).language;
            view! {
                <a
                    href=path::mail_export(id, language, "csv")
                    class="button"
                    download=""
                    rel="external"
                >
                    "E-mails as CSV · "
                    <span lang=language.tag()>{name}</span>
                </a>
            }
        })
        .collect::<Vec<_>>();
    view! {
        <details class="fold">
            <summary>"E-mails with the links"</summary>
            <p>{voice::CAMPAIGN_MAILS}</p>
            <p class="actions">{files}</p>
        </details>
    }
    .into_any()
}

/// What is said aloud is said once, at the end.
fn progress(job: &Job) -> AnyView {
    let (tone, text) = voice::job(job);
    let (on_the_way, over) = if job.is_running() { (Some(text), None) } else { (None, Some(text)) };
    let going = on_the_way.map(|text| {
        view! {
            <p>{text}</p>
            {bar("Done so far", job.worked(), Some(job.total))}
            <p class="help">"You can leave this page: the job goes on without it."</p>
        }
    });
    view! {
        {going}
        <div role="status">{over.map(|text| said_as(tone, text))}</div>
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
        Action::Relink => "Each link that works, and what came of each connection, as a file:",
        _ => "What came of each connection, as a file:",
    };
    view! {
        <p>{what}</p>
        <p class="actions">
            {file("csv", "Download CSV")} {file("ndjson", "Download NDJSON")}
        </p>
    }
    .into_any()
}

fn connection(outcome: &JobOutcome) -> AnyView {
    let name = if outcome.label.is_empty() { "(no name yet)" } else { &outcome.label };
    link(path::connection(outcome.connection_id), "", name.to_owned())
}

/// All of them, in the order of the job.
fn all(page: Page<JobOutcome>) -> AnyView {
    let rows = page.items.into_iter().map(|outcome| {
        view! {
            <tr>
                <td>{connection(&outcome)}</td>
                <td>{outcome.client.clone()}</td>
                <td>
                    {voice::job_outcome(&outcome)}
                    {outcome.detail.map(|detail| view! { <p class="sub">{detail}</p> })}
                </td>
                <td>{outcome.at.map(|at| view! { <Exact at=at/> })}</td>
            </tr>
        }
    });
    view! {
        {table(
            "What came of each",
            &["Connection", "Client", "What came of it", "When"],
            rows.collect::<Vec<_>>(),
        )}
        <Pager next=page.next/>
    }
    .into_any()
}

fn problems(shown: Vec<JobOutcome>, job: &Job) -> AnyView {
    let title = without_title(job);
    let more = usize::try_from(without(job)).unwrap_or_default().saturating_sub(shown.len());
    let rows = shown.into_iter().map(|outcome| {
        view! {
            <tr>
                <td>{connection(&outcome)}</td>
                <td>{outcome.client}</td>
                <td>{outcome.detail.unwrap_or_default()}</td>
            </tr>
        }
    });
    view! {
        {table(title, &["Connection", "Client", "Why"], rows.collect::<Vec<_>>())}
        {(more > 0).then(|| view! { <p class="quiet">{format!("And {more} more.")}</p> })}
    }
    .into_any()
}
