//! Replacing a client's secret with a rehearsal.

use leptos::prelude::*;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Answer;

/// Keeps a secret that takes the place of the one in use once a refresh with it has worked.
#[server(prefix = "/rpc", endpoint = "rehearsal/set")]
pub async fn set(id: Uuid, client_secret: String) -> Answer<()> {
    let (app, actor) = crate::server::http::caller::actor().await?;
    let secret = client_secret.trim().to_owned().into();
    app.call(crate::server::app::client::rehearsal::set(&app, &actor, id, secret)).await?;
    Ok(())
}

/// Forgets it.
#[server(prefix = "/rpc", endpoint = "rehearsal/drop")]
pub async fn drop(id: Uuid) -> Answer<()> {
    let (app, actor) = crate::server::http::caller::actor().await?;
    app.call(crate::server::app::client::rehearsal::drop(&app, &actor, id)).await
}

/// When the secret in use took its place, if a rehearsal proved it.
#[server(prefix = "/rpc", endpoint = "rehearsal/proved")]
pub async fn proved(id: Uuid) -> Answer<Option<OffsetDateTime>> {
    let (app, actor) = crate::server::http::caller::actor().await?;
    app.call(crate::server::app::client::rehearsal::proved(&app, &actor, id)).await
}

/// Has it tried at once.
#[server(prefix = "/rpc", endpoint = "rehearsal/begin")]
pub async fn begin(id: Uuid) -> Answer<()> {
    let (app, actor) = crate::server::http::caller::actor().await?;
    app.call(crate::server::app::client::rehearsal::begin(&app, &actor, id)).await?;
    Ok(())
}
