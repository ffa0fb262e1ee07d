//! Data and rules, in both builds: no I/O, no clock, no secrets.

pub mod access;
pub mod provider;
pub mod refusal;
