//! Larger pieces that pages share: loading, actions, and the rows of a noun.

pub mod action;
pub mod attempts;
pub mod audit;
pub mod board;
pub mod customers;
pub mod device;
pub mod discover;
pub mod files;
pub mod filter;
pub mod lineage;
pub mod live;
pub mod load;
pub mod needs;
pub mod pager;
pub mod relinks;
pub mod table;
pub mod token_readers;
pub mod typed;
pub mod upload;
pub mod variables;
pub mod visit;
