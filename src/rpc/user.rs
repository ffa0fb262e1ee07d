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

#[server(prefix = "/rpc", endpoint = "user/get")]
pub async fn get(id: Uuid) -> Answer<User> {
    let (app, actor) = crate::server::http::caller::actor().await?;
    app.call(crate::server::app::user::get(&app, &actor, id)).await
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
    use crate::server::http::caller;
    let (app, actor) = caller::actor().await?;
    let patch = crate::domain::user::UserPatch { role: None, disabled: Some(disabled) };
    app.call(crate::server::app::user::update(&app, &actor, id, patch)).await?;
    caller::did(if disabled { "user/shut_out" } else { "user/let_in" });
    Ok(())
}

/// Gives another person a new password, which ends all their sessions. `own` is the admin's.
#[server(prefix = "/rpc", endpoint = "user/set_password")]
pub async fn set_password(id: Uuid, password: String, own: String) -> Answer<()> {
    use crate::server::{app::user, http::caller};
    let (app, actor) = caller::actor().await?;
    let (_, origin) = caller::anyone().await?;
    let set = user::prove_and_set_password(&app, &actor, &origin, own, id, password.into());
    app.call(set).await
}
