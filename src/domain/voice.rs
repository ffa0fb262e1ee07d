//! What Regrant says to people, and how.
//!
//! Say who, what, when and what next, to somebody who has never read the OAuth standard. Every such
//! sentence stands below this module, so that they can be read side by side and changed in one
//! place; pages only place them. A provider's own words are shown beside ours, folded, never
//! instead.

mod campaign;
mod client;
mod connection;
mod empty;
mod import;
mod job;
mod list;
mod moment;
mod outcome;
mod people;
mod provider;
mod relink;
pub mod visitor;

pub use campaign::{
    Occasion, campaign, client_scopes, no_occasion, occasion, occasion_name, stage_count,
    stragglers_again,
};
pub use client::{
    REFUSED_MEANWHILE, call, canaries, client_state, client_state_word, client_trouble, incident,
    incident_ends, next_secret, unreadable_expiry,
};
pub use connection::{
    Next, attempt, device, error_class, grant_type, headline, in_short, lifeline, mark, meaning,
    next, reason, state_name, told, trigger, verdict, why,
};
pub use empty::{Empty, empty};
pub use import::import;
pub use job::{
    job, job_action, job_disconnected, job_done, job_gone, job_meaning, job_name, job_not_allowed,
    job_nothing_to_do, job_outcome, job_relink, job_revoked, job_selection,
};
pub use list::{FILTER_SAVED, connections, grouped, sort};
pub use moment::{day, exact, relative, span, stretch, until};
pub use outcome::{Notice, Page, notice, see_fields, stale};
pub use people::{role, scope};
pub use provider::{
    authentication, beginning, choice, encoding, pkce, profile_in_use, refresh_lifetime, renewal,
    rotation,
};
pub use relink::{
    Advice, brand, brand_contrast, more_found, relink, relink_revoke, relink_show, relink_word,
};

#[cfg(test)]
mod tests;
