//! Clients: registrations at providers.

use std::collections::BTreeMap;

use leptos::prelude::*;
use uuid::Uuid;

use super::Answer;
use crate::domain::{
    check::CredentialCheck,
    client::{Client, ClientName},
};

#[server(prefix = "/rpc", endpoint = "client/list")]
pub async fn list() -> Answer<Vec<Client>> {
    let (app, actor) = crate::server::http::caller::actor().await?;
    app.call(crate::server::app::client::list(&app, &actor)).await
}

/// What every client is called, to choose from.
#[server(prefix = "/rpc", endpoint = "client/names")]
pub async fn names() -> Answer<Vec<ClientName>> {
    let (app, actor) = crate::server::http::caller::actor().await?;
    app.call(crate::server::app::client::names(&app, &actor)).await
}

#[server(prefix = "/rpc", endpoint = "client/get")]
pub async fn get(id: Uuid) -> Answer<Client> {
    let (app, actor) = crate::server::http::caller::actor().await?;
    app.call(crate::server::app::client::get(&app, &actor, id)).await
}

/// The one redirect URI, to be registered at the provider before anything else.
#[server(prefix = "/rpc", endpoint = "client/redirect_uri")]
pub async fn redirect_uri() -> Answer<String> {
    let (app, _) = crate::server::http::caller::actor().await?;
    Ok(app.redirect_uri())
}

/// Registers a client and goes to its page.
#[server(prefix = "/rpc", endpoint = "client/create")]
pub async fn create(
    provider: String,
    name: String,
    oauth_client_id: String,
    client_secret: Option<String>,
    #[server(default)] scopes: String,
    #[server(default)] variables: BTreeMap<String, String>,
) -> Answer<()> {
    use crate::server::{app::client, http::caller};
    let (app, actor) = caller::actor().await?;
    let new = client::NewClient {
        provider,
        name,
        oauth_client_id,
        client_secret: super::filled(client_secret).map(Into::into),
        scopes: super::words(&scopes),
        variables,
    };
    let made = app.call(client::create(&app, &actor, new)).await?;
    caller::redirect(&format!("/clients/{}", made.id));
    Ok(())
}

/// Changes a client. Another client id, or a change of `variables`, demands the secret anew.
#[server(prefix = "/rpc", endpoint = "client/update")]
pub async fn update(
    id: Uuid,
    name: String,
    oauth_client_id: String,
    #[server(default)] scopes: String,
    #[server(default)] variables: BTreeMap<String, String>,
    client_secret: Option<String>,
) -> Answer<()> {
    let (app, actor) = crate::server::http::caller::actor().await?;
    let patch = crate::domain::client::ClientPatch {
        name: Some(name),
        oauth_client_id: Some(oauth_client_id),
        scopes: Some(super::words(&scopes)),
        variables: Some(variables),
        disabled: None,
    };
    let secret = super::filled(client_secret).map(Into::into);
    app.call(crate::server::app::client::edit(&app, &actor, id, patch, secret)).await?;
    Ok(())
}

/// Replaces the secret; connections that waited for it resume.
#[server(prefix = "/rpc", endpoint = "client/replace_secret")]
pub async fn replace_secret(id: Uuid, client_secret: String) -> Answer<()> {
    let (app, actor) = crate::server::http::caller::actor().await?;
    let secret = super::filled(Some(client_secret)).map(Into::into);
    app.call(crate::server::app::client::replace_secret(&app, &actor, id, secret)).await?;
    Ok(())
}

/// Switches a client off or on; while it is off none of its connections is refreshed.
#[server(prefix = "/rpc", endpoint = "client/set_disabled")]
pub async fn set_disabled(id: Uuid, disabled: bool) -> Answer<()> {
    use crate::server::http::caller;
    let (app, actor) = caller::actor().await?;
    let patch =
        crate::domain::client::ClientPatch { disabled: Some(disabled), ..Default::default() };
    app.call(crate::server::app::client::update(&app, &actor, id, patch, None)).await?;
    caller::did(if disabled { "client/switched_off" } else { "client/switched_on" });
    Ok(())
}

/// Asks the provider whether it takes the client's credentials; the client's page says what it said.
#[server(prefix = "/rpc", endpoint = "client/check")]
pub async fn check(id: Uuid) -> Answer<CredentialCheck> {
    use crate::server::{app::note::Name, http::caller};
    let (app, actor) = caller::actor().await?;
    let found = app.call(crate::server::app::client::check::run(&app, &actor, id)).await?;
    caller::keep_for_next_page(&app, Name::of("client_check", id), &found).await?;
    caller::redirect(&format!("/clients/{id}"));
    Ok(found)
}

/// What the check before this page found of this client.
#[server(prefix = "/rpc", endpoint = "client/checked")]
pub async fn checked(id: Uuid) -> Answer<Option<CredentialCheck>> {
    use crate::server::{app::note::Name, http::caller};
    let (app, _) = caller::actor().await?;
    caller::take_from_last_page(&app, Name::of("client_check", id)).await
}

/// Deletes a client; refused while it has connections that are not disconnected.
#[server(prefix = "/rpc", endpoint = "client/delete")]
pub async fn delete(id: Uuid) -> Answer<()> {
    use crate::server::http::caller;
    let (app, actor) = caller::actor().await?;
    app.call(crate::server::app::client::delete(&app, &actor, id)).await?;
    caller::redirect("/clients");
    Ok(())
}
