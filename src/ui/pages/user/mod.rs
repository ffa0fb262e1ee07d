//! People who may sign in.

mod list;
mod password;

pub use list::List;
pub use password::Password;
