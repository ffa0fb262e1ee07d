//! Confirming a job: how many connections, of which clients, and what will happen to them.

use leptos::{either::Either, prelude::*};
use leptos_router::{hooks::use_query_map, params::ParamsMap};
use uuid::Uuid;

use crate::{
    domain::{
        connection::ConnectionFilter,
        job::{Action, NewJob, Proposal, Selection},
        voice::{self, Empty},
    },
    rpc::{self, campaign::Create as CreateRelinks, job::Create},
    ui::{
        components::{
            field::{Submit, Text},
            head::{head, link},
            notice::{Answered, nothing, said},
        },
        path,
        patterns::{
            action::{Doing, action_form, hidden},
            load::{loaded, unread},
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
    /// Or the stragglers of this job.
    stragglers_of: Option<Uuid>,
    /// What it is to be called.
    name: String,
}

impl Asked {
    fn read(params: &ParamsMap) -> Option<Self> {
        let ids = params.get_all("id").unwrap_or_default();
        Some(Self {
            action: params.get("action")?.parse().ok()?,
            ids: ids.iter().filter_map(|id| id.parse().ok()).collect(),
            filter: (params.get_str("of") == Some("all")).then(|| path::connection_filter(params)),
            stragglers_of: path::filled(params, path::STRAGGLERS).and_then(|id| id.parse().ok()),
            name: path::filled(params, "name").unwrap_or_default(),
        })
    }

    fn job(&self) -> NewJob {
        NewJob {
            ids: (self.filter.is_none() && self.stragglers_of.is_none()).then(|| self.ids.clone()),
            filter: self.filter.clone().filter(|_| self.stragglers_of.is_none()),
            stragglers_of: self.stragglers_of,
            // It is asked for on this page.
            tag: self.action.takes_tag().then(|| "-".to_owned()),
            ..NewJob::of(self.action)
        }
    }

    fn chooses(&self) -> bool {
        self.filter.is_some() || self.stragglers_of.is_some() || !self.ids.is_empty()
    }

    /// How the form says what was chosen.
    fn chosen(&self) -> AnyView {
        match (self.stragglers_of, &self.filter) {
            (Some(id), _) => hidden("stragglers_of", id),
            (None, Some(filter)) => {
                hidden("filter", serde_json::to_string(filter).unwrap_or_default())
            }
            (None, None) => {
                let ids: Vec<String> = self.ids.iter().map(ToString::to_string).collect();
                hidden("ids", ids.join(" "))
            }
        }
    }

    /// Where whoever thinks better of it goes.
    fn back(&self) -> String {
        match (self.stragglers_of, &self.filter) {
            (Some(id), _) => path::job(id),
            (None, Some(filter)) => path::connections(filter),
            (None, None) => path::CONNECTIONS.to_owned(),
        }
    }
}

#[component]
pub fn New() -> impl IntoView {
    let params = use_query_map();
    let (create, relink) = (Doing::<Create>::new(), Doing::<CreateRelinks>::new());
    let asked = Resource::new_blocking(
        move || params.with(|params| (Asked::read(params), path::connection_unread(params))),
        |(asked, odd)| async move {
            // Else it would be all connections.
            if let Some(odd) = odd {
                return unread(&odd);
            }
            match asked {
                Some(asked) if asked.chooses() => {
                    let preview = rpc::job::preview(asked.job()).await?;
                    Ok((preview.selection.total > 0).then_some(preview))
                }
                _ => Ok(None),
            }
        },
    );
    loaded(asked, move |preview, _| {
        let asked = params.with_untracked(Asked::read);
        let content = match (asked, preview) {
            (Some(asked), Some(preview)) => Either::Left(confirm(&asked, &preview, create, relink)),
            _ => Either::Right(view! {
                <Answered trouble=create.trouble/>
                <Answered trouble=relink.trouble/>
                {nothing(
                    Empty::Chosen,
                    link(path::CONNECTIONS, "button", "To the connections"),
                )}
            }),
        };
        let title = params.with_untracked(Asked::read).map(|asked| voice::job_action(asked.action));
        view! {
            {head(title.unwrap_or("Jobs"), Some(("Connections", path::CONNECTIONS)), ())}
            {content}
        }
    })
}

fn confirm(
    asked: &Asked,
    preview: &Proposal,
    create: Doing<Create>,
    relink: Doing<CreateRelinks>,
) -> AnyView {
    let selection = &preview.selection;
    let action = asked.action;
    let meaning = match asked.stragglers_of {
        Some(_) => voice::stragglers_again(),
        None => voice::job_meaning(action),
    };
    let form = match action {
        Action::Relink => relinks(asked, preview, relink),
        _ => others(asked, preview, create),
    };
    let possible = voice::job_possible(action, selection).map(|text| format!(" {text}"));
    let alive = (action == Action::Relink && selection.possible > 0)
        .then(|| voice::job_alive(&selection.standings))
        .flatten()
        .map(|text| format!(" {text}"));
    let clients = selection
        .clients
        .iter()
        .map(|share| {
            view! {
                <tr>
                    <td>{share.client.clone()}</td>
                    <td class="is-number" data-label="Connections">{voice::grouped(share.count)}</td>
                </tr>
            }
        })
        .collect::<Vec<_>>();
    view! {
        <p class="lead">
            <strong>{voice::job_selection(selection)}</strong>
            ". "
            {meaning}
        </p>
        <p>{voice::job_standings(&selection.standings)} {possible} {alive}</p>
        {(!selection.refused.is_empty())
            .then(|| said(false, voice::job_refused(&selection.refused)))}
        {(selection.unknown_accounts > 0)
            .then(|| said(false, voice::job_unknown_accounts(selection.unknown_accounts)))}
        {form}
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
    }
    .into_any()
}

/// What was shown, so that nothing else is done, and no more than once.
fn confirmed(preview: &Proposal) -> AnyView {
    (hidden("expected", preview.selection.digest.clone()), hidden("key", preview.key)).into_any()
}

/// What else is asked about links: what the campaign is called, and what they ask for.
fn relinks(asked: &Asked, preview: &Proposal, relink: Doing<CreateRelinks>) -> AnyView {
    let drift = asked.filter.as_ref().is_some_and(|filter| filter.drift);
    // Those of another job ask for what its links asked for.
    let scopes = asked.stragglers_of.is_none().then(|| {
        let ticked = relink.trouble.or_ticked("client_scopes", "true", drift);
        view! {
            <label class="check">
                <input type="checkbox" name="client_scopes" value="true" checked=ticked/>
                <span>{voice::client_scopes()}</span>
            </label>
        }
    });
    let content = view! {
        {asked.chosen()}
        {confirmed(preview)}
        <Text
            name="name"
            label="Name"
            trouble=relink.trouble
            value=asked.name.clone()
            help="Under which you find it on the desk and among the jobs. Can stay empty."
        />
        {scopes}
        {buttons(asked, &preview.selection, relink.pending, "primary")}
        <Answered trouble=relink.trouble/>
    };
    action_form(relink, "form", content)
}

fn others(asked: &Asked, preview: &Proposal, create: Doing<Create>) -> AnyView {
    let action = asked.action;
    let tag = action.takes_tag().then(|| {
        view! {
            <Text
                name="tag"
                label="Tag"
                trouble=create.trouble
                required=true
                help="One word, without blanks."
            />
        }
    });
    let revoke = (action == Action::Disconnect).then(|| {
        let ticked = create.trouble.or_ticked("revoke", "true", true);
        view! {
            <label class="check">
                <input type="checkbox" name="revoke" value="true" checked=ticked/>
                <span>"Tell the providers too, so that the tokens stop working"</span>
            </label>
        }
    });
    let weight = if action == Action::Disconnect { "grave" } else { "primary" };
    let content = view! {
        {hidden("action", action.as_str())}
        {asked.chosen()}
        {confirmed(preview)}
        {tag}
        {revoke}
        {buttons(asked, &preview.selection, create.pending, weight)}
        <Answered trouble=create.trouble/>
    };
    action_form(create, "form", content)
}

fn buttons(
    asked: &Asked,
    selection: &Selection,
    pending: Signal<bool>,
    weight: &'static str,
) -> AnyView {
    let label = voice::job_press(asked.action, selection.possible);
    view! {
        <div class="actions">
            <Submit label=label pending=pending weight=weight/>
            {link(asked.back(), "button", "Back")}
        </div>
    }
    .into_any()
}
