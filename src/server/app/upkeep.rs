//! Sweeping up: what is over is deleted, little by little.

use time::Duration;

use super::{App, Result};
use crate::server::store;

/// Failed logins matter for minutes; they are kept a little longer than the window they count in.
const LOGIN_FAILURES_KEPT: Duration = Duration::hours(1);

/// Deletes ended sessions, flows that nobody finished, and old failed logins.
pub async fn sweep(app: &App) -> Result<()> {
    let now = app.now();
    let mut conn = app.pool().acquire().await?;
    store::session::delete_expired(&mut conn, now).await?;
    store::flow::delete_expired(&mut conn, now).await?;
    store::login_failure::delete_before(&mut conn, now - LOGIN_FAILURES_KEPT).await?;
    Ok(())
}

/// Empties a database that holds nothing but a demo: no people but `people`, no clients but of the
/// provider `provider`. `false`: it holds something else, and nothing was touched.
pub async fn clear_demo(app: &App, people: &[&str], provider: &str) -> Result<bool> {
    let mut tx = app.begin().await?;
    let users = store::user::list(&mut tx).await?;
    let clients = store::client::list(&mut tx).await?;
    if users.iter().any(|user| !people.contains(&user.email.as_str()))
        || clients.iter().any(|client| client.provider != provider)
    {
        return Ok(false);
    }
    store::demo::clear(&mut tx).await?;
    tx.commit().await?;
    Ok(true)
}
