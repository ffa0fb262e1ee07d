//! The JSON API.
use crate::server::app::App;
use axum::Router;
pub fn router(_app: App) -> Router {
    Router::new()
}
