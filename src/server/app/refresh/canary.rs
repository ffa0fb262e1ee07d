//! Canaries: while nothing else of a client is refreshed, one connection now and then is, to learn
//! whether the client's trouble is over.

use std::{collections::HashMap, slice, sync::Arc};

use uuid::Uuid;

use super::claim::{self, Claimed};
use crate::{
    domain::{attempt::Trigger, client::StateName, incident},
    server::{
        app::{
            App, Result,
            client::Caller,
            incident::{self as incidents, End},
        },
        failpoint,
        store::{self, connection::lease},
    },
};

/// Claims the canaries that are due, one of each client in an incident.
pub async fn due(app: &App) -> Result<Vec<Claimed>> {
    let mut conn = app.pool().acquire().await?;
    let clients = store::incident::list_due(&mut conn, app.now()).await?;
    drop(conn);
    let mut claimed = Vec::new();
    for client_id in clients {
        match of_incident(app, client_id).await {
            Ok(canary) => claimed.extend(canary),
            Err(error) => {
                tracing::error!(
                    client = %client_id,
                    error = format!("{error:#}"),
                    "no canary could be claimed"
                );
            }
        }
    }
    Ok(claimed)
}

async fn of_incident(app: &App, client_id: Uuid) -> Result<Option<Claimed>> {
    let mut tx = app.begin().await?;
    let caller = Caller::load(app, &mut tx, client_id, Vec::new()).await?;
    let limits = [claim::limit_of(client_id, Some(&caller.profile))];
    let policy = caller.profile.policy.incident;
    let caller = Arc::new(caller);
    let taken = app.elapsed();
    let states = [StateName::Incident];
    let rooms = store::client::room(&mut tx, &limits, &states, app.database_now(), true).await?;
    if rooms.iter().all(|room| room.room <= 0) {
        return Ok(None);
    }
    let now = app.now();
    let Some(tried) = store::incident::take_turn(&mut tx, client_id, now).await? else {
        return Ok(None);
    };
    let wait =
        incident::canary_wait(&policy, tried.unsigned_abs().saturating_add(1), app.rng().fraction());
    store::incident::put_off(&mut tx, client_id, now + wait).await?;
    let Some((id, generation)) = store::suspect::next_canary(&mut tx, client_id, now).await? else {
        incidents::end(app, &mut tx, &caller.client, End::NoSuspects).await?;
        tx.commit().await?;
        return Ok(None);
    };
    let leased = lease::claim_one(&mut tx, claim::new_lease(app), id, generation).await?;
    // Its lease is that of a canary before, whose holder is gone: its turn comes when that ends.
    let Some(leased) = leased else { return Ok(None) };
    failpoint::hit(failpoint::CLAIMED);
    claim::spend(app, &mut tx, &limits, slice::from_ref(&leased)).await?;
    let callers = HashMap::from([(client_id, Ok(caller))]);
    let trigger = Trigger::Canary;
    let claimed =
        claim::intend(app, &mut tx, vec![leased], &callers, trigger, "worker", taken).await?;
    tx.commit().await?;
    failpoint::hit(failpoint::INTENDED);
    Ok(claimed.into_iter().next())
}
