//! What stands around the pages: for people who are signed in, and for everybody.

mod door;
mod frame;
mod hosted;
mod keys;

pub use door::Door;
pub use frame::Frame;
pub use hosted::hosted;
