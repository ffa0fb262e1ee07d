//! Signing in and out, and the first admin.

use leptos::prelude::*;

use super::Answer;
use crate::domain::{overview::Viewer, user::SetupLink};

/// Who is signed in, if anyone.
#[server(prefix = "/rpc", endpoint = "session/current")]
pub async fn current() -> Answer<Option<Viewer>> {
    crate::server::http::caller::viewer().await
}

/// Signs in and goes to `next`, a path of ours.
#[server(prefix = "/rpc", endpoint = "session/login")]
pub async fn login(email: String, password: String, next: Option<String>) -> Answer<()> {
    use crate::{domain::access::Role, server::http::caller};
    let (app, origin) = caller::anyone().await?;
    let signed_in =
        app.call(crate::server::app::session::login(&app, &origin, &email, password)).await?;
    caller::begin_session(&signed_in).await?;
    // Where their work is.
    let home = if signed_in.user.role == Role::Support { "/relinks" } else { "/" };
    caller::redirect(&caller::local_path(next.as_deref(), home));
    Ok(())
}

/// Ends this session.
#[server(prefix = "/rpc", endpoint = "session/logout")]
pub async fn logout() -> Answer<()> {
    use crate::server::http::caller;
    caller::end_session().await?;
    caller::redirect("/login");
    Ok(())
}

/// What a set-up link is good for; without one, whether anybody can sign in.
#[server(prefix = "/rpc", endpoint = "session/setup_link")]
pub async fn look_at_setup_link(token: Option<String>) -> Answer<SetupLink> {
    let (app, _) = crate::server::http::caller::anyone().await?;
    app.call(crate::server::app::session::setup_link(&app, token.as_deref())).await
}

/// Makes the first admin with the one-time token that the log shows at the first start.
#[server(prefix = "/rpc", endpoint = "session/setup")]
pub async fn setup(token: String, email: String, password: String) -> Answer<()> {
    use crate::server::http::caller;
    let (app, _) = caller::anyone().await?;
    let signed_in =
        app.call(crate::server::app::session::setup(&app, &token, &email, password)).await?;
    caller::begin_session(&signed_in).await?;
    caller::redirect("/");
    Ok(())
}

/// Replaces one's own password; ends all other sessions.
#[server(prefix = "/rpc", endpoint = "session/change_password")]
pub async fn change_password(current: String, new: String) -> Answer<()> {
    use crate::server::http::caller;
    let (app, actor) = caller::actor().await?;
    let (_, origin) = caller::anyone().await?;
    let changed = crate::server::app::session::change_password(&app, &actor, &origin, current, new);
    let signed_in = app.call(changed).await?;
    caller::begin_session(&signed_in).await?;
    Ok(())
}
