//! Counts over all connections, the same for every viewer.
//!
//! They cost a look at each connection, so where that takes long they are counted once for many viewers:
//! for so long a time that counting takes up a set share of it. A house that is counted in a moment is
//! counted anew for everybody. What is a little older is still shown while it is counted anew, and says as of when it is.

use std::sync::{Arc, Mutex, PoisonError};

use time::{Duration, OffsetDateTime};

use crate::{
    domain::{
        client,
        connection::{SOON, Standing, StateName},
        overview::{AttemptBucket, RefreshesAhead, Tally, all_edges},
    },
    server::{
        app::{App, Result},
        store::{self, overview::Count},
    },
};

use super::need::{self, Needs};

/// The refreshes of the next day: 48 bars of half an hour.
const DUE_BUCKET: Duration = Duration::minutes(30);
const DUE_BUCKETS: i32 = 48;

/// How far back attempts are counted.
pub const BEHIND: Duration = Duration::DAY;

/// What takes no longer than this is counted anew for everybody.
const QUICK: Duration = Duration::milliseconds(20);
/// Counting takes up at most one part in so many of the time.
const SHARE: i32 = 20;
/// However long it takes.
const FRESH: Duration = Duration::seconds(10);
/// For so many times as long it is shown while it is counted anew.
const SHOWN: i32 = 3;

pub struct Glance {
    pub as_of: OffsetDateTime,
    pub counts: Vec<(Standing, i64)>,
    pub needs: Needs,
    /// What runs out, between the edges of all scales.
    pub expiries: Vec<Tally>,
    pub refreshes: RefreshesAhead,
    pub attempts: Vec<AttemptBucket>,
}

/// The last one, and who counts.
#[derive(Default)]
pub struct Glances {
    last: Mutex<Option<Counted>>,
    counting: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Clone)]
struct Counted {
    glance: Arc<Glance>,
    /// By the clock that only goes forward.
    begun: Duration,
    fresh: Duration,
}

impl Glances {
    pub async fn get(&self, app: &App) -> Result<Arc<Glance>> {
        let asked = app.elapsed();
        if let Some(last) = self.last() {
            let age = asked - last.begun;
            if age < last.fresh {
                return Ok(last.glance);
            }
            if age < last.fresh * SHOWN {
                if let Ok(counting) = self.counting.clone().try_lock_owned() {
                    let app = app.clone();
                    tokio::spawn(async move {
                        if let Err(error) = app.glances().count(&app).await {
                            tracing::warn!(%error, "counting for the overview failed");
                        }
                        drop(counting);
                    });
                }
                return Ok(last.glance);
            }
        }
        let _counting = self.counting.lock().await;
        match self.last() {
            // Somebody else counted while we waited.
            Some(last) if last.begun > asked => Ok(last.glance),
            _ => self.count(app).await,
        }
    }

    fn last(&self) -> Option<Counted> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn count(&self, app: &App) -> Result<Arc<Glance>> {
        let begun = app.elapsed();
        let glance = Arc::new(take(app).await?);
        let took = app.elapsed() - begun;
        let fresh = if took > QUICK { (took * SHARE).min(FRESH) } else { Duration::ZERO };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Counted { glance: glance.clone(), begun, fresh });
        Ok(glance)
    }
}

async fn take(app: &App) -> Result<Glance> {
    // To the second, so that it stands well in addresses.
    let now = app.now().truncate_to_second();
    let mut conn = app.pool().acquire().await?;
    let mut counts: Vec<(Standing, i64)> = Vec::new();
    for row in store::overview::count(&mut conn, now + SOON).await? {
        let standing = standing(&row);
        match counts.iter_mut().find(|(known, _)| *known == standing) {
            Some((_, count)) => *count += row.count,
            None => counts.push((standing, row.count)),
        }
    }
    Ok(Glance {
        as_of: now,
        counts,
        needs: need::count(&mut conn, now).await?,
        expiries: store::overview::expiries(&mut conn, &all_edges(now)).await?,
        refreshes: store::overview::refreshes(&mut conn, now, DUE_BUCKET, DUE_BUCKETS).await?,
        attempts: store::attempt_window::list(&mut conn, now, BEHIND).await?,
    })
}

/// The same rule as `Connection::standing`, for a group.
fn standing(row: &Count) -> Standing {
    match (row.state, row.client_state) {
        (StateName::Disconnected, _) => Standing::Disconnected,
        (_, client::StateName::Disabled) => Standing::Paused,
        _ if row.paused => Standing::Paused,
        (_, client::StateName::CredentialsRejected | client::StateName::Incident) => {
            Standing::ClientRefused
        }
        (StateName::Pending, _) => Standing::Pending,
        (StateName::NeedsReauth, _) => Standing::NeedsPerson,
        (StateName::Retrying | StateName::InDoubt, _) => Standing::Retrying,
        (StateName::Active, _) if row.soon => Standing::Soon,
        (StateName::Active, _) => Standing::Alive,
    }
}
