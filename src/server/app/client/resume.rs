//! What waited for a client goes on when that is well again, a little at a time.

use sqlx::PgConnection;
use time::Duration;
use uuid::Uuid;

use crate::server::{
    app::{App, Result},
    store,
};

/// What waited for a client resumes within this time, spread evenly.
pub(in crate::server::app) const RESUME_SPREAD: Duration = Duration::minutes(2);
/// How many of them are spread at once.
const RESUME_BATCH: i64 = 5_000;

/// Has what is overdue spread, now that the client is well again.
pub(in crate::server::app) async fn resume(
    app: &App,
    conn: &mut PgConnection,
    id: Uuid,
) -> Result<()> {
    store::client::limit::begin_resuming(conn, id, app.now()).await?;
    app.wake_worker();
    Ok(())
}

/// Spreads some of what is overdue at clients that are well again: a batch of each, so that no
/// transaction is long. Whether there may be more.
pub async fn spread_some(app: &App) -> Result<bool> {
    let mut conn = app.pool().acquire().await?;
    let mut more = false;
    for (id, since) in store::client::limit::list_resuming(&mut conn).await? {
        let spread = RESUME_SPREAD.as_seconds_f64();
        let done = store::connection::lease::resume_some(
            &mut conn,
            id,
            since,
            app.database_now(),
            spread,
            RESUME_BATCH,
        )
        .await?;
        if done == RESUME_BATCH.unsigned_abs() {
            more = true;
        } else {
            store::client::limit::end_resuming(&mut conn, id, since).await?;
        }
    }
    Ok(more)
}
