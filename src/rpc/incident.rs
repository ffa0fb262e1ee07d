//! An admin's word on an incident.

use leptos::prelude::*;
use uuid::Uuid;

use super::Answer;

/// Ends it: all of the client's connections are refreshed again.
#[server(prefix = "/rpc", endpoint = "incident/resume")]
pub async fn resume(id: Uuid) -> Answer<()> {
    let (app, actor) = crate::server::http::caller::actor().await?;
    app.call(crate::server::app::incident::resume(&app, &actor, id)).await?;
    Ok(())
}

/// Ends it, and condemns what was refused.
#[server(prefix = "/rpc", endpoint = "incident/condemn")]
pub async fn condemn(id: Uuid) -> Answer<()> {
    let (app, actor) = crate::server::http::caller::actor().await?;
    app.call(crate::server::app::incident::condemn(&app, &actor, id)).await?;
    Ok(())
}
