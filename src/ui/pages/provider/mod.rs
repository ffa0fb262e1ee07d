//! Providers: the catalogue, one profile, writing one.

mod detail;
mod form;
mod list;
mod profile;

pub use detail::Detail;
pub use form::New;
pub use list::{List, Sought, bar, tiles};
