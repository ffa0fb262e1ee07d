//! With which client? Asked before an account is connected, or a file of connections imported.

use leptos::{either::Either, prelude::*};
use uuid::Uuid;

use crate::{
    domain::{
        access::Permission,
        client::{Client, StateName},
        voice::Empty,
    },
    rpc,
    ui::{
        components::{
            badge::ClientBadge,
            head::{head, link},
            notice::nothing,
        },
        path,
        patterns::load::loaded,
    },
};

/// For an import; each client has its own page for that.
#[component]
pub fn ForImport() -> impl IntoView {
    let clients = Resource::new_blocking(|| (), |()| rpc::client::list());
    loaded(clients, move |clients, may| {
        if may.allows(Permission::ConnectionsWrite) {
            return choose("Import connections", clients, path::client_import);
        }
        view! {
            {head("Import connections", Some(("Connections", path::CONNECTIONS)), ())}
            <p>"Only admins import connections."</p>
        }
        .into_any()
    })
}

pub fn choose(title: &'static str, clients: Vec<Client>, to: fn(Uuid) -> String) -> AnyView {
    let rows = clients
        .into_iter()
        .filter(|client| client.state != StateName::Disabled)
        .map(|client| {
            view! {
                <li>
                    <ClientBadge state=client.state/>
                    {link(to(client.id), "", client.name)}
                    <span class="quiet">{client.provider}</span>
                </li>
            }
        })
        .collect::<Vec<_>>();
    let list = if rows.is_empty() {
        Either::Left(view! {
            {nothing(Empty::Clients, view! {
                {link(path::CLIENT_NEW, "button is-primary", "Register a client")}
            })}
        })
    } else {
        Either::Right(view! {
            <p class="lead">"With which client?"</p>
            <ul class="lines">{rows}</ul>
        })
    };
    view! {
        {head(title, Some(("Connections", path::CONNECTIONS)), ())}
        {list}
    }
    .into_any()
}
