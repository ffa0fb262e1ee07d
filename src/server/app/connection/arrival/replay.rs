//! Arrivals that earlier processes left in their journals.

use tokio::{
    sync::oneshot,
    task::JoinHandle,
    time::{sleep, timeout},
};

use super::{Arrival, Kept, RETRY_CAP, conclude, hold_on, in_time, is_final};
use crate::server::app::{App, Error, Result, client::Caller, refresh::save};

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
    let id = arrival.id;
    let settled = conclude(app, arrival, &caller, Kept::Before, tell).await?;
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
