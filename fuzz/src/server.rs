//! What `server::provider` needs of the server.

#[path = "../../src/server/clock.rs"]
pub mod clock;
#[path = "../../src/server/provider/mod.rs"]
pub mod provider;
