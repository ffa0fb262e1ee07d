//! Keeping the house: what is over is deleted, little by little, and clocks agree.

pub mod history;
pub mod unplanned;

use sqlx::PgConnection;
use time::Duration;

use super::{App, Result};
use crate::{
    domain::{attempt::Verdict, relink},
    server::store,
};

/// Failed logins matter for minutes; they are kept a little longer than the window they count in.
const LOGIN_FAILURES_KEPT: Duration = Duration::hours(1);

/// What came of a device authorization is shown for a while, and may lie in the journal of a process that is
/// away.
const DEVICE_CODES_KEPT: Duration = Duration::days(7);

/// What came of a job can be looked up for so long.
const JOBS_KEPT: Duration = Duration::days(30);

/// No window in which refusals are counted is longer than a day.
const COUNTS_KEPT: Duration = Duration::days(2);

/// An attempt that is open for so long was forgotten: a lease lasts seconds, and whoever takes a
/// connection over ends what it finds.
const ATTEMPTS_FORGOTTEN: Duration = Duration::hours(1);

/// A clock that is off by more is worth a word.
pub(crate) const CLOCK_TOLERANCE: Duration = Duration::seconds(5);

/// A client that seems to have spent the rate of a longer time did so before a clock was set back.
pub(crate) const DEBT: Duration = Duration::minutes(10);

/// An answer that takes longer says too little of what time it is to set a clock by it.
const CLOCK_LATENCY: Duration = Duration::seconds(1);

/// Sets our clock by the database's, which all replicas share, so that they agree about expiries
/// whatever their machines' clocks say. Where that clock itself jumped, leases are not trusted for a while.
pub async fn check_clock(app: &App) -> Result<()> {
    let mut conn = app.pool().acquire().await?;
    follow_clock(app, &mut conn).await?;
    // Also what was spent before a jump that happened when nobody was there to see it.
    Ok(store::client::limit::forget_debts(&mut conn, app.now() + DEBT).await?)
}

/// [`check_clock`], on a connection that is at hand.
pub(super) async fn follow_clock(app: &App, conn: &mut PgConnection) -> Result<()> {
    let asked = app.elapsed();
    let shared = store::clock::now(conn).await?;
    let took = app.elapsed() - asked;
    if took > CLOCK_LATENCY && least_off(app.now() - shared, took) <= CLOCK_TOLERANCE {
        return Ok(());
    }
    let off = app.agree(shared);
    if off.abs() > CLOCK_TOLERANCE {
        app.database_clock_jumped(-off);
        store::client::limit::forget_debts(conn, shared + DEBT).await?;
        tracing::warn!(
            seconds = off.whole_seconds(),
            "this machine's clock differs from the database's, which is followed"
        );
    }
    Ok(())
}

/// How far off a clock is at least that differs by `seen` from an answer which took so long.
fn least_off(seen: Duration, took: Duration) -> Duration {
    if seen.is_negative() { -seen } else { (seen - took).max(Duration::ZERO) }
}

/// Deletes ended sessions, flows that nobody finished, and old failed logins.
pub async fn sweep(app: &App) -> Result<()> {
    let now = app.now();
    let mut conn = app.pool().acquire().await?;
    store::session::delete_expired(&mut conn, now).await?;
    store::note::delete_expired(&mut conn, now).await?;
    store::flow::delete_expired(&mut conn, now).await?;
    store::device::delete_expired(&mut conn, now - DEVICE_CODES_KEPT).await?;
    let forgotten = store::attempt::end_forgotten(&mut conn, now - ATTEMPTS_FORGOTTEN, now).await?;
    if forgotten > 0 {
        let ended = [(Verdict::InDoubt, forgotten)];
        store::attempt_window::add(&mut conn, &ended, app.replica(), now).await?;
    }
    store::login_failure::delete_before(&mut conn, now - LOGIN_FAILURES_KEPT).await?;
    store::job::item::forget_links(&mut conn, now - relink::LIFETIME).await?;
    store::job::delete_before(&mut conn, now - JOBS_KEPT).await?;
    store::client_window::delete_before(&mut conn, now - COUNTS_KEPT).await?;
    store::attempt_window::delete_before(&mut conn, now - COUNTS_KEPT).await?;
    store::suspect::delete_before(&mut conn, now - COUNTS_KEPT).await?;
    Ok(())
}
