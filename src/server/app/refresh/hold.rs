//! Keeping everyone from a connection for a while: for what is done to it that no refresh may cross.

use tokio::time::Instant;
use uuid::Uuid;

use super::{claim, flights::Hand, join};
use crate::{
    domain::connection::Connection,
    server::{
        app::{App, Error, Result, connection},
        store::connection::lease::{self, Leased},
    },
};

/// A connection that nobody can refresh as long as this lives.
pub struct Held {
    leased: Leased,
    _hand: Hand,
}

impl Held {
    /// Lets others refresh it again.
    pub async fn release(self, app: &App) -> Result<()> {
        let mut conn = app.pool().acquire().await?;
        lease::release(&mut conn, &self.leased).await?;
        Ok(())
    }
}

/// Keeps everyone from refreshing a connection, waiting for a refresh under way; the connection as
/// it is then. Not held: nothing of it can be refreshed anyway.
pub async fn hold(app: &App, id: Uuid) -> Result<(Connection, Option<Held>)> {
    let deadline = Instant::now() + join::DEADLINE;
    loop {
        let mut tx = app.begin().await?;
        let connection = connection::load(&mut tx, id).await?;
        if super::refuse_dead(&connection).is_err() {
            return Ok((connection, None));
        }
        let (lease, taken) = (claim::lease_of_one(app, id), app.elapsed());
        let leased = lease::claim_one(&mut tx, lease, id, connection.generation).await?;
        if let Some(leased) = leased
            && claim::may_keep(app, &mut tx, std::slice::from_ref(&leased), taken).await?
        {
            let leased = claim::doubt_one(app, &mut tx, leased).await?;
            tx.commit().await?;
            let _hand = Hand::take(app.flights(), id, leased.lease_id);
            return Ok((connection, Some(Held { leased, _hand })));
        }
        tx.rollback().await?;
        join::until_free(app, id, deadline).await?;
        if Instant::now() > deadline {
            return Err(Error::unavailable("A refresh is under way. Try again in a moment."));
        }
        tokio::time::sleep(super::ROOM_LOOK).await;
    }
}
