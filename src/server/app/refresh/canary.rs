//! Canaries: one connection that is refreshed to learn something about its client: whether an incident
//! is over, or whether the next secret works. They are leased and written down like any refresh.

use std::{collections::HashMap, slice, sync::Arc};

use sqlx::PgConnection;
use time::Duration;
use uuid::Uuid;

use super::{
    claim::{self, Claimed},
    intent, room,
};
use crate::{
    domain::{attempt::Trigger, client::StateName, incident, rehearsal},
    server::{
        app::{
            App, Result,
            client::Caller,
            incident::{self as incidents, End},
        },
        failpoint,
        store::{
            self,
            client::next_secret,
            connection::lease::{self, Lease},
        },
    },
};

/// When a request can't even be made (a secret that does not open), that is looked at again so late.
const UNPREPARED_WAIT: Duration = Duration::minutes(15);

/// Claims the canaries that are due, at most one of each client, and hands each on at once: whoever looks
/// may be cut short.
pub async fn due(app: &App, mut hand_on: impl FnMut(Claimed)) -> Result<()> {
    let mut conn = app.pool().acquire().await?;
    let incidents = store::incident::list_due(&mut conn, app.now()).await?;
    let rehearsals = next_secret::list_due(&mut conn, app.now()).await?;
    drop(conn);
    for client in incidents {
        if let Some(claimed) = logged(client, of_incident(app, client).await) {
            hand_on(claimed);
        }
    }
    for client in rehearsals {
        if let Some(claimed) = logged(client, of_rehearsal(app, client).await) {
            hand_on(claimed);
        }
    }
    Ok(())
}

/// What is claimed is to be made, whatever happens to the next.
fn logged(client: Uuid, canary: Result<Option<Claimed>>) -> Option<Claimed> {
    canary.unwrap_or_else(|error| {
        tracing::error!(%client, error = format!("{error:#}"), "no canary could be claimed");
        None
    })
}

async fn of_incident(app: &App, client_id: Uuid) -> Result<Option<Claimed>> {
    let mut tx = app.begin().await?;
    let caller = match Caller::load(app, &mut tx, client_id, Vec::new()).await {
        Ok(caller) => caller,
        Err(error) => {
            store::incident::put_off(&mut tx, client_id, app.now() + UNPREPARED_WAIT).await?;
            tx.commit().await?;
            return Err(error);
        }
    };
    if !has_room(app, &mut tx, &caller, &[StateName::Incident]).await? {
        return Ok(None);
    }
    let now = app.now();
    let Some(refused) = store::incident::take_turn(&mut tx, client_id, now).await? else {
        return Ok(None);
    };
    let after = refused.unsigned_abs().saturating_add(1);
    let wait = incident::canary_wait(&caller.profile.policy.incident, after, app.rng().fraction());
    store::incident::put_off(&mut tx, client_id, now + wait).await?;
    let Some((id, generation)) = store::suspect::next_canary(&mut tx, client_id, now).await? else {
        incidents::end(app, &mut tx, &caller.client, End::NoSuspects).await?;
        tx.commit().await?;
        return Ok(None);
    };
    let claimed = claim(app, &mut tx, caller, Trigger::Canary, id, generation).await?;
    // Without it, that is the lease of a canary before: its turn comes when that has ended.
    if claimed.is_some() {
        tx.commit().await?;
        failpoint::hit(failpoint::INTENDED);
    }
    Ok(claimed)
}

async fn of_rehearsal(app: &App, client_id: Uuid) -> Result<Option<Claimed>> {
    let mut tx = app.begin().await?;
    let caller = match Caller::with_next_secret(app, &mut tx, client_id).await {
        Ok(Some(caller)) => caller,
        Ok(None) => return Ok(None),
        Err(error) => {
            next_secret::put_off(&mut tx, client_id, app.now() + UNPREPARED_WAIT).await?;
            tx.commit().await?;
            return Err(error);
        }
    };
    let states = [StateName::Ready, StateName::CredentialsRejected];
    if !has_room(app, &mut tx, &caller, &states).await? {
        return Ok(None);
    }
    let now = app.now();
    let Some(made) = next_secret::take_turn(&mut tx, client_id, now).await? else {
        return Ok(None);
    };
    let wait = rehearsal::wait(made.unsigned_abs(), app.rng().fraction());
    next_secret::put_off(&mut tx, client_id, now + wait).await?;
    let understudy = next_secret::understudy(&mut tx, client_id).await?;
    let claimed = match understudy {
        Some((id, generation)) => {
            claim(app, &mut tx, caller, Trigger::Rehearsal, id, generation).await?
        }
        None => None,
    };
    tx.commit().await?;
    failpoint::hit(failpoint::INTENDED);
    Ok(claimed)
}

/// Whether the client is in one of these states and may make another request. Nobody else claims for
/// it until the transaction ends.
async fn has_room(
    app: &App,
    conn: &mut PgConnection,
    caller: &Caller,
    states: &[StateName],
) -> Result<bool> {
    let limits = [intent::limit(caller.client.id, Some(&caller.profile))];
    let rooms = room::of(app, conn, &limits, states).await?;
    Ok(rooms.iter().any(|room| room.room > 0))
}

async fn claim(
    app: &App,
    conn: &mut PgConnection,
    caller: Caller,
    trigger: Trigger,
    id: Uuid,
    generation: i64,
) -> Result<Option<Claimed>> {
    let taken = app.elapsed();
    let lease = claim::lease_of_one(app, id);
    // A secret is tried with a connection that is well.
    let lease = Lease { orphans: lease.orphans && trigger == Trigger::Canary, ..lease };
    let leased = lease::claim_one(conn, lease, id, generation).await?;
    let Some(leased) = leased else { return Ok(None) };
    if !claim::may_keep(app, conn, slice::from_ref(&leased), taken).await? {
        return Ok(None);
    }
    failpoint::hit(failpoint::CLAIMED);
    let limits = [intent::limit(caller.client.id, Some(&caller.profile))];
    room::spend(app, conn, &limits, slice::from_ref(&leased)).await?;
    let callers = HashMap::from([(caller.client.id, Ok(Arc::new(caller)))]);
    let claimed =
        claim::intend(app, conn, vec![leased], &callers, trigger, "worker", taken).await?;
    Ok(claimed.into_iter().next())
}
