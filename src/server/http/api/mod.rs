//! The JSON API: the same use cases as the dashboard's, for programs.
//!
//! A handler reads the request, calls one use case and wraps its answer. The routes and the OpenAPI
//! document come from the same declarations, so they cannot drift apart. Every refusal, also of what
//! reaches no handler, is a problem of RFC 9457.

mod api_key;
mod audit;
mod auth;
mod brand;
mod campaign;
mod client;
mod connection;
mod document;
mod dry_run;
mod export;
mod import;
mod incident;
mod job;
mod json;
mod list;
mod overview;
mod problem;
mod provider;
mod query;
mod rehearsal;
mod relink;
mod saved_filter;
mod user;

use axum::{
    Extension, Router, extract::DefaultBodyLimit, http::HeaderValue, http::header, middleware,
    routing::any,
};
use tower_http::{catch_panic::CatchPanicLayer, set_header::SetResponseHeaderLayer};
use utoipa_axum::router::OpenApiRouter;

use self::{document::Document, problem::Problem};
use crate::server::app::App;

/// Where the API begins; every path in the document counts from here.
pub const BASE: &str = "/api/v1";
/// A body is never larger than this, in bytes: a profile with all its notes is a tenth of it.
const BODY_LIMIT: usize = 1024 * 1024;

/// The API under [`BASE`], where it answers for every path.
pub fn router(app: App) -> Router {
    let (router, document) = parts().split_for_parts();
    let router = router
        .fallback(|| async { Problem::no_route() })
        .method_not_allowed_fallback(|| async { Problem::wrong_method() });
    Router::new()
        .nest(BASE, router)
        // Nesting leaves this one out.
        .route(&format!("{BASE}/"), any(|| async { Problem::no_route() }))
        // The first is the outermost.
        .layer((
            SetResponseHeaderLayer::if_not_present(
                header::CACHE_CONTROL,
                HeaderValue::from_static("no-store"),
            ),
            middleware::from_fn(problem::complete),
            CatchPanicLayer::custom(problem::panicked),
            DefaultBodyLimit::max(BODY_LIMIT),
            Extension(Document::new(document)),
        ))
        .with_state(app)
}

fn parts() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(document::frame())
        .merge(overview::routes())
        .merge(provider::routes())
        .merge(client::routes())
        .merge(incident::routes())
        .merge(rehearsal::routes())
        .merge(dry_run::routes())
        .merge(import::routes())
        .merge(connection::routes())
        .merge(export::routes())
        .merge(job::routes())
        .merge(campaign::routes())
        .merge(saved_filter::routes())
        .merge(relink::routes())
        .merge(brand::routes())
        .merge(user::routes())
        .merge(api_key::routes())
        .merge(audit::routes())
        .merge(document::routes())
}
