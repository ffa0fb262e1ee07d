//! Flows: a whole Regrant on a real PostgreSQL, a strict provider over loopback HTTP, and a clock
//! that moves when a test moves it. One file for each noun or contract; nothing here sleeps.

mod access;
mod api;
mod audit;
mod brand;
mod check;
mod client;
mod connection;
mod custody;
mod demo;
mod device;
mod dialects;
mod done;
mod dry_run;
mod exchange;
mod extras;
mod history;
mod import;
mod interrupted;
mod introspection;
mod job;
mod keys;
mod note;
mod overview;
mod provider;
mod refresh;
mod relink;
mod secrets;
mod session;
mod simulation;
pub mod support;
mod token_reader;
mod typed;
mod upgrade;
mod variables;
