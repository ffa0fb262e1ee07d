//! Replacing a client's secret with a rehearsal.

use leptos::prelude::*;
use uuid::Uuid;

use super::Answer;
use crate::domain::rehearsal;

/// Keeps a secret that takes the place of the one in use once a refresh with it has worked. `again`: where none is
/// given, the one that is kept is tried at once.
#[server(prefix = "/rpc", endpoint = "rehearsal/set")]
pub async fn set(
    id: Uuid,
    #[server(default)] client_secret: String,
    #[server(default)] again: bool,
) -> Answer<()> {
    use crate::server::app::client::rehearsal;
    let (app, actor) = crate::server::http::caller::actor().await?;
    match super::filled(Some(client_secret)) {
        None if again => app.call(rehearsal::begin(&app, &actor, id)).await?,
        secret => {
            let secret = secret.unwrap_or_default().into();
            app.call(rehearsal::set(&app, &actor, id, secret)).await?
        }
    };
    Ok(())
}

/// Forgets it.
#[server(prefix = "/rpc", endpoint = "rehearsal/drop")]
pub async fn drop(id: Uuid) -> Answer<()> {
    let (app, actor) = crate::server::http::caller::actor().await?;
    app.call(crate::server::app::client::rehearsal::drop(&app, &actor, id)).await
}

/// Whether a secret can be rehearsed, and whether the one in use was.
#[server(prefix = "/rpc", endpoint = "rehearsal/prospects")]
pub async fn prospects(id: Uuid) -> Answer<rehearsal::Prospects> {
    let (app, actor) = crate::server::http::caller::actor().await?;
    app.call(crate::server::app::client::rehearsal::prospects(&app, &actor, id)).await
}
