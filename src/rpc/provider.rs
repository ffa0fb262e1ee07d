//! Providers: presets, custom ones, discovery.

use leptos::prelude::*;

use super::Answer;
use crate::domain::catalog::ProviderEntry;

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

/// Adds a custom provider from its profile, JSON text, and goes to its page.
#[server(prefix = "/rpc", endpoint = "provider/create")]
pub async fn create(profile: String) -> Answer<()> {
    use crate::server::http::caller;
    let (app, actor) = caller::actor().await?;
    let made = app.call(crate::server::app::provider::create_text(&app, &actor, &profile)).await?;
    caller::redirect(&format!("/providers/{}", made.profile.slug));
    Ok(())
}

/// Replaces a custom provider's profile, JSON text.
#[server(prefix = "/rpc", endpoint = "provider/update")]
pub async fn update(slug: String, profile: String) -> Answer<()> {
    let (app, actor) = crate::server::http::caller::actor().await?;
    app.call(crate::server::app::provider::update_text(&app, &actor, &slug, &profile)).await?;
    Ok(())
}

#[server(prefix = "/rpc", endpoint = "provider/delete")]
pub async fn delete(slug: String) -> Answer<()> {
    use crate::server::http::caller;
    let (app, actor) = caller::actor().await?;
    app.call(crate::server::app::provider::delete(&app, &actor, &slug)).await?;
    caller::redirect("/providers");
    Ok(())
}

/// Reads an issuer's metadata, keeps what it says as a custom provider and goes to registering a
/// client there.
#[server(prefix = "/rpc", endpoint = "provider/discover")]
pub async fn discover(issuer: String, #[server(default)] name: String) -> Answer<()> {
    use crate::server::http::caller;
    let (app, actor) = caller::actor().await?;
    let made = app.call(crate::server::app::provider::adopt(&app, &actor, &issuer, &name)).await?;
    caller::redirect(&format!("/clients/new?provider={}", made.profile.slug));
    Ok(())
}
