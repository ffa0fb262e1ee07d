//! The doors: pages, server functions, JSON API, OAuth callback, health. Each turns a request into
//! one call of a use case and its answer into a response; no rule stands here.

pub mod api;
mod brand;
pub mod caller;
mod cookie;
mod done;
mod download;
mod guard;
mod health;
mod live;
mod oauth;
mod origin;
mod provider;
mod relink;
pub mod router;
mod session;
pub(crate) mod typed;
mod upload;

pub use router::{Metrics, Options, health_router, router};
