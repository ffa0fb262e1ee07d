//! What came of an import.

use super::grouped;
use crate::domain::import::{Import, ImportState};

/// That nothing of a file was taken, because there is nothing in it that could be.
pub fn nothing_read(why: &str) -> String {
    format!("Nothing of the file could be read: {why}.")
}

/// A sentence on an import, and whether things are well.
pub fn import(import: &Import) -> (bool, String) {
    if import.state == ImportState::Broken && import.rows == 0 {
        return (false, nothing_read(import.detail.as_deref().unwrap_or("it ended too soon")));
    }
    let begin = match (import.state, import.dry_run) {
        (ImportState::Running, _) => match import.percent_read() {
            Some(percent) => format!("Under way, {percent} % of the file read: "),
            None => "Under way: ".to_owned(),
        },
        (ImportState::Broken, _) => {
            let why = import.detail.as_deref().unwrap_or("the file ended too soon");
            format!(
                "It broke off: {why}. Send the same file again: rows whose external id is here are \
                 skipped. So far: "
            )
        }
        (ImportState::Done, true) => "Dry run, nothing was stored: ".to_owned(),
        (ImportState::Done, false) => "Done: ".to_owned(),
    };
    let verb = if import.dry_run { "would be imported" } else { "imported" };
    let (imported, rows) = (import.imported, import.rows);
    let mut text = format!("{begin}{imported} of {rows} rows {verb}");
    if import.state == ImportState::Running {
        text.push_str(" so far");
    }
    if import.skipped > 0 {
        text.push_str(&format!(", {} were here already", import.skipped));
    }
    match import.failed {
        0 => {}
        1 => text.push_str(", 1 has a problem"),
        many => text.push_str(&format!(", {many} have a problem")),
    }
    text.push('.');
    for more in [without_end(import.without_end), expired(import.expired)].into_iter().flatten() {
        text.push(' ');
        text.push_str(&more);
    }
    (import.state != ImportState::Broken && import.failed == 0, text)
}

/// Rows that nothing renews, and of which no end is known.
fn without_end(count: i64) -> Option<String> {
    let (they, theirs) = match count {
        ..=0 => return None,
        1 => (
            "1 of them brings".into(),
            "it can't be renewed, and counts as alive even when it is over",
        ),
        many => (
            format!("{} of them bring", grouped(many)),
            "they can't be renewed, and count as alive even when they are over",
        ),
    };
    Some(format!("{they} neither a refresh token nor an expiry: {theirs}."))
}

/// Rows whose access token is over.
fn expired(count: i64) -> Option<String> {
    let they = match count {
        ..=0 => return None,
        1 => "1 of them has an access token that is over".into(),
        many => format!("{} of them have access tokens that are over", grouped(many)),
    };
    Some(format!(
        "{they}: with a refresh token they are refreshed at once, without one they need a person."
    ))
}
