//! Small pieces that know nothing of the nouns they show.

pub mod badge;
pub mod chart;
pub mod confirm;
pub mod copy;
pub mod field;
pub mod glyph;
pub mod head;
pub mod lifeline;
pub mod moment;
pub mod notice;
pub mod password;
pub mod status;
