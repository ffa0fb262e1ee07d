//! Connections come, change and go: by consent, by import, by the client itself; disconnected,
//! deleted.

mod account;
mod arrival;
mod consent;
mod end;
mod export;
mod home;
mod import;
mod list;
mod live;
mod rare;
mod reveal;
mod scopes;
mod upkeep;
