//! Providers: presets, custom ones, discovery.

use leptos::prelude::*;

use super::Answer;
use crate::domain::{
    catalog::ProviderEntry,
    provider::form::{Editing, View},
};

#[server(prefix = "/rpc", endpoint = "provider/list")]
pub async fn list() -> Answer<Vec<ProviderEntry>> {
    let (app, actor) = crate::server::http::caller::actor().await?;
    app.call(crate::server::app::provider::list(&app, &actor)).await
}

#[server(prefix = "/rpc", endpoint = "provider/get")]
pub async fn get(slug: String) -> Answer<ProviderEntry> {
    let (app, actor) = crate::server::http::caller::actor().await?;
    app.call(crate::server::app::provider::get(&app, &actor, &slug)).await
}

/// The page on which a profile is written: the custom provider `slug`, else a copy of `from`, else a
/// new one.
#[server(prefix = "/rpc", endpoint = "provider/edit")]
pub async fn edit(
    slug: Option<String>,
    from: Option<String>,
    #[server(default)] view: View,
) -> Answer<Editing> {
    use crate::server::app::provider::draft;
    let (app, actor) = crate::server::http::caller::actor().await?;
    app.call(draft::begin(&app, &actor, slug.as_deref(), from.as_deref(), view)).await
}

#[server(prefix = "/rpc", endpoint = "provider/delete")]
pub async fn delete(slug: String) -> Answer<()> {
    use crate::server::http::caller;
    let (app, actor) = caller::actor().await?;
    app.call(crate::server::app::provider::delete(&app, &actor, &slug)).await?;
    caller::redirect("/providers");
    Ok(())
}

/// Reads an issuer's metadata, keeps what it says as a custom provider (if there is none of it) and goes
/// to registering a client there.
#[server(prefix = "/rpc", endpoint = "provider/discover")]
pub async fn discover(issuer: String, #[server(default)] name: String) -> Answer<()> {
    use crate::{server::http::caller, ui::path};
    let (app, actor) = caller::actor().await?;
    let made = app.call(crate::server::app::provider::adopt(&app, &actor, &issuer, &name)).await?;
    caller::redirect(&path::client_new_discovered(&made.entry.profile.slug, made.was_known));
    Ok(())
}
