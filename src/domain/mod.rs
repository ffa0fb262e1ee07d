//! Data and rules, in both builds: no I/O, no clock, no secrets.

pub mod access;
pub mod api_key;
pub mod attempt;
pub mod audit;
pub mod brand;
pub mod catalog;
pub mod client;
pub mod connection;
pub mod device;
pub mod dry_run;
pub mod import;
pub mod incident;
pub mod language;
pub mod lifeline;
pub mod overview;
pub mod page;
pub mod problem;
pub mod provider;
pub mod refresh;
pub mod refusal;
pub mod rehearsal;
pub mod relink;
pub mod schedule;
pub mod user;
pub mod voice;
