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
