//! Consent on its way: what is asked for, and what must not be voided meanwhile. How what it brings is
//! stored is in [`settle`](super::settle), how it is kept until then in [`arrival`](super::arrival).

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{App, Error, Result, audit::Party};
use crate::{
    domain::{connection::Connection, problem::Obstacle},
    server::{
        provider::DEADLINE,
        store::{self, Of, device::Lease},
    },
};

pub use crate::domain::relink::Outcome;

/// How long ago a code may have been spent whose tokens are not stored yet: the provider is asked for
/// them and, a few times, whose they are. Whoever still has them after that says so on the row
/// ([`hold_on`]); what was spent earlier went down with its process, or lies in its journal.
pub(in crate::server::app) const ON_ITS_WAY: time::Duration =
    time::Duration::seconds(4 * DEADLINE.as_secs().cast_signed() + 90);

/// Voids whatever is waited for. Refused while a consent is being stored: its tokens exist nowhere
/// else, and without what it began with they would be thrown away.
pub(in crate::server::app) async fn void_waiting(
    app: &App,
    conn: &mut PgConnection,
    of: Of,
) -> Result<()> {
    let now = app.now();
    if !store::flow::withdraw_idle(conn, of, now - ON_ITS_WAY).await? {
        return Err(being_stored());
    }
    if !store::device::withdraw_idle(conn, of, now).await? {
        return Err(being_asked());
    }
    Ok(())
}

/// Refuses while a consent is being stored, without voiding any.
pub(super) async fn refuse_on_its_way(app: &App, conn: &mut PgConnection, id: Uuid) -> Result<()> {
    let now = app.now();
    if store::flow::is_being_redeemed(conn, id, now - ON_ITS_WAY).await? {
        return Err(being_stored());
    }
    if store::device::is_held(conn, id, now).await? {
        return Err(being_asked());
    }
    Ok(())
}

fn being_stored() -> Error {
    Error::conflict(
        Obstacle::ConsentUnderWay,
        "Somebody has just given consent, and what the provider gives for it is being stored. Try \
         again in a moment.",
    )
}

/// Nobody need have consented yet; but if somebody has, the answer that is on its way is the only one.
pub(super) fn being_asked() -> Error {
    Error::conflict(
        Obstacle::ConsentUnderWay,
        "The provider is being asked just now whether a code was typed; if it was, what it gives must \
         not be lost. Try again in a few seconds.",
    )
}

/// What consent is asked for: what the connection asks for, unless its relink asks for more.
pub(super) async fn scopes(
    conn: &mut PgConnection,
    connection: &Connection,
    relink_id: Option<Uuid>,
) -> Result<Vec<String>> {
    let wider = match relink_id {
        Some(id) => store::relink::scopes(conn, id).await?,
        None => None,
    };
    Ok(wider.unwrap_or_else(|| connection.scopes_requested.clone()))
}

/// What was consented to, and who had asked for it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Consent {
    pub connection_id: Uuid,
    /// The authorization that it ends, if it came through a browser.
    pub flow_id: Option<Uuid>,
    /// The relink that it uses up, and when that was seen to be open: what ends it later does not
    /// throw away what was spent by then.
    pub relink: Option<(Uuid, OffsetDateTime)>,
    /// The device authorization that it ends.
    pub device: Option<Lease>,
    /// Of when the newest consent was when this one was spent: another one since then may be newer, whatever
    /// clocks say of that one.
    #[serde(default)]
    pub newest: Option<OffsetDateTime>,
    pub who: Party,
}

/// Says on its row that what came of a consent is here and not stored yet, so that nobody voids it.
pub(super) async fn hold_on(app: &App, conn: &mut PgConnection, consent: &Consent) -> Result<()> {
    let now = app.now();
    if let Some(id) = consent.flow_id {
        store::flow::hold_on(conn, id, now).await?;
        if let Some((relink_id, _)) = consent.relink {
            store::relink::mark_returned(conn, relink_id, now).await?;
        }
    }
    if let Some(lease) = &consent.device {
        store::device::hold_on(conn, lease, now + ON_ITS_WAY).await?;
    }
    Ok(())
}
