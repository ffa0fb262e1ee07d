//! How often a password may be tried: failures are counted by account and by address. Whoever is signed in
//! and shows once more that it is them is not stopped by the failures of those who would like to sign in:
//! nobody is to keep them from their work by knowing their address.

use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::Origin;
use crate::{
    domain::user::User,
    server::{
        app::{App, Error, Result},
        store::login_failure,
    },
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

/// And the failures of a person who is signed in.
fn by_person(id: Uuid) -> String {
    format!("person:{id}")
}

/// Forgets what failed for a person, so that they are not shut out.
pub(in crate::server::app) async fn forget(
    app: &App,
    conn: &mut PgConnection,
    user: &User,
) -> Result<()> {
    login_failure::clear(conn, &by_person(user.id)).await?;
    Ok(login_failure::clear(conn, &by_account(app, &user.email)).await?)
}

/// A try that counts as failed until it ends well.
pub(super) struct Try {
    /// What it counts for besides the address.
    counted: Vec<String>,
    by_address: String,
    at: OffsetDateTime,
}

impl Try {
    /// Counts a try to sign in with this e-mail address. `RateLimited`: there were too many failures.
    pub async fn sign_in(
        app: &App,
        conn: &mut PgConnection,
        origin: &Origin,
        email: &str,
    ) -> Result<Self> {
        Self::begin(app, conn, origin, vec![by_account(app, email)]).await
    }

    /// Counts a try of somebody who is signed in, like [`Try::sign_in`]. It counts for their account too:
    /// whoever has their session gets no more guesses by signing in.
    pub async fn prove(
        app: &App,
        conn: &mut PgConnection,
        origin: &Origin,
        id: Uuid,
        email: &str,
    ) -> Result<Self> {
        Self::begin(app, conn, origin, vec![by_person(id), by_account(app, email)]).await
    }

    /// The first of what it counts for is what limits it.
    async fn begin(
        app: &App,
        conn: &mut PgConnection,
        origin: &Origin,
        counted: Vec<String>,
    ) -> Result<Self> {
        let by_address = format!("address:{}", origin.address);
        let (at, since) = (app.now(), app.now() - WINDOW);
        // Counted before it is checked, this one included, so that many tries at once do not slip past
        // the limit. What is refused here was no try.
        for key in counted.iter().chain([&by_address]) {
            login_failure::insert(conn, key, at).await?;
        }
        let of_account = match counted.first() {
            Some(key) => login_failure::count(conn, key, since).await?,
            None => 0,
        };
        if of_account > ACCOUNT_LIMIT
            || login_failure::count(conn, &by_address, since).await? > ADDRESS_LIMIT
        {
            for key in counted.iter().chain([&by_address]) {
                login_failure::forgive(conn, key, at).await?;
            }
            return Err(Error::RateLimited(WINDOW));
        }
        Ok(Self { counted, by_address, at })
    }

    /// The password was right: it was no failure, and those of this account before are forgotten.
    pub async fn end_well(self, conn: &mut PgConnection) -> Result<()> {
        for key in &self.counted {
            login_failure::clear(conn, key).await?;
        }
        login_failure::forgive(conn, &self.by_address, self.at).await?;
        Ok(())
    }
}
