//! The bar above the list of connections, and the filters that were given a name.

use leptos::{prelude::*, server_fn::ServerFn};
use time::OffsetDateTime;

use crate::{
    domain::{
        client::ClientName,
        connection::{ConnectionFilter, End, Reason, Sort, Standing, StateName},
        saved_filter::SavedFilter,
        voice,
    },
    rpc::saved_filter::{Create, Delete},
    ui::{
        components::{
            field::{Submit, Text},
            head::link,
            notice::Answered,
        },
        path,
        patterns::{
            action::{Doing, PlainForm, action_form, hidden},
            filter::{chosen, filter_bar, folded, typed},
        },
    },
};

pub fn bar(filter: &ConnectionFilter, clients: &[ClientName]) -> AnyView {
    let owned = |value: &str, name: &str| (value.to_owned(), name.to_owned());
    let standings = std::iter::once(owned("", "any"))
        .chain(Standing::ALL.iter().map(|one| owned(one.as_str(), one.word())))
        .collect();
    let states = std::iter::once(owned("", "any"))
        .chain(StateName::ALL.iter().map(|state| owned(state.as_str(), voice::state_name(*state))))
        .collect();
    let mut slugs: Vec<&str> = clients.iter().map(|client| client.provider.as_str()).collect();
    slugs.sort_unstable();
    slugs.dedup();
    let providers = std::iter::once(owned("", "any"))
        .chain(slugs.into_iter().map(|slug| owned(slug, slug)))
        .collect();
    let clients = std::iter::once(owned("", "any"))
        .chain(clients.iter().map(|client| (client.id.to_string(), client.name.clone())))
        .collect();
    let sorts = Sort::ALL
        .iter()
        .map(|sort| {
            let value = if *sort == Sort::default() { "" } else { sort.as_str() };
            owned(value, voice::sort(*sort))
        })
        .collect();
    let drift = vec![owned("", "any"), owned("true", "fewer than the client does today")];
    let ends = std::iter::once(owned("", "any"))
        .chain(End::ALL.iter().map(|end| owned(end.as_str(), voice::end(*end))))
        .collect();
    let reasons = std::iter::once(owned("", "any"))
        .chain(Reason::ALL.iter().map(|reason| owned(reason.as_str(), voice::reason_name(*reason))))
        .collect();
    let reason = filter.reason.map(Reason::as_str).unwrap_or_default();
    let end = filter.end.map(End::as_str).unwrap_or_default();
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let standing = filter.standing.map(Standing::as_str).unwrap_or_default();
    let state = filter.state.map(StateName::as_str).unwrap_or_default();
    let client = filter.client.map(|id| id.to_string()).unwrap_or_default();
    let provider = filter.provider.as_deref().unwrap_or_default();
    let sort = filter.sort.filter(|sort| *sort != Sort::default()).map(Sort::as_str);
    let more =
        ConnectionFilter { standing: None, client: None, q: None, sort: None, ..filter.clone() };
    // Nobody types an id; but what is asked besides is asked of what that import brought.
    let import = filter.import.map(|id| typed("import", "Id of an import", "text", id.to_string()));
    let fields = [
        typed("q", "Label, account or external id", "search", text(&filter.q)),
        chosen("standing", "State", standings, standing),
        chosen("client", "Client", clients, &client),
        chosen("sort", "Order", sorts, sort.unwrap_or_default()),
        folded(
            "More filters",
            more.narrows(),
            vec![
                chosen("state", "Own state, whatever the client", states, state),
                chosen("provider", "Provider", providers, provider),
                typed("external_id", "External id", "text", text(&filter.external_id)),
                typed("label", "Label", "text", text(&filter.label)),
                typed("owner", "Account", "text", text(&filter.owner)),
                typed("tag", "Tag", "text", text(&filter.tag)),
                chosen("drift", "Scopes asked for", drift, if filter.drift { "true" } else { "" }),
                chosen("end", "End", ends, end),
                moment("dead_since", "Needs a person since", filter.dead_since),
                chosen("reason", "Why a person is needed", reasons, reason),
                moment("expires_after", "Expires from", filter.expires_after),
                moment("expires_before", "Expires before", filter.expires_before),
                moment(
                    "refresh_expires_after",
                    "Refresh token ends from",
                    filter.refresh_expires_after,
                ),
                moment(
                    "refresh_expires_before",
                    "Refresh token ends before",
                    filter.refresh_expires_before,
                ),
                moment("needs_human_after", "Needs a person from", filter.needs_human_after),
                moment("needs_human_before", "Needs a person before", filter.needs_human_before),
            ]
            .into_iter()
            .chain(import)
            .collect(),
        ),
    ];
    filter_bar(path::CONNECTIONS, filter.narrows(), fields.into_iter().collect::<Vec<_>>())
}

/// A day; or a moment, which is kept as it is while something else is asked.
fn moment(name: &'static str, label: &'static str, at: Option<OffsetDateTime>) -> AnyView {
    let value = at.map(path::instant).unwrap_or_default();
    let kind = if value.len() > "2026-03-01".len() { "text" } else { "date" };
    typed(name, label, kind, value)
}

/// The filters that have a name, each a link; and the way to give one to what is shown.
pub fn saved(
    filter: &ConnectionFilter,
    all: Vec<SavedFilter>,
    create: Doing<Create>,
) -> Option<AnyView> {
    let known = all.iter().any(|saved| saved.filter == *filter);
    let worth = *filter != ConnectionFilter::default() && !known;
    let save = worth.then(|| name_it(filter, create));
    let told = create.before.then_some(voice::FILTER_SAVED);
    let items = all
        .into_iter()
        .map(|saved| {
            let here = saved.filter == *filter;
            let class = if here { "chip is-here" } else { "chip" };
            let drop = format!("Delete the saved filter {}", saved.name);
            view! {
                <li class=class>
                    {link(path::connections(&saved.filter), "", saved.name)}
                    <details class="confirm chip-confirm">
                        <summary class="chip-drop" aria-label=drop.clone() title=drop.clone()>
                            "×"
                        </summary>
                        <div class="confirm-body">
                            <PlainForm action=Delete::PATH>
                                {hidden("id", saved.id)} <Submit label=drop weight="grave"/>
                            </PlainForm>
                        </div>
                    </details>
                </li>
            }
        })
        .collect::<Vec<_>>();
    (worth || !items.is_empty()).then(|| {
        view! {
            <nav class="saved" aria-label="Saved filters">
                <ul class="chips">{items}</ul>
                {save}
                <div role="status">{told}</div>
            </nav>
        }
        .into_any()
    })
}

fn name_it(filter: &ConnectionFilter, create: Doing<Create>) -> AnyView {
    let content = view! {
        {hidden("filter", serde_json::to_string(filter).unwrap_or_default())}
        <Text name="name" label="Name" trouble=create.trouble required=true/>
        <div class="actions">
            <Submit label="Save" pending=create.pending/>
        </div>
        <Answered trouble=create.trouble/>
    };
    let form = action_form(create, "form is-inline", content);
    view! {
        <details class="fold" open=create.trouble.stands()>
            <summary>"Save this filter"</summary>
            {form}
        </details>
    }
    .into_any()
}
