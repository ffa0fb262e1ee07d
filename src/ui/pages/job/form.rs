//! Confirming a job: how many connections, of which clients, and what will happen to them.

use leptos::{either::Either, prelude::*};
use leptos_router::{hooks::use_query_map, params::ParamsMap};
use uuid::Uuid;

use crate::{
    domain::{
        connection::ConnectionFilter,
        job::{Action, NewJob, Selection},
        voice::{self, Empty},
    },
    rpc::{self, job::Create},
    ui::{
        components::{
            field::{Submit, Text},
            head::{head, link},
            notice::{Answered, nothing},
        },
        path,
        patterns::{
            action::{Doing, action_form, hidden},
            load::loaded,
        },
    },
};

/// What the list of connections asked for.
#[derive(Clone, Debug, PartialEq)]
struct Asked {
    action: Action,
    ids: Vec<Uuid>,
    /// All that this lets through; else `ids`.
    filter: Option<ConnectionFilter>,
}

impl Asked {
    fn read(params: &ParamsMap) -> Option<Self> {
        let ids = params.get_all("id").unwrap_or_default();
        Some(Self {
            action: params.get("action")?.parse().ok()?,
            ids: ids.iter().filter_map(|id| id.parse().ok()).collect(),
            filter: (params.get_str("of") == Some("all")).then(|| path::connection_filter(params)),
        })
    }

    fn job(&self) -> NewJob {
        NewJob {
            action: self.action,
            ids: self.filter.is_none().then(|| self.ids.clone()),
            filter: self.filter.clone(),
            // It is asked for on this page.
            tag: self.action.takes_tag().then(|| "-".to_owned()),
            revoke: false,
        }
    }
}

#[component]
pub fn New() -> impl IntoView {
    let params = use_query_map();
    let create = Doing::<Create>::new();
    let asked = Resource::new_blocking(
        move || params.with(Asked::read),
        |asked| async move {
            match asked {
                Some(asked) if asked.filter.is_some() || !asked.ids.is_empty() => {
                    let selection = rpc::job::preview(asked.job()).await?;
                    Ok((selection.total > 0).then_some(selection))
                }
                _ => Ok(None),
            }
        },
    );
    loaded(asked, move |selection, _| {
        let asked = params.with_untracked(Asked::read);
        let content = match (asked, selection) {
            (Some(asked), Some(selection)) => Either::Left(confirm(&asked, selection, create)),
            _ => Either::Right(nothing(
                Empty::Chosen,
                link(path::CONNECTIONS, "button", "To the connections"),
            )),
        };
        let title = params.with_untracked(Asked::read).map(|asked| voice::job_action(asked.action));
        view! {
            {head(title.unwrap_or("Jobs"), Some(("Connections", path::CONNECTIONS)), ())}
            {content}
        }
    })
}

fn confirm(asked: &Asked, selection: Selection, create: Doing<Create>) -> AnyView {
    let action = asked.action;
    let chosen = match &asked.filter {
        Some(filter) => hidden("filter", serde_json::to_string(filter).unwrap_or_default()),
        None => {
            let ids: Vec<String> = asked.ids.iter().map(ToString::to_string).collect();
            hidden("ids", ids.join(" "))
        }
    };
    let tag = action.takes_tag().then(|| {
        view! { <Text name="tag" label="Tag" trouble=create.trouble required=true/> }
    });
    let revoke = (action == Action::Disconnect).then(|| {
        view! {
            <label class="check">
                <input type="checkbox" name="revoke" value="true" checked=true/>
                <span>"Tell the providers too, so that the tokens stop working"</span>
            </label>
        }
    });
    let weight = if action == Action::Disconnect { "grave" } else { "primary" };
    let label = format!("{} {}", voice::job_action(action), voice::grouped(selection.total));
    let back =
        asked.filter.as_ref().map_or_else(|| path::CONNECTIONS.to_owned(), path::connections);
    let content = view! {
        {hidden("action", action.as_str())}
        {chosen}
        {tag}
        {revoke}
        <div class="actions">
            <Submit label=label pending=create.pending weight=weight/>
            {link(back, "button", "Back")}
        </div>
        <Answered trouble=create.trouble/>
    };
    let clients = selection
        .clients
        .iter()
        .map(|share| {
            view! {
                <tr>
                    <td>{share.client.clone()}</td>
                    <td class="is-number">{voice::grouped(share.count)}</td>
                </tr>
            }
        })
        .collect::<Vec<_>>();
    view! {
        <p class="lead">
            <strong>{voice::job_selection(&selection)}</strong>
            ". "
            {voice::job_meaning(action)}
        </p>
        <div class="scroll" tabindex="0" role="region" aria-label="Clients">
            <table class="table is-narrow">
                <thead>
                    <tr>
                        <th scope="col">"Client"</th>
                        <th scope="col" class="is-number">
                            "Connections"
                        </th>
                    </tr>
                </thead>
                <tbody>{clients}</tbody>
            </table>
        </div>
        {action_form(create, "form", content)}
    }
    .into_any()
}
