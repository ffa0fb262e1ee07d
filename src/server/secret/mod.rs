//! What must not be read by anyone else: sealing, tokens, passwords. No SQL and no HTTP here.

pub mod master;
pub mod password;
pub mod seal;
pub mod token;
