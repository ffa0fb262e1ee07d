//! Clients: registrations at providers.

mod detail;
mod form;
mod list;

pub use detail::Detail;
pub use form::New;
pub use list::List;
