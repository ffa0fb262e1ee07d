//! Bringing a client's connections over from elsewhere, and what came of it.

use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};
use uuid::Uuid;

use crate::{
    domain::{
        access::Permission,
        connection::ConnectionFilter,
        import::{self, RowProblem},
        voice::{self, Empty, Tone},
    },
    rpc,
    ui::{
        components::{
            field::Submit,
            head::{head, link, section},
            moment::Exact,
            notice::{nothing, said_as},
        },
        path,
        patterns::{
            live::{bar, live, reload},
            load::{loaded, missing},
            upload,
        },
    },
};

#[component]
pub fn Import() -> impl IntoView {
    let (params, query) = (use_params_map(), use_query_map());
    let page = Resource::new_blocking(
        move || {
            let run = query.with(|query| query.get("run")?.parse::<Uuid>().ok());
            (params.with(path::id), run)
        },
        |(id, run)| async move {
            let Some(id) = id else { return missing("client") };
            let client = rpc::client::get(id).await?;
            let run = match run {
                Some(run) => Some(rpc::import::get(run).await?),
                None => None,
            };
            Ok((client, run, rpc::import::list(id).await?))
        },
    );
    loaded(page, move |(client, run, all), may| {
        let title = format!("Import connections of {}", client.name);
        let up = path::client(client.id);
        let writes = may.allows(Permission::ConnectionsWrite);
        let moves = all.iter().any(import::Import::is_running);
        let upper = match run {
            Some(run) => outcome(run, client.id, writes),
            None if writes => section("Send a file", "", first(client.id)),
            None => ().into_any(),
        };
        view! {
            {head(title, Some((&client.name, &up)), ())}
            {upper}
            {live("imports", moves, section("Imports so far", "Newest first", list(all)))}
        }
        .into_any()
    })
}

fn first(client: Uuid) -> AnyView {
    let buttons = view! {
        <button type="submit" class="button is-primary" formaction=path::upload_trial(client)>
            "Try it: nothing is stored"
        </button>
        <Submit label="Import"/>
    };
    view! {
        <p class="lead">
            "CSV with a heading, or one JSON object a line. Each row is one connection: "
            <code>"token_response"</code> " as the provider gave it (in CSV as JSON, or its fields as columns), and if you like "
            <code>"external_id"</code> ", " <code>"label"</code> ", " <code>"tags"</code> ", "
            <code>"scopes"</code> " and " <code>"obtained_at"</code>
            ". Rows whose external id is here already are skipped, so a file can be sent again. "
            {voice::IMPORT_COLUMNS}
        </p>
        {form(client, "form", buttons)}
    }
    .into_any()
}

/// The same file once more, after a dry run in which something was well. Our script has it at hand still.
fn same(run: &import::Import) -> AnyView {
    let text = voice::import_after_trial(run);
    section(
        "Import it",
        "",
        view! {
            <p class="lead">{text}</p>
            {form(run.client_id, "form is-kept", view! { <Submit label="Import it now" weight="primary"/> })}
        },
    )
}

fn form(client: Uuid, class: &'static str, buttons: impl IntoView + 'static) -> AnyView {
    view! {
        {upload::refused(&path::upload_import(client))}
        {upload::refused(&path::upload_trial(client))}
        <form
            method="post"
            enctype="multipart/form-data"
            action=path::upload_import(client)
            class=class
        >
            <div class="field">
                <label for="import-file">"File"</label>
                <input
                    id="import-file"
                    type="file"
                    name="file"
                    accept=".csv,.ndjson,.jsonl"
                    required=true
                />
            </div>
            <progress class="progress" hidden=true aria-label="Sent so far"></progress>
            <div class="actions">
                {buttons}
            </div>
        </form>
    }
    .into_any()
}

/// What became of one import, or how far it is. What is said aloud is said once, at its end.
fn outcome(run: import::Import, client: Uuid, writes: bool) -> AnyView {
    let moves = run.is_running();
    let next = (writes && run.is_rehearsed()).then(|| same(&run));
    let told = voice::import(&run);
    let progress = moves.then(|| {
        view! {
            <p>{sentences(told.clone())}</p>
            {bar("Read so far", run.read_bytes, run.total_bytes)}
        }
    });
    let brought = (!moves && run.brought_any())
        .then(|| link(brought(run.id), "button", "See the connections that came of it"));
    let another = (writes && !moves)
        .then(|| link(path::client_import(client), "button", "Send another file"));
    let on = (brought.is_some() || another.is_some())
        .then(|| view! { <p class="actions">{brought} {another}</p> });
    view! {
        {reload(moves)}
        {live("import", moves, view! {
            {progress}
            <div role="status">
                {(!moves).then(|| told.into_iter().map(|(tone, text)| said_as(tone, text)).collect::<Vec<_>>())}
            </div>
            {problems(run)}
            {on}
        })}
        {next}
    }
    .into_any()
}

/// The list of what an import brought.
fn brought(id: Uuid) -> String {
    path::connections(&ConnectionFilter { import: Some(id), ..ConnectionFilter::default() })
}

fn sentences(told: Vec<(Tone, String)>) -> String {
    told.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join(" ")
}

fn problems(run: import::Import) -> Option<AnyView> {
    let more = run.untold();
    let shown = run.problems;
    (!shown.is_empty()).then(|| {
        view! {
            <div class="scroll" tabindex="0" role="region" aria-label="Rows with a problem">
                <table class="table">
                    <thead>
                        <tr>
                            <th scope="col">"Where"</th>
                            <th scope="col">"External id"</th>
                            <th scope="col">"Problem"</th>
                        </tr>
                    </thead>
                    <tbody>{shown.into_iter().map(row).collect::<Vec<_>>()}</tbody>
                </table>
            </div>
            {(more > 0).then(|| view! { <p class="quiet">{format!("And {} more.", voice::grouped(more))}</p> })}
        }
        .into_any()
    })
}

fn row(problem: RowProblem) -> AnyView {
    let field = (!problem.field.is_empty()).then(|| view! { <code>{problem.field}</code> " " });
    let place = match problem.line {
        Some(line) => format!("line {line}"),
        None => format!("row {}", problem.row),
    };
    view! {
        <tr>
            <td>{place}</td>
            <td data-label="External id">{problem.external_id.unwrap_or_default()}</td>
            <td>{field} {problem.message}</td>
        </tr>
    }
    .into_any()
}

fn list(all: Vec<import::Import>) -> AnyView {
    if all.is_empty() {
        return nothing(Empty::Imports, ());
    }
    let rows = all.into_iter().map(|run| {
        let href = format!("{}?run={}", path::client_import(run.client_id), run.id);
        let text = voice::import_in_short(&run);
        let brought =
            (!run.is_running() && run.brought_any()).then(|| link(brought(run.id), "", "See them"));
        let file = match run.file_name.clone() {
            Some(name) => name.into_any(),
            None => view! { <span class="quiet">"no name was given"</span> }.into_any(),
        };
        let progress =
            run.is_running().then(|| bar("Read so far", run.read_bytes, run.total_bytes));
        view! {
            <tr>
                <td>
                    {link(href, "", view! { <Exact at=run.begun_at/> })}
                </td>
                <td data-label="File">{file}</td>
                <td>{text} " " {brought} {progress}</td>
            </tr>
        }
    });
    view! {
        <div class="scroll" tabindex="0" role="region" aria-label="Imports">
            <table class="table">
                <thead>
                    <tr>
                        <th scope="col">"Begun"</th>
                        <th scope="col">"File"</th>
                        <th scope="col">"What came of it"</th>
                    </tr>
                </thead>
                <tbody>{rows.collect::<Vec<_>>()}</tbody>
            </table>
        </div>
    }
    .into_any()
}
