//! Clients: registrations at providers.

mod check;
mod detail;
mod dry_run;
mod form;
mod import;
mod list;
mod secret;
mod trouble;

pub use detail::Detail;
pub use dry_run::DryRun;
pub use form::New;
pub use import::Import;
pub use list::List;
