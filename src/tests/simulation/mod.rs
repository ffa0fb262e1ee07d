//! The engine in simulated worlds: clock, network, providers and store are all made up, break in every
//! way that is known, and give the same history for the same seed. An oracle knows what must be true of
//! every history (`oracle`).
//!
//! What runs here is the real engine (`engine`, `decide`, `group`, `intent`, `saver`, `flights`,
//! `replay`); made up are the statements of the store and the loops around the engine. Incidents and
//! rehearsals are left out: their weighing is all in the database.

mod broken;
mod claims;
mod dice;
mod executor;
mod faults;
mod history;
mod journal;
mod network;
mod oracle;
mod people;
mod provider;
mod replica;
mod store;
mod world;
mod worlds;
