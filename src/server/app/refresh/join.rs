//! Waiting for refreshes that someone else has begun: in this process without asking anyone, on other
//! replicas woken by a notification (a hint; rows decide) and never holding a database connection.

use std::time::Duration as StdDuration;

use tokio::time::Instant;
use uuid::Uuid;

use super::flights::Flight;
use crate::server::{
    app::{App, Error, Result},
    store::connection::lease,
};

/// How long a caller waits for a refresh that someone else has begun.
pub const DEADLINE: StdDuration = StdDuration::from_secs(40);
/// How often rows are looked at when no notification comes.
const LOOK: StdDuration = StdDuration::from_millis(250);

/// Waits until a refresh of this process has landed.
pub async fn landed(flight: Flight, deadline: Instant) -> Result<()> {
    tokio::time::timeout_at(deadline, flight.landed()).await.map_err(|_| too_long())
}

fn too_long() -> Error {
    Error::unavailable("A refresh is under way and takes long. Look again in a moment.")
}

/// Waits until nobody holds the connection, on whatever replica.
pub async fn until_free(app: &App, id: Uuid, deadline: Instant) -> Result<()> {
    let wakes = app.flights().wakes(id);
    let free = async {
        loop {
            let woken = wakes.notified();
            tokio::pin!(woken);
            // From here on no wake is missed.
            woken.as_mut().enable();
            let mut conn = app.pool().acquire().await?;
            let held = lease::is_held(&mut conn, id, app.database_now()).await?;
            drop(conn);
            if !held {
                return Ok::<_, Error>(());
            }
            let _ = tokio::time::timeout(LOOK, woken).await;
        }
    };
    let result = tokio::time::timeout_at(deadline, free).await.unwrap_or_else(|_| Err(too_long()));
    app.flights().leave(id, wakes);
    result
}
