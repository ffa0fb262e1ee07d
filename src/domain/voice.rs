//! What Regrant says to people, and how.
//!
//! Say who, what, when and what next, to somebody who has never read the OAuth standard. Every such
//! sentence stands below this module, so that they can be read side by side and changed in one
//! place; pages only place them. A provider's own words are shown beside ours, folded, never
//! instead.

mod attempt;
mod audit;
mod campaign;
mod check;
mod client;
mod connection;
mod done;
mod empty;
mod import;
mod job;
mod lifeline;
mod list;
mod moment;
mod outcome;
mod overview;
mod people;
mod provider;
mod relink;
mod token;
mod tone;
pub mod visitor;

pub use attempt::{attempt, error_class, lost, trigger, verdict};
pub use audit::{AUDIT_NOUNS, audit, relink_customer};
pub use campaign::{
    CAMPAIGN, CAMPAIGN_MAILS, Occasion, campaign, client_scopes, concern, no_mail, no_occasion,
    occasion, occasion_name, stage_count, stragglers_again,
};
pub use check::{NOT_MET_YET, check, check_way, checking};
pub use client::{
    END_PAUSE, FORGET_NEXT_SECRET, INCIDENT, NO_UNDERSTUDY, NOT_DISCONNECTED, PAUSED_CONNECTIONS,
    REFUSED_MEANWHILE, SECRET_NOT_NEEDED, SECRET_PROVED, call, canaries, client_delete,
    client_paused, client_state, client_state_word, client_switch_off, incident, incident_ends,
    next_secret, replace_at_once, sample_refused, unread_field, unreadable_expiry,
};
pub use connection::{
    GENERATION, IMPORTED, LINEAGE, NOT_NAMED, Next, client_pause, comes_by, consented, device,
    drift, grant_type, headline, in_short, meaning, next, no_moment, ran_out, reason, reason_name,
    state_name, told, why,
};
pub use done::done;
pub use empty::{Empty, empty};
pub use import::{
    ACCESS_TOKEN_WANTED, IMPORT_COLUMNS, ZERO_EXPIRY, expiry_wanted, import, import_after_trial,
    import_in_short, nothing_read,
};
pub use job::{
    job, job_action, job_alive, job_broke_off, job_changed, job_customer_busy, job_deed,
    job_disconnected, job_done, job_gone, job_key_used, job_link_needless, job_link_over,
    job_meaning, job_name, job_not_allowed, job_nothing_rests, job_nothing_to_do, job_outcome,
    job_possible, job_press, job_refused, job_relink, job_revoked, job_selection, job_standings,
    job_still_dead, job_stop, job_unknown_accounts,
};
pub use lifeline::{lifeline, mark};
pub use list::{FILTER_SAVED, connections, end, grouped, sort, unread};
pub use moment::{ago, by, day, exact, relative, span, stretch, until};
pub use outcome::{
    AWAY, COPIED, NOT_COPIED, Notice, OTHER_SCOPES, Page, REPLACE_SECRET, UNDONE, connected,
    consent_failed, held, is_clients_fault, notice, see_fields, stale, unsaved,
};
pub use overview::{
    FIRST_CONSENT, MORE_CLIENTS, RELINK_ALL, attempts, between, bucket, client_cause,
    client_remedy, clock, day_in_short, due, ending, endings, first_consents, group, group_line,
    group_name, held_up, in_all, month_in_short, more_needed, overdue, resting, scale, short,
    tokenless, unseen_ends,
};
pub use people::{
    HAND_OVER, NOBODY_YET, PASSWORD_SET, SETUP_OVER, SETUP_UNKNOWN, new_password, role, scope,
};
pub use provider::{
    IMPORT_ONLY, SAMPLE_PROVIDER, SAMPLE_PROVIDERS, authentication, beginning, choice, discovered,
    encoding, pkce, profile_in_use, refresh_lifetime, renewal, rotation, without_expiry,
};
pub use relink::{
    Advice, DROP_LOGO, UNKNOWN_ACCOUNT, UNKNOWN_ACCOUNT_SHORT, brand, brand_contrast, more_found,
    no_relink, relink, relink_refused, relink_revoke, relink_show, relink_word, renewed, twins,
    unknown_account, unknown_account_here,
};
pub use token::{more_readers, reader, reveal, revealed, revealed_before, revealed_for, times};
pub use tone::Tone;

#[cfg(test)]
mod tests;
