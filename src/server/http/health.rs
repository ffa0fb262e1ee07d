//! Whether we live, and whether we can serve.

use axum::{Router, extract::State, http::StatusCode, routing::get};

use crate::server::app::App;

pub fn routes(app: App) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .with_state(app)
}

async fn ready(State(app): State<App>) -> (StatusCode, String) {
    if app.stopping().is_cancelled() {
        (StatusCode::SERVICE_UNAVAILABLE, "shutting down\n".into())
    } else if app.is_ready().await {
        (StatusCode::OK, format!("ok\n{}", warning(&app)))
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n".into())
    }
}

/// What an operator should know although requests are served.
fn warning(app: &App) -> String {
    let weakness = match app.journal() {
        Some(journal) => journal.weakness(),
        None => Some("there is no journal: what PostgreSQL does not take in time can be lost"),
    };
    weakness.map(|weakness| format!("warning: {weakness}\n")).unwrap_or_default()
}
