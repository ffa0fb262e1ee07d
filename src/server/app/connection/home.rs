//! One home for each refresh token: in two connections it would be sent twice, and a strict server
//! would then kill the grant.

use std::slice;

use sqlx::PgConnection;
use uuid::Uuid;

use super::{App, Error, Result};
use crate::{
    domain::{connection::Connection, problem::Obstacle},
    server::{provider::Grant, store},
};

/// The connection that holds the refresh token of `given` already: `own` if it does, else another. A dead
/// one loses it.
///
/// This is the first lock of every transaction that stores tokens, of one connection or of many:
/// whoever else brings the same token waits here until the first has ended. The order is tokens, then
/// the client, then its connections; one that waited here with a connection in its hand would wait
/// for whoever holds the token and wants that connection.
pub(super) async fn find(
    app: &App,
    conn: &mut PgConnection,
    given: &Grant,
    own: Uuid,
) -> Result<Option<Connection>> {
    let Some(fingerprint) = hold(app, conn, given).await? else { return Ok(None) };
    store::token_set::take_from_dead(conn, slice::from_ref(&fingerprint)).await?;
    match store::token_set::find_home(conn, &fingerprint, own).await? {
        // One that is deleted just now is a home no longer.
        Some(id) => Ok(store::connection::find(conn, id).await?),
        None => Ok(None),
    }
}

/// The lock of [`find`], for whoever asks something else before; the fingerprint of the refresh token.
pub(super) async fn hold(
    app: &App,
    conn: &mut PgConnection,
    given: &Grant,
) -> Result<Option<String>> {
    let Some(token) = &given.refresh_token else { return Ok(None) };
    let fingerprint = app.keyring().fingerprint(token);
    store::token_set::hold_fingerprints(conn, slice::from_ref(&fingerprint)).await?;
    Ok(Some(fingerprint))
}

/// Refuses to make a connection of a token that has a home, or had one that lives with its successor: sent
/// again, it would end that.
pub(super) async fn refuse_second(app: &App, conn: &mut PgConnection, given: &Grant) -> Result<()> {
    if let Some(home) = find(app, conn, given, Uuid::nil()).await? {
        return Err(Error::conflict(
            Obstacle::AlreadyConnected,
            format!(
                "This refresh token belongs to a connection already: {}. Use that one, or disconnect it \
                 first without revoking.",
                named(&home)
            ),
        ));
    }
    let Some(token) = &given.refresh_token else { return Ok(()) };
    let fingerprint = app.keyring().fingerprint(token);
    let spent = store::token_set::find_spent(conn, slice::from_ref(&fingerprint)).await?;
    let Some((_, id)) = spent.first() else { return Ok(()) };
    match store::connection::find(conn, *id).await? {
        Some(home) => Err(Error::conflict(
            Obstacle::AlreadyConnected,
            format!(
                "This refresh token was replaced by a newer one, which a connection has: {}. Use that one.",
                named(&home)
            ),
        )),
        None => Ok(()),
    }
}

/// A connection by its name and its id: many may have the same name.
pub(super) fn named(home: &Connection) -> String {
    format!("{} ({})", home.name(), home.id)
}
