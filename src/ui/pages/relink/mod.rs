//! Relinks: the desk from which they are sent and watched, and the page that their visitor sees.

mod desk;
mod many;
mod visit;
mod watch;

pub use desk::Desk;
pub use many::Many;
pub use visit::{Invitation, Outcome};
pub use watch::Watch;
