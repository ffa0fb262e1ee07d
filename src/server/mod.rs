//! The server half: everything that does I/O. Dependencies point one way:
//! `http`, `worker` and `rpc` call `app`; `app` calls `store`, `secret` and `provider`.

pub mod app;
pub mod assets;
pub mod clock;
pub mod config;
pub mod failpoint;
pub mod http;
pub mod journal;
pub mod postgres;
pub mod provider;
pub mod secret;
pub mod start;
pub mod store;
pub mod telemetry;
pub mod worker;
