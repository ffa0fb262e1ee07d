//! Connections: the list, one of them, making one.

mod detail;
mod form;
mod list;
mod manage;

pub use detail::Detail;
pub use form::New;
pub use list::List;
