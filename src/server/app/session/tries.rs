//! How often a password may be tried: failures are counted by account and by address.

use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};

use super::Origin;
use crate::server::{
    app::{App, Error, Result},
    store::login_failure,
};

/// So many failures for one account within [`WINDOW`] shut it for the rest of it.
const ACCOUNT_LIMIT: i64 = 10;
/// And so many from one address, whatever the accounts.
const ADDRESS_LIMIT: i64 = 50;
const WINDOW: Duration = Duration::minutes(15);

/// What the failures of an account are counted by. Under a keyed hash: what is typed for an account may be
/// a password.
fn by_account(app: &App, email: &str) -> String {
    format!("account:{}", app.keyring().fingerprint(&email.to_lowercase().into()))
}

/// Forgets what failed for an account, so that it is not shut.
pub(in crate::server::app) async fn forget(
    app: &App,
    conn: &mut PgConnection,
    email: &str,
) -> Result<()> {
    Ok(login_failure::clear(conn, &by_account(app, email)).await?)
}

/// A try that counts as failed until it ends well.
pub(super) struct Try {
    by_account: String,
    by_address: String,
    at: OffsetDateTime,
}

impl Try {
    /// Counts a try for this e-mail address. `RateLimited`: there were too many failures.
    pub async fn begin(
        app: &App,
        conn: &mut PgConnection,
        origin: &Origin,
        email: &str,
    ) -> Result<Self> {
        let by_account = by_account(app, email);
        let by_address = format!("address:{}", origin.address);
        let at = app.now();
        // Counted before it is checked, this one included, so that many tries at once do not slip past
        // the limit. What is refused here was no try.
        login_failure::insert(conn, &by_account, at).await?;
        login_failure::insert(conn, &by_address, at).await?;
        let since = at - WINDOW;
        if login_failure::count(conn, &by_account, since).await? > ACCOUNT_LIMIT
            || login_failure::count(conn, &by_address, since).await? > ADDRESS_LIMIT
        {
            login_failure::forgive(conn, &by_account, at).await?;
            login_failure::forgive(conn, &by_address, at).await?;
            return Err(Error::RateLimited(WINDOW));
        }
        Ok(Self { by_account, by_address, at })
    }

    /// The password was right: it was no failure, and those of this account before are forgotten.
    pub async fn end_well(self, conn: &mut PgConnection) -> Result<()> {
        login_failure::clear(conn, &self.by_account).await?;
        login_failure::forgive(conn, &self.by_address, self.at).await?;
        Ok(())
    }
}
