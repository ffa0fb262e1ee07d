//! All clients.

use leptos::{either::Either, prelude::*};

use crate::{
    domain::{
        access::Permission,
        client::Client,
        voice::{self, Empty},
    },
    rpc,
    ui::{
        components::{
            badge::ClientBadge,
            head::{head, link},
            notice::nothing,
        },
        path,
        patterns::{live::live_on, load::loaded},
    },
};

#[component]
pub fn List() -> impl IntoView {
    let clients = Resource::new_blocking(|| (), |()| rpc::client::list());
    loaded(clients, |clients, may| {
        let may_write = may.allows(Permission::ClientsWrite);
        let add = move || {
            view! {
                {link(path::CLIENT_NEW, "button is-primary", "Register a client")}
            }
        };
        let list = if clients.is_empty() {
            Either::Left(nothing(Empty::Clients, may_write.then(add)))
        } else {
            let rows = clients.into_iter().map(row).collect::<Vec<_>>();
            Either::Right(view! {
                <div class="scroll" tabindex="0" role="region" aria-label="Clients">
                    <table class="table">
                        <thead>
                            <tr>
                                <th scope="col">"State"</th>
                                <th scope="col">"Client"</th>
                                <th scope="col">"Provider"</th>
                                <th scope="col" class="is-figure">
                                    "Connections"
                                </th>
                            </tr>
                        </thead>
                        <tbody>{rows}</tbody>
                    </table>
                </div>
            })
        };
        view! {
            {head("Clients", None, may_write.then(add))}
            {live_on("clients", "clients", list)}
        }
    })
}

fn row(client: Client) -> AnyView {
    view! {
        <tr>
            <td>
                <ClientBadge state=client.state/>
            </td>
            <td>
                {link(path::client(client.id), "", client.name)}
                <p class="sub">
                    <code>{client.oauth_client_id}</code>
                </p>
            </td>
            <td>
                {link(path::provider(&client.provider), "", client.provider.clone())}
            </td>
            <td class="is-figure" data-label="Connections">
                {link(path::connections_of_client(client.id), "", voice::grouped(client.connections))}
            </td>
        </tr>
    }
    .into_any()
}
