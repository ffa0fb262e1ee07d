//! The engine in simulated worlds: clock, network, providers and store are all made up, break in every
//! way that is known, and give the same history for the same seed. An oracle knows what must be true of
//! every history (`oracle`).
//!
//! What runs here is the real engine (`engine`, `decide`, `group`, `intent`, `saver`, `flights`,
//! `replay`, and what `weigh` and `domain::incident` decide); made up are the statements of the store and
//! the loops around the engine. Rehearsals are left out.

mod broken;
mod claims;
mod clock;
mod custody;
mod dice;
mod executor;
mod faults;
mod history;
mod incidents;
mod journal;
mod network;
mod oracle;
mod people;
mod provider;
mod replica;
mod saves;
mod store;
mod world;
mod worlds;
