//! Arrivals that earlier processes left in their journals.

use std::collections::HashMap;

use tokio::{
    sync::oneshot,
    task::JoinHandle,
    time::{sleep, timeout},
};

use super::{Arrival, Kept, RETRY_CAP, conclude, hold_on, in_time, is_final, record};
use crate::server::app::{App, Error, Result, client::Caller, refresh::save};

/// Of what was written down once more when its account was known, leaves that alone.
pub(in crate::server::app) fn leave_newest<'a>(
    found: impl IntoIterator<Item = &'a mut Vec<Arrival>>,
) {
    let found: Vec<_> = found.into_iter().collect();
    let mut newest = HashMap::new();
    for arrival in found.iter().flat_map(|arrivals| arrivals.iter()) {
        let known = newest.entry(arrival.id).or_default();
        *known = record::revision(arrival).max(*known);
    }
    for arrivals in found {
        arrivals.retain(|arrival| newest.get(&arrival.id) == Some(&record::revision(arrival)));
    }
}

/// Begins to store what was left; whether it is over is what the task says in the end. Who reads records
/// keeps them until then.
pub(in crate::server::app) fn begin(app: &App, arrival: Arrival) -> JoinHandle<bool> {
    let running = app.clone();
    app.tasks().spawn(async move {
        let id = arrival.id;
        match bring(&running, arrival).await {
            Ok(is_over) => is_over,
            Err(error) => {
                let (is_over, error) = (is_final(&error), format!("{error:#}"));
                if is_over {
                    // Nothing that it could be stored for is there any more.
                    tracing::error!(arrival = %id, error, "a grant came to nothing");
                } else {
                    tracing::error!(arrival = %id, error, "a grant is left to the next start");
                }
                is_over
            }
        }
    })
}

/// Whether it is stored, or refused for good.
async fn bring(app: &App, arrival: Arrival) -> Result<bool> {
    hold_on(app, &arrival).await;
    let Some(caller) = load(app, &arrival).await? else { return Ok(false) };
    let (tell, _) = oneshot::channel();
    let (id, kept) = (arrival.id, Kept::before(&arrival));
    let settled = conclude(app, arrival, &caller, kept, tell).await?;
    if let Some(settled) = &settled {
        tracing::info!(arrival = %id, outcome = settled.outcome.as_str(), "replayed");
    }
    Ok(settled.is_some())
}

/// Who asked for it. `None`: the process is to end.
async fn load(app: &App, arrival: &Arrival) -> Result<Option<Caller>> {
    loop {
        let loaded = async {
            let mut conn = app.pool().acquire().await?;
            let made = Caller::who_made(app, &mut conn, arrival.made.clone());
            let made = timeout(save::LIMIT, made).await;
            in_time(&mut conn, made)
        };
        match loaded.await {
            Err(Error::Internal(error)) => {
                let error = format!("{error:#}");
                tracing::warn!(arrival = %arrival.id, error, "a record is not stored yet");
            }
            loaded => return loaded.map(Some),
        }
        if app.stopping().is_cancelled() {
            return Ok(None);
        }
        sleep(RETRY_CAP).await;
    }
}
