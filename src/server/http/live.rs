//! One stream a tab, on which is said that what the page shows may have changed (server-sent events).

use std::{convert::Infallible, time::Duration};

use axum::{
    Extension, Router,
    extract::{Query, State},
    http::{HeaderName, StatusCode},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
    routing::get,
};
use futures::{StreamExt, stream};
use serde::Deserialize;
use tower_sessions::Session;
use uuid::Uuid;

use super::router::Web;
use crate::server::app::{self, Actor, App, live};

pub const LIVE: &str = "/live";

/// A stream is begun anew after so long, so that nobody listens who may not any more.
const LENGTH: Duration = Duration::from_secs(5 * 60);
/// After how long a browser asks for another when a stream has ended.
const RETRY: Duration = Duration::from_millis(300);
/// How often a silent stream says that it is there.
const PULSE: Duration = Duration::from_secs(15);

pub fn routes() -> Router<Web> {
    Router::new().route(LIVE, get(events))
}

#[derive(Deserialize)]
struct Asked {
    /// The connection that the page shows.
    of: Option<Uuid>,
}

async fn events(
    State(app): State<App>,
    Extension(actor): Extension<Actor>,
    session: Session,
    Query(Asked { of }): Query<Asked>,
) -> Response {
    let session = session.id().map(|id| id.to_string()).unwrap_or_default();
    let ear = match live::hear(&app, &actor, &session, of) {
        Ok(ear) => ear,
        Err(app::Error::Conflict(conflict)) => {
            return (StatusCode::TOO_MANY_REQUESTS, conflict.why).into_response();
        }
        Err(app::Error::Unauthenticated) => return StatusCode::UNAUTHORIZED.into_response(),
        Err(_) => return StatusCode::FORBIDDEN.into_response(),
    };
    let stopping = app.stopping().clone();
    let end = async move {
        tokio::select! {
            () = stopping.cancelled() => {}
            () = tokio::time::sleep(LENGTH) => {}
        }
    };
    let topics = stream::unfold(ear, |mut ear| async move {
        let topic = ear.next().await?;
        Some((Ok::<_, Infallible>(Event::default().data(topic.as_str())), ear))
    });
    let first = stream::iter([Ok(Event::default().retry(RETRY))]);
    let events = Sse::new(first.chain(topics.take_until(Box::pin(end))))
        .keep_alive(KeepAlive::new().interval(PULSE).text(""));
    // A proxy in between is not to wait for more.
    ([(HeaderName::from_static("x-accel-buffering"), "no")], events).into_response()
}
