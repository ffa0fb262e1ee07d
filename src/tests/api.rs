//! The JSON API through the whole router. Every answer is held against the served document.

mod access;
pub mod contract;
mod document;
mod life;
mod lists;
mod makers;
mod refusals;
mod secrets;
mod token;
