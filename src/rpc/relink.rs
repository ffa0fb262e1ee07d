//! The page behind a one-time link. No login: the link is the right.

use leptos::prelude::*;

use super::Answer;
use crate::domain::relink::Invitation;

/// What the link is for.
#[server(prefix = "/rpc", endpoint = "relink/get")]
pub async fn get(token: String) -> Answer<Invitation> {
    let (app, _) = crate::server::http::caller::anyone().await?;
    app.call(crate::server::app::relink::invitation(&app, &token)).await
}

/// Goes to the provider's consent page.
#[server(prefix = "/rpc", endpoint = "relink/begin")]
pub async fn begin(token: String) -> Answer<()> {
    use crate::server::http::caller;
    let (app, _) = caller::anyone().await?;
    let url = app.call(crate::server::app::relink::begin(&app, &token)).await?;
    caller::redirect(&url);
    Ok(())
}
