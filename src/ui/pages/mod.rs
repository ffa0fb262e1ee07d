//! The pages, by noun. Each asks for its data, says what can be done, and leaves the rest to
//! patterns and components.

pub mod api_key;
pub mod audit;
pub mod client;
pub mod connection;
pub mod job;
pub mod missing;
pub mod overview;
pub mod profile;
pub mod provider;
pub mod relink;
pub mod session;
pub mod settings;
pub mod user;
