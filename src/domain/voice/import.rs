//! What came of an import.

use super::grouped;
use crate::domain::{
    import::{Import, ImportState},
    provider::ExpiryForm,
};

/// That nothing of a file was taken, because there is nothing in it that could be.
pub fn nothing_read(why: &str) -> String {
    format!("Nothing of the file could be read: {why}.")
}

/// What came of an import, and whether that is well; then what is not.
pub fn import(import: &Import) -> Vec<(bool, String)> {
    if import.state == ImportState::Broken && import.rows == 0 {
        let why = import.detail.as_deref().unwrap_or("it ended too soon");
        return vec![(false, nothing_read(why))];
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
    let (imported, rows) = (grouped(import.imported), grouped(import.rows));
    let mut text = format!("{begin}{imported} of {rows} rows {verb}");
    if import.state == ImportState::Running {
        text.push_str(" so far");
    }
    match import.skipped {
        0 => {}
        1 => text.push_str(", 1 was here already"),
        many => text.push_str(&format!(", {} were here already", grouped(many))),
    }
    text.push('.');
    for more in [without_end(import.without_end), expired(import.expired)].into_iter().flatten() {
        text.push(' ');
        text.push_str(&more);
    }
    let is_any_well = import.failed < import.rows || import.rows == 0;
    let came = (import.state != ImportState::Broken && is_any_well, text);
    let fate = match (import.dry_run, import.failed) {
        (true, _) => "would be left out",
        (false, 1) => "was left out",
        (false, _) => "were left out",
    };
    let failed = match import.failed {
        0 => return vec![came],
        1 => format!("1 row has a problem and {fate}."),
        many => format!("{} rows have a problem and {fate}.", grouped(many)),
    };
    vec![came, (false, failed)]
}

/// How the file that was tried is imported.
pub fn import_after_trial(import: &Import) -> String {
    let name = import.file_name.as_ref().map_or("the same file".into(), |name| format!("“{name}”"));
    let rest = match import.failed {
        0 => "",
        _ => {
            " What has a problem is left out; mend it later and send the file again: rows whose external id is \
             here are skipped."
        }
    };
    format!(
        "Regrant keeps no file. Where none stands below, choose {name} again: this time it is imported.{rest}"
    )
}

/// What an expiry has to be that can't be read.
pub fn expiry_wanted(form: ExpiryForm) -> &'static str {
    match form {
        ExpiryForm::Auto => {
            "can't be read: it must be a number of seconds such as 3600, or a time such as 2026-01-31T12:00:00Z"
        }
        ExpiryForm::Seconds => "can't be read: it must be a number of seconds, such as 3600",
        ExpiryForm::EpochSeconds => {
            "can't be read: it must be a time in seconds since 1970, such as 1769860800"
        }
        ExpiryForm::EpochMillis => {
            "can't be read: it must be a time in milliseconds since 1970, such as 1769860800000"
        }
        ExpiryForm::Date => "can't be read: it must be a time, such as 2026-01-31T12:00:00Z",
        ExpiryForm::Jwt => "can't be read: it must be a JWT with an end",
    }
}

/// Of an expiry of zero beside which nothing renews the token. It may mean either.
pub const ZERO_EXPIRY: &str = "is 0, and there is no refresh token: leave it out if the token has no end; if it is \
                               over, say when it was obtained and how long it lived";

/// Of a column without a value.
pub const ACCESS_TOKEN_WANTED: &str = "must hold the access token";

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
