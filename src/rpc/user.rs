//! People who may sign in.

use leptos::prelude::*;
use uuid::Uuid;

use super::Answer;
use crate::domain::{access::Role, user::User};

#[server(prefix = "/rpc", endpoint = "user/list")]
pub async fn list() -> Answer<Vec<User>> {
    let (app, actor) = crate::server::http::caller::actor().await?;
    app.call(crate::server::app::user::list(&app, &actor)).await
}

#[server(prefix = "/rpc", endpoint = "user/create")]
pub async fn create(email: String, role: Role, password: String) -> Answer<()> {
    let (app, actor) = crate::server::http::caller::actor().await?;
    app.call(crate::server::app::user::create(&app, &actor, &email, role, password.into())).await?;
    Ok(())
}

#[server(prefix = "/rpc", endpoint = "user/set_role")]
pub async fn set_role(id: Uuid, role: Role) -> Answer<()> {
    let (app, actor) = crate::server::http::caller::actor().await?;
    let patch = crate::domain::user::UserPatch { role: Some(role), disabled: None };
    app.call(crate::server::app::user::update(&app, &actor, id, patch)).await?;
    Ok(())
}

/// Shuts a person out, ending all their sessions, or lets them in again.
#[server(prefix = "/rpc", endpoint = "user/set_disabled")]
pub async fn set_disabled(id: Uuid, disabled: bool) -> Answer<()> {
    let (app, actor) = crate::server::http::caller::actor().await?;
    let patch = crate::domain::user::UserPatch { role: None, disabled: Some(disabled) };
    app.call(crate::server::app::user::update(&app, &actor, id, patch)).await?;
    Ok(())
}
