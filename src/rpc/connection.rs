//! Connections: seeing them, making them, keeping them alive.

use std::{collections::BTreeMap, fmt};

use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Answer;
use crate::domain::{
    attempt::Attempt,
    connection::{ConnectionDetail, ConnectionFilter, ConnectionList},
    page::{Page, Paging},
    relink::CreatedRelink,
    revealed::RevealedToken,
};

#[server(prefix = "/rpc", endpoint = "connection/list")]
pub async fn list(
    #[server(default)] filter: ConnectionFilter,
    #[server(default)] paging: Paging,
) -> Answer<ConnectionList> {
    let (app, actor) = crate::server::http::caller::actor().await?;
    app.call(crate::server::app::connection::list(&app, &actor, &filter, &paging)).await
}

#[server(prefix = "/rpc", endpoint = "connection/get")]
pub async fn get(id: Uuid) -> Answer<ConnectionDetail> {
    let (app, actor) = crate::server::http::caller::actor().await?;
    app.call(crate::server::app::connection::detail(&app, &actor, id)).await
}

#[server(prefix = "/rpc", endpoint = "connection/attempts")]
pub async fn attempts(id: Uuid, #[server(default)] paging: Paging) -> Answer<Page<Attempt>> {
    let (app, actor) = crate::server::http::caller::actor().await?;
    app.call(crate::server::app::connection::attempts(&app, &actor, id, &paging)).await
}

/// Makes a connection and goes to the provider's consent page.
#[server(prefix = "/rpc", endpoint = "connection/connect")]
pub async fn connect(
    client_id: Uuid,
    label: String,
    external_id: Option<String>,
    scopes: Option<String>,
    #[server(default)] variables: BTreeMap<String, String>,
) -> Answer<()> {
    use crate::server::{app::connection, http::caller};
    let (app, actor) = caller::actor().await?;
    let new = connection::NewConnection {
        client_id,
        label,
        external_id: super::filled(external_id),
        scopes: super::filled(scopes).map(|text| super::words(&text)),
        tags: Vec::new(),
        variables,
    };
    let url = app.call(connection::connect(&app, &actor, new)).await?;
    caller::redirect(&url);
    Ok(())
}

/// Makes a connection that waits for consent on another device, and goes to its page, which shows the
/// code.
#[server(prefix = "/rpc", endpoint = "connection/connect_device")]
pub async fn connect_device(
    client_id: Uuid,
    label: String,
    external_id: Option<String>,
    scopes: Option<String>,
    #[server(default)] variables: BTreeMap<String, String>,
) -> Answer<()> {
    use crate::server::{app::connection, http::caller};
    let (app, actor) = caller::actor().await?;
    let new = connection::NewConnection {
        client_id,
        label,
        external_id: super::filled(external_id),
        scopes: super::filled(scopes).map(|text| super::words(&text)),
        tags: Vec::new(),
        variables,
    };
    let (made, _) = app.call(connection::device::create(&app, &actor, new)).await?;
    caller::redirect(&format!("/connections/{}", made.id));
    Ok(())
}

/// Asks for a code with which this connection is brought back on another device, in place.
#[server(prefix = "/rpc", endpoint = "connection/reauthorize_device")]
pub async fn reauthorize_device(id: Uuid) -> Answer<()> {
    let (app, actor) = crate::server::http::caller::actor().await?;
    app.call(crate::server::app::connection::device::authorize(&app, &actor, id)).await?;
    Ok(())
}

/// Makes a connection from a token response (JSON text) as the provider gave it, obtained at a moment
/// (RFC 3339; now unless said).
#[server(prefix = "/rpc", endpoint = "connection/import")]
pub async fn import(
    client_id: Uuid,
    label: String,
    external_id: Option<String>,
    token_response: String,
    obtained_at: Option<String>,
    #[server(default)] variables: BTreeMap<String, String>,
) -> Answer<()> {
    use crate::server::{app::connection, http::caller};
    let (app, actor) = caller::actor().await?;
    let new = connection::NewConnection {
        client_id,
        label,
        external_id: super::filled(external_id),
        scopes: None,
        tags: Vec::new(),
        variables,
    };
    let response = connection::TokenResponse::from_text(token_response, super::filled(obtained_at));
    let (made, odd) = app.call(connection::import_text(&app, &actor, new, response)).await?;
    let warning = if odd.is_empty() { "" } else { "?problem=unreadable_expiry" };
    caller::redirect(&format!("/connections/{}{warning}", made.id));
    Ok(())
}

/// Makes a connection that is the client's own, by client credentials.
#[server(prefix = "/rpc", endpoint = "connection/grant_client_credentials")]
pub async fn grant_client_credentials(
    client_id: Uuid,
    label: String,
    external_id: Option<String>,
    #[server(default)] variables: BTreeMap<String, String>,
) -> Answer<()> {
    use crate::server::{app::connection, http::caller};
    let (app, actor) = caller::actor().await?;
    let new = connection::NewConnection {
        client_id,
        label,
        external_id: super::filled(external_id),
        scopes: None,
        tags: Vec::new(),
        variables,
    };
    let made = app.call(connection::grant_client_credentials(&app, &actor, new)).await?;
    caller::redirect(&format!("/connections/{}", made.id));
    Ok(())
}

/// What is exchanged, and for whom (RFC 8693 section 2.1).
#[derive(Clone, Serialize, Deserialize)]
pub struct Subject {
    pub subject_token: String,
    pub subject_token_type: String,
    pub audience: Option<String>,
    pub resource: Option<String>,
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject").field("type", &self.subject_token_type).finish_non_exhaustive()
    }
}

/// Makes a connection by exchanging another token, which is used once and not kept.
#[server(prefix = "/rpc", endpoint = "connection/exchange")]
pub async fn exchange(
    client_id: Uuid,
    label: String,
    external_id: Option<String>,
    scopes: Option<String>,
    #[server(flatten)] subject: Subject,
    #[server(default)] variables: BTreeMap<String, String>,
) -> Answer<()> {
    use crate::server::{app::connection, http::caller};
    let (app, actor) = caller::actor().await?;
    let new = connection::NewConnection {
        client_id,
        label,
        external_id: super::filled(external_id),
        scopes: super::filled(scopes).map(|text| super::words(&text)),
        tags: Vec::new(),
        variables,
    };
    let subject = connection::exchange::Subjected {
        token: subject.subject_token.trim().into(),
        token_type: subject.subject_token_type,
        audience: super::filled(subject.audience),
        resource: super::filled(subject.resource),
    };
    let made = app.call(connection::exchange::create(&app, &actor, new, subject)).await?;
    caller::redirect(&format!("/connections/{}", made.id));
    Ok(())
}

/// Goes to the provider's consent page to bring this connection back, in place.
#[server(prefix = "/rpc", endpoint = "connection/reauthorize")]
pub async fn reauthorize(id: Uuid) -> Answer<()> {
    use crate::server::http::caller;
    let (app, actor) = caller::actor().await?;
    let url = app.call(crate::server::app::connection::authorize(&app, &actor, id)).await?;
    caller::redirect(&url);
    Ok(())
}

/// Refreshes now and answers how it went.
#[server(prefix = "/rpc", endpoint = "connection/refresh")]
pub async fn refresh(id: Uuid) -> Answer<Attempt> {
    let (app, actor) = crate::server::http::caller::actor().await?;
    app.call(crate::server::app::connection::refresh(&app, &actor, id)).await
}

/// Has it refreshed no more by itself.
#[server(prefix = "/rpc", endpoint = "connection/pause")]
pub async fn pause(id: Uuid) -> Answer<()> {
    let (app, actor) = crate::server::http::caller::actor().await?;
    app.call(crate::server::app::connection::pause(&app, &actor, id)).await.map(drop)
}

/// Has it kept alive again.
#[server(prefix = "/rpc", endpoint = "connection/resume")]
pub async fn resume(id: Uuid) -> Answer<()> {
    let (app, actor) = crate::server::http::caller::actor().await?;
    app.call(crate::server::app::connection::resume(&app, &actor, id, None)).await.map(drop)
}

/// Forgets the tokens; with `revoke` tells the provider too (RFC 7009).
#[server(prefix = "/rpc", endpoint = "connection/disconnect")]
pub async fn disconnect(id: Uuid, #[server(default)] revoke: bool) -> Answer<()> {
    let (app, actor) = crate::server::http::caller::actor().await?;
    app.call(crate::server::app::connection::disconnect(&app, &actor, id, revoke)).await?;
    Ok(())
}

#[server(prefix = "/rpc", endpoint = "connection/update")]
pub async fn update(
    id: Uuid,
    label: String,
    external_id: Option<String>,
    #[server(default)] tags: String,
    #[server(default)] variables: BTreeMap<String, String>,
    scopes: Option<String>,
) -> Answer<()> {
    let (app, actor) = crate::server::http::caller::actor().await?;
    let patch = crate::domain::connection::ConnectionPatch {
        label: Some(label),
        external_id: Some(external_id.unwrap_or_default()),
        tags: Some(super::words(&tags)),
        // The form has no fields for them where there is nothing to fill in, or not now.
        variables: Some(variables).filter(|variables| !variables.is_empty()),
        scopes: scopes.map(|scopes| super::words(&scopes)),
    };
    app.call(crate::server::app::connection::update(&app, &actor, id, patch)).await?;
    Ok(())
}

/// Makes a one-time link by which the account's owner authorizes the connection again.
#[server(prefix = "/rpc", endpoint = "connection/relink")]
pub async fn relink(id: Uuid) -> Answer<CreatedRelink> {
    use crate::server::{app::note::Name, http::caller};
    let (app, actor) = caller::actor().await?;
    let made = app.call(crate::server::app::relink::create(&app, &actor, id)).await?;
    caller::keep_for_next_page(&app, Name::of("made_relink", id), &made).await?;
    Ok(made)
}

/// The relink of this connection made by the form before this page.
#[server(prefix = "/rpc", endpoint = "connection/made_relink")]
pub async fn made_relink(id: Uuid) -> Answer<Option<CreatedRelink>> {
    use crate::server::{app::note::Name, http::caller};
    let (app, _) = caller::actor().await?;
    caller::take_from_last_page(&app, Name::of("made_relink", id)).await
}

/// Asks the provider how the tokens are; the page says what came of it.
#[server(prefix = "/rpc", endpoint = "connection/introspect")]
pub async fn introspect(id: Uuid) -> Answer<()> {
    use crate::server::{app::connection, http::caller};
    let (app, actor) = caller::actor().await?;
    let said = app.call(connection::introspect(&app, &actor, id)).await?;
    caller::redirect(&format!("/connections/{id}?said={}", said.liveness().as_str()));
    Ok(())
}

/// Lets an admin look at the access token, once and soon, and goes to the page that shows it.
#[server(prefix = "/rpc", endpoint = "connection/reveal")]
pub async fn reveal(id: Uuid, password: String) -> Answer<()> {
    use crate::server::{
        app::{connection::reveal, note::Name},
        http::caller,
    };
    let (app, actor) = caller::actor().await?;
    let (_, origin) = caller::anyone().await?;
    let permit = app.call(reveal::permit(&app, &actor, &origin, id, password)).await?;
    caller::keep_for_next_page(&app, Name::any("permit"), &permit).await?;
    caller::redirect(&format!("/connections/{id}/token"));
    Ok(())
}

/// The access token, for whoever was just let; the page that shows it is left by itself.
#[server(prefix = "/rpc", endpoint = "connection/revealed")]
pub async fn revealed(id: Uuid) -> Answer<Option<RevealedToken>> {
    use crate::{
        domain::revealed::SHOWN,
        server::{
            app::{connection::reveal, note::Name},
            http::caller,
        },
    };
    let (app, actor) = caller::actor().await?;
    // Whichever there is: a look at another token spends it too.
    let permit = caller::take_from_last_page(&app, Name::any("permit")).await.ok().flatten();
    let token = app.call(reveal::reveal(&app, &actor, id, permit)).await?;
    if token.is_some() {
        caller::leave_after(SHOWN, &format!("/connections/{id}"));
    }
    Ok(token)
}
