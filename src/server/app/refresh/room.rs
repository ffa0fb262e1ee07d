//! How many requests clients may begin now: what is counted, and how much of it is taken at once (DESIGN section 3,
//! point 11).

use std::{collections::HashMap, sync::Arc};

use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{
    intent::{self, UNDER_WAY},
    save,
};
use crate::{
    domain::{client, provider::Profile},
    server::{
        app::{App, Error, Result, client::Caller},
        store::{
            self,
            client::{
                Stored,
                limit::{Begun, Limit},
            },
            connection::lease::{Leased, Room},
        },
    },
};

/// No jump of a clock is longer.
const AT_ANY_TIME: Duration = Duration::days(36500);

/// Of the places that clients have, one in so many is filled by a look for places that came free.
///
/// What is claimed together is asked together and, of providers that take their time, answered together: if all
/// of it were claimed together again, all places would be empty while that is done, and the database idle until
/// the next time. Where answers come at once, what costs is the number of claims.
const PORTION: i64 = 4;
/// A portion is no smaller than this, nor than one of each client that has room.
const LEAST_PORTION: i64 = 16;

/// How many a look for places fills at most.
pub(super) fn portion(limits: &[Limit], rooms: &[Room]) -> i64 {
    let places: i64 = limits.iter().map(|limit| i64::from(limit.concurrency)).sum();
    let each = i64::try_from(rooms.len()).unwrap_or(i64::MAX);
    (places / PORTION).max(LEAST_PORTION).max(each)
}

/// Clients to claim for.
pub(super) struct Clients {
    pub callers: HashMap<Uuid, std::result::Result<Arc<Caller>, String>>,
    /// Of each client, in the order in which they were found.
    pub limits: Vec<Limit>,
}

impl Clients {
    pub async fn of(app: &App, conn: &mut PgConnection, found: Vec<Stored>) -> Result<Self> {
        let mut callers = HashMap::new();
        let mut profiles: HashMap<String, Arc<Profile>> = HashMap::new();
        let mut limits = Vec::with_capacity(found.len());
        for client in found {
            let id = client.id;
            let profile = profiles.get(&client.provider).cloned();
            let caller = Caller::of(app, conn, client, Vec::new(), profile).await;
            if let Ok(caller) = &caller {
                profiles.insert(caller.client.provider.clone(), caller.profile.clone());
            }
            // The database went away: that is no fault of the client's.
            if let Err(Error::Internal(error)) = &caller
                && save::is_absence(error)
            {
                return caller.map(|_| Self { callers, limits });
            }
            limits.push(intent::reserve(intent::limit(id, profile_of(&caller))));
            callers.insert(id, caller.map(Arc::new).map_err(|error| error.to_string()));
        }
        Ok(Self { callers, limits })
    }

    pub fn ids(&self) -> Vec<Uuid> {
        self.limits.iter().map(|limit| limit.client_id).collect()
    }
}

/// When what takes room now began. What began earlier has a holder that is gone, or its answer. So has what
/// seems to begin later, if the clock has not jumped for a while: it began before the clock was set back.
pub fn under_way(now: OffsetDateTime, jumped: Duration, is_steady: bool) -> Begun {
    let since = now - UNDER_WAY - jumped + Duration::milliseconds(1);
    Begun { since, before: now + if is_steady { Duration::minutes(1) } else { AT_ANY_TIME } }
}

/// How many requests of each client may begin now. Clients that someone else is claiming for are left out.
pub(super) async fn of(
    app: &App,
    conn: &mut PgConnection,
    limits: &[Limit],
    states: &[client::StateName],
) -> Result<Vec<Room>> {
    let ids: Vec<Uuid> = limits.iter().map(|limit| limit.client_id).collect();
    let locked = store::client::limit::lock(conn, &ids).await?;
    of_locked(app, conn, limits, &locked, states).await
}

/// [`of`] clients that are locked already.
pub(super) async fn of_locked(
    app: &App,
    conn: &mut PgConnection,
    limits: &[Limit],
    locked: &[Uuid],
    states: &[client::StateName],
) -> Result<Vec<Room>> {
    let open = under_way(app.now(), app.database_clock_jumps(), app.database_clock_is_steady());
    let (answered, now) = (app.flights().answered(), app.database_now());
    Ok(store::client::limit::room(conn, limits, locked, states, open, &answered, now).await?)
}

/// Counts what is claimed against the rates of its clients.
pub(super) async fn spend(
    app: &App,
    conn: &mut PgConnection,
    limits: &[Limit],
    leased: &[Leased],
) -> Result<()> {
    for (client_id, seconds) in intent::spending(limits, leased) {
        store::client::limit::spend(conn, client_id, seconds, app.database_now()).await?;
    }
    Ok(())
}

pub(super) fn profile_of(caller: &Result<Caller>) -> Option<&Profile> {
    caller.as_ref().ok().map(|caller| caller.profile.as_ref())
}
