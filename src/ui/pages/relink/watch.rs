//! One link: handing it over, and then seeing how far its visitor is while they are on the telephone.

use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use crate::{
    domain::{
        access::Permission,
        relink::{HandedRelink, RelinkDetail, Stage, Twins},
        voice,
    },
    rpc::{
        self,
        relink::{Create, Revoke},
    },
    ui::{
        components::{
            confirm::confirm,
            head::{head, link},
        },
        path,
        patterns::{
            action::{Doing, button_form, hidden},
            live::{live_on, reload},
            load::{May, loaded, missing},
            relinks::{advice, hand_over, steps, twins},
        },
    },
};

#[component]
pub fn Watch() -> impl IntoView {
    let params = use_params_map();
    let (create, revoke) = (Doing::<Create>::new(), Doing::<Revoke>::new());
    let id = move || params.with(path::id);
    let relink = Resource::new_blocking(
        move || (id(), revoke.version.get()),
        |(id, _)| async move {
            let Some(id) = id else { return missing("relink") };
            let detail = rpc::relink::detail(id).await?;
            let others = match detail.entry.stage {
                // An old link does not tell whose the connection is by now.
                Stage::Done if detail.entry.account.is_some() => {
                    rpc::relink::others(detail.entry.relink.connection_id).await?
                }
                _ => None,
            };
            // Who may not make links has none waiting.
            Ok((detail, rpc::relink::handed(id).await.ok().flatten(), others))
        },
    );
    loaded(relink, move |(detail, handed, others), may| {
        show(detail, handed, others, &may, create, revoke)
    })
}

fn show(
    detail: RelinkDetail,
    handed: Option<HandedRelink>,
    others: Option<Twins>,
    may: &May,
    create: Doing<Create>,
    revoke: Doing<Revoke>,
) -> AnyView {
    let RelinkDetail { as_of, entry } = detail;
    let connection = entry.relink.connection_id;
    let about = [Some(entry.client.clone()), entry.account.clone()]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" · ");
    let stage = entry.stage;
    let sent = handed.is_none();
    let makes = may.allows(Permission::ConnectionsRelink);
    let refused = voice::relink_refused(entry.client_state, &entry.client).is_some();
    let anew = (makes && stage != Stage::Done && !refused)
        .then(|| button_form(create, hidden("id", connection), "Create a new link", ""));
    let off = (makes && !stage.is_over()).then(|| {
        let form = button_form(revoke, hidden("id", entry.relink.id), "Revoke", "grave");
        confirm("Revoke", voice::relink_revoke(), form)
    });
    let standing = view! {
        {advice(&entry, as_of)}
        {others.map(|others| view! { <p>{twins(others)}</p> })}
        {steps(&entry.relink, as_of)}
        <div class="actions">
            {(stage == Stage::Done)
                .then(|| link(path::connection(connection), "button is-primary", "To the connection"))}
            {anew}
            {off}
        </div>
    };
    view! {
        {head(entry.connection.clone(), Some(("Relink desk", path::RELINKS)), ())}
        <p class="sub lead">
            {link(path::connection(connection), "", entry.service.clone())} " · " {about}
        </p>
        {handed.map(|handed| hand_over(handed, as_of))}
        {live_on("relink", "relinks", standing)}
        // A link that is shown once would be gone with the page.
        {reload(sent && !stage.is_over())}
    }
    .into_any()
}
