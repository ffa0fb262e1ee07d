//! One connection, in this order: is it alive and until when, the one next action, its lifeline,
//! why, the facts, what happened, what can be changed.

use leptos::prelude::*;
use leptos_router::{
    hooks::{use_params_map, use_query_map},
    params::ParamsMap,
};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    facts::facts,
    manage::{Doings, Ways, actions, manage},
    reveal,
};
use crate::{
    domain::{
        access::Permission,
        audit::AuditEntry,
        client,
        connection::{Connection, ConnectionDetail, Reason, Standing, State},
        device::DeviceState,
        introspection::Liveness,
        lifeline::Life,
        lineage::lineage as generations,
        relink::{CreatedRelink, Twins},
        voice::{self, Empty},
    },
    rpc,
    ui::{
        components::{
            badge::StandingBadge,
            head::{head, link, section},
            lifeline,
            moment::Ago,
            notice::Notice,
        },
        path,
        patterns::{
            attempts::{attempts, own_words},
            audit, device,
            lineage::lineage,
            live::live_of,
            load::{May, loaded, missing},
            relinks,
            token_readers::token_readers,
        },
    },
};

#[component]
pub fn Detail() -> impl IntoView {
    let params = use_params_map();
    let doings = Doings::new();
    let asked = use_query_map();
    let detail = Resource::new_blocking(
        move || (params.with(path::id), asked.with(was_connected), doings.versions()),
        |(id, connected, _)| async move {
            let Some(id) = id else { return missing("connection") };
            let detail = rpc::connection::get(id).await?;
            // Who may not make relinks has none waiting.
            let made = rpc::connection::made_relink(id).await.ok().flatten();
            let twins = if connected { rpc::relink::others(id).await? } else { None };
            Ok((detail, made, twins))
        },
    );
    loaded(detail, move |(detail, made, twins), may| show(detail, made, twins, &may, doings))
}

/// Whether somebody has just given consent.
fn was_connected(asked: &ParamsMap) -> bool {
    asked.get_str("connected").is_some()
}

fn show(
    detail: ConnectionDetail,
    made: Option<CreatedRelink>,
    twins: Option<Twins>,
    may: &May,
    doings: Doings,
) -> AnyView {
    let ConnectionDetail {
        as_of,
        connection,
        provider_name,
        variables,
        attempts: history,
        consents,
        relinks: sent,
        readers,
        audit: done,
        offers_page,
        offers_device,
        can_be_refreshed,
        access_tokens,
        can_be_asked,
        extras,
        told,
        lifetimes,
        device,
    } = detail;
    let waits_for_code = device.as_ref().is_some_and(|device| device.state == DeviceState::Waiting);
    let (id, standing) = (connection.id, connection.standing(as_of));
    let life = Life::of(&connection, &history.items, as_of);
    let lost = voice::lost(&connection, &history.items, &provider_name, as_of);
    let expired =
        matches!(connection.state, State::NeedsReauth { reason: Reason::RefreshTokenExpired, .. });
    let ran_out = expired.then(|| voice::ran_out(&lifetimes, &provider_name)).flatten();
    let relinked = doings.relink.answer();
    let service = provider_name.clone();
    let may_relink = may.allows(Permission::ConnectionsRelink);
    let disconnected = standing == Standing::Disconnected;
    let shown = view! {
        {head(connection.name().to_owned(), Some(("Connections", path::CONNECTIONS)), view! {
            <StandingBadge standing/>
        })}
        {notice(&done.items, &connection, twins)}
        <div class="status" data-state=standing.as_str()>
            <p class="headline">{voice::headline(&connection, access_tokens, as_of)}</p>
            {device.and_then(|device| device::waiting(&device, &connection, &provider_name, as_of))}
            {actions(
                &connection,
                &provider_name,
                as_of,
                may,
                doings,
                history.items.first(),
                Ways { offers_page, offers_device, can_be_refreshed, can_be_asked, waits_for_code },
            )}
            {move || {
                relinked
                    .get()
                    .or_else(|| made.clone())
                    .map(|relink| relinks::made(relink, as_of))
            }}
        </div>
        {(!disconnected).then(|| lifeline::large(&life, standing))}
        <div class="why">
            <p>
                {voice::why(&connection, &provider_name, access_tokens, as_of)}
                {told.map(|told| format!(" {}", voice::told(told, &provider_name)))}
                {lost.map(|lost| format!(" {lost}"))}
                {ran_out.map(|why| format!(" {why}"))}
            </p>
            {last_error(&connection, &provider_name, as_of)}
        </div>
        {section("Facts", "", facts(
            &connection,
            voice::comes_by(&connection, &consents),
            &variables,
            extras,
            &provider_name,
            access_tokens,
            as_of,
        ))}
        {section("Lineage", voice::LINEAGE, lineage(generations(&history.items, &consents), as_of))}
        {section("Refreshes", "Newest first", view! {
            {attempts(&history.items, &provider_name, as_of)}
        })}
        {section(
            "Readers of its token",
            "Counted every few seconds, whoever read it last first",
            view! {
                {token_readers(readers.items, readers.next.is_some(), as_of)}
                {(connection.holds_tokens() && may.allows(Permission::TokensRead))
                    .then(|| reveal::ask(&connection, doings.reveal))}
            },
        )}
        {(may_relink || !sent.is_empty())
            .then(|| {
                // Somebody may have given consent in another way since.
                let newest = consents.iter().max_by_key(|consent| consent.generation);
                let by_link = newest.is_some_and(|consent| consent.by_relink);
                let account = connection.account().filter(|_| by_link);
                section("Relinks", "", relinks::relinks(&sent, account, &service, as_of))
            })}
        {may
            .allows(Permission::AuditRead)
            .then(|| {
                let all = path::audit_of(&connection.id.to_string());
                section("Audit", "What was done with it, newest first", view! {
                    {audit::entries(done.items, audit::Of::One, Empty::Audit)}
                    <p class="more">{link(all, "", "All that was done with it")}</p>
                })
            })}
    };
    view! {
        {live_of("connection", "connection clients", id, shown)}
        {may.allows(Permission::ConnectionsWrite).then(|| manage(&connection, &variables, doings))}
    }
    .into_any()
}

/// What the provider's consent page came to, if the browser has just been there.
fn notice(done: &[AuditEntry], connection: &Connection, twins: Option<Twins>) -> Option<AnyView> {
    let params = use_query_map().get_untracked();
    let said = params.get_str("said").and_then(Liveness::named);
    let which = match (params.get_str("problem"), said) {
        (Some(problem), _) => voice::Notice::of_problem(problem),
        (None, Some(said)) => voice::Notice::Said(said),
        (None, None) if was_connected(&params) => voice::Notice::Connected,
        (None, None) => return None,
    };
    let page = voice::notice(which);
    if which == voice::Notice::Connected {
        let text = voice::connected(connection.account());
        return Some(match twins {
            Some(twins) => view! {
                <Notice well=page.well title=page.title text=text>
                    {relinks::twins(twins)}
                </Notice>
            }
            .into_any(),
            None => view! { <Notice well=page.well title=page.title text=text/> }.into_any(),
        });
    }
    let is_told = matches!(
        which,
        voice::Notice::Denied
            | voice::Notice::ClientRefused
            | voice::Notice::Failed
            | voice::Notice::MissingScope
    );
    let came_back = is_told.then(|| voice::consent_failed(done)).flatten();
    let edit = came_back.as_deref().and_then(|said| match voice::is_clients_fault(said) {
        true => {
            let refused = client::StateName::CredentialsRejected;
            let href = path::client_remedy(connection.client_id, refused);
            Some(link(href, "", voice::REPLACE_SECRET))
        }
        false => connection.can_ask_anew().then(|| link("#edit", "", voice::OTHER_SCOPES)),
    });
    let home = params.get_str("home").and_then(|id| id.parse::<Uuid>().ok());
    Some(match (home, came_back) {
        (Some(home), _) => view! {
            <Notice well=page.well title=page.title text=page.text>
                {link(path::connection(home), "", "Open the other connection")}
            </Notice>
        }
        .into_any(),
        (None, Some(came_back)) => view! {
            <Notice well=page.well title=page.title text=page.text>
                "What came back: " <code>{came_back}</code> " " {edit}
            </Notice>
        }
        .into_any(),
        (None, None) => {
            view! { <Notice well=page.well title=page.title text=page.text/> }.into_any()
        }
    })
}

fn last_error(connection: &Connection, provider: &str, as_of: OffsetDateTime) -> Option<AnyView> {
    let error = connection.last_error.clone()?;
    let words = own_words(error.status, error.code.as_deref(), error.description.as_deref());
    Some(
        view! {
            <details class="fold">
                <summary>"What " {provider.to_owned()} " said"</summary>
                <p>{voice::error_class(error.class, provider)} " " <Ago at=error.at as_of/></p>
                {words.map(|words| view! { <pre>{words}</pre> })}
            </details>
        }
        .into_any(),
    )
}
