//! Providers: the catalogue, one profile, writing one.

mod detail;
mod fields;
mod form;
mod list;
mod profile;

pub use detail::Detail;
pub use form::{Edit, New, Posted};
pub use list::{List, Sought, bar, tiles};
