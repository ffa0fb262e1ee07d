//! Relinks: the desk, and the page behind a one-time link, which needs no login: the link is the
//! right.

use leptos::prelude::*;
use uuid::Uuid;

use super::Answer;
use crate::domain::{
    page::Paging,
    relink::{HandedRelink, Invitation, RelinkDetail, RelinkList, RelinkShow, Twins},
};

/// What the link is for.
#[server(prefix = "/rpc", endpoint = "relink/get")]
pub async fn get(token: String) -> Answer<Invitation> {
    let (app, _) = crate::server::http::caller::anyone().await?;
    app.call(crate::server::app::relink::invitation(&app, &token)).await
}

/// The links of all connections.
#[server(prefix = "/rpc", endpoint = "relink/list")]
pub async fn list(
    #[server(default)] show: RelinkShow,
    #[server(default)] paging: Paging,
) -> Answer<RelinkList> {
    let (app, actor) = crate::server::http::caller::actor().await?;
    let page = app.call(crate::server::app::relink::list_all(&app, &actor, show, &paging)).await?;
    Ok(RelinkList { as_of: app.now(), page })
}

/// One of them.
#[server(prefix = "/rpc", endpoint = "relink/detail")]
pub async fn detail(id: Uuid) -> Answer<RelinkDetail> {
    let (app, actor) = crate::server::http::caller::actor().await?;
    let entry = app.call(crate::server::app::relink::get(&app, &actor, id)).await?;
    Ok(RelinkDetail { as_of: app.now(), entry })
}

/// Makes a link for a connection, and goes to the page on which it is handed over and watched.
#[server(prefix = "/rpc", endpoint = "relink/create")]
pub async fn create(id: Uuid) -> Answer<HandedRelink> {
    use crate::server::{
        app::{note::Name, relink},
        http::caller,
    };
    let (app, actor) = caller::actor().await?;
    let made = app.call(relink::create(&app, &actor, id)).await?;
    let handed = app.call(relink::handed(&app, &actor, made)).await?;
    caller::keep_for_next_page(&app, Name::of("relink", handed.made.id), &handed).await?;
    caller::redirect(&format!("/relinks/{}", handed.made.id));
    Ok(handed)
}

/// This link, if the form before this page made it.
#[server(prefix = "/rpc", endpoint = "relink/handed")]
pub async fn handed(id: Uuid) -> Answer<Option<HandedRelink>> {
    use crate::server::{app::note::Name, http::caller};
    let (app, _) = caller::actor().await?;
    caller::take_from_last_page(&app, Name::of("relink", id)).await
}

/// The other connections of a connection's account, of the same client.
#[server(prefix = "/rpc", endpoint = "relink/others")]
pub async fn others(id: Uuid) -> Answer<Option<Twins>> {
    let (app, actor) = crate::server::http::caller::actor().await?;
    app.call(crate::server::app::relink::twins(&app, &actor, id)).await
}

/// Calls a link off.
#[server(prefix = "/rpc", endpoint = "relink/revoke")]
pub async fn revoke(id: Uuid) -> Answer<()> {
    let (app, actor) = crate::server::http::caller::actor().await?;
    app.call(crate::server::app::relink::revoke(&app, &actor, id)).await
}
