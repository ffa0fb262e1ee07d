//! Connections: the list, one of them, making one.

mod choose;
mod detail;
mod facts;
mod filter;
mod form;
mod list;
mod manage;
mod reveal;

pub use choose::ForImport;
pub use detail::Detail;
pub use form::New;
pub use list::List;
pub use reveal::Revealed;
