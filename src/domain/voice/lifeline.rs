//! The lifeline in words.

use super::{by, relative, span};
use crate::domain::lifeline::{Life, MarkKind, Reach};

/// The name of a mark on the lifeline.
pub fn mark(kind: MarkKind, over: bool) -> &'static str {
    match kind {
        MarkKind::Obtained => "token obtained",
        MarkKind::Refreshed => "refreshed",
        MarkKind::Failed => "failed try",
        MarkKind::Due => "next refresh",
        MarkKind::AccessEnds if over => "access token ended",
        MarkKind::AccessEnds => "access token ends",
        MarkKind::ReachEnds if over => "refresh token ended",
        MarkKind::ReachEnds => "refresh token ends",
        MarkKind::NeedsHuman => "needs a person",
    }
}

/// The lifeline in words, for whoever does not see it.
pub fn lifeline(life: &Life) -> String {
    let when = |at| relative(at, life.as_of);
    let mut told = Vec::new();
    if let Some(since) = life.dead_since {
        told.push(format!("has needed a person for {}", span(life.as_of - since)));
    }
    match (life.obtained_at, life.access_expires_at) {
        (Some(_), Some(end)) if end > life.as_of => {
            told.push(format!("access token ends {}", when(end)));
        }
        (Some(_), Some(end)) => told.push(format!("access token ended {}", when(end))),
        (Some(_), None) => told.push("access token has no known end".into()),
        (None, _) => told.push("no token yet".into()),
    }
    if let Some(due) = life.due_at.filter(|due| *due > life.as_of) {
        told.push(format!("next refresh {}", when(due)));
    }
    match life.reach {
        Reach::Until(end) => told.push(format!("can be renewed until {}", by(end, life.as_of))),
        Reach::Open => told.push("can be renewed with no known end".into()),
        Reach::Nowhere => {}
    }
    if let Some(by) = life.needs_human_by {
        told.push(format!("needs a person {}", when(by)));
    }
    let mut told = told.join(", ");
    told.push('.');
    if let Some(first) = told.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    told
}
