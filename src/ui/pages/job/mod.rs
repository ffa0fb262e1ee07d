//! Jobs: one action on many connections. Confirming one, watching it, and all there were.

mod detail;
mod form;
mod list;

pub use detail::Detail;
pub use form::New;
pub use list::List;
