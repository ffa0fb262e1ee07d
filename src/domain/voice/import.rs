//! What came of an import.

use time::OffsetDateTime;

use super::{Tone, exact, grouped};
use crate::domain::{
    import::{Import, ImportState},
    provider::ExpiryForm,
};

/// That nothing of a file was taken, because there is nothing in it that could be.
pub fn nothing_read(why: &str) -> String {
    format!("Nothing of the file could be read: {why}.")
}

/// What came of an import: what was taken, what is to be known of it, and what was not.
pub fn import(import: &Import) -> Vec<(Tone, String)> {
    if import.state == ImportState::Broken && import.rows == 0 {
        let why = import.detail.as_deref().unwrap_or("it ended too soon");
        return vec![(Tone::Ill, nothing_read(why))];
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
    let is_any_well = import.failed < import.rows || import.rows == 0;
    let is_well = import.state != ImportState::Broken && is_any_well;
    let mut said = vec![(if is_well { Tone::Well } else { Tone::Ill }, text)];
    let known = [
        without_end(import.without_end),
        ending(import.ending, import.first_end_at.zip(import.last_end_at)),
        expired(import.expired),
        unverified(import.unverified),
    ];
    said.extend(known.into_iter().flatten().map(|text| (Tone::Unsure, text)));
    let fate = match (import.dry_run, import.failed) {
        (true, _) => "would be left out",
        (false, 1) => "was left out",
        (false, _) => "were left out",
    };
    let failed = match import.failed {
        0 => return said,
        1 => format!("1 row has a problem and {fate}."),
        many => format!("{} rows have a problem and {fate}.", grouped(many)),
    };
    said.push((Tone::Ill, failed));
    said
}

/// The same in a row of a list, where what columns there are need not stand again and again.
pub fn import_in_short(import: &Import) -> String {
    let said: Vec<_> = self::import(import).into_iter().map(|(_, text)| text).collect();
    let said = said.join(" ");
    if import.rows > 0 {
        return said;
    }
    let cut = |at: &str, instead: &str| {
        said.split_once(at).map(|(what, _)| format!("{what} {instead} known here."))
    };
    cut(" is none of: ", "is no column that is")
        .or_else(|| cut(" are none of: ", "are no columns that are"))
        .unwrap_or(said)
}

/// What may stand in a row, beside the response.
pub const IMPORT_COLUMNS: &str = "Between several tags, and between several scopes, stand blanks (in JSON they are \
                                  lists). Whose tokens they are is read from the provider's own response or asked \
                                  of it: a name of the account beside that is not used.";

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
        "Regrant keeps no file. If the field below is empty, choose {name} again: this time it is imported.{rest}"
    )
}

/// What an expiry has to be that can't be read.
pub fn expiry_wanted(form: ExpiryForm) -> &'static str {
    match form {
        ExpiryForm::Auto => {
            "can't be read: it must be a positive number of seconds such as 3600, or a time such as 2026-01-31T12:00:00Z"
        }
        ExpiryForm::Seconds => {
            "can't be read: it must be a positive number of seconds, such as 3600"
        }
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

/// Rows that nothing renews, by when they end: the first, and the last.
fn ending(count: i64, ends: Option<(OffsetDateTime, OffsetDateTime)>) -> Option<String> {
    let (first, last) = ends?;
    match count {
        ..=0 => None,
        1 => Some(format!(
            "1 of them brings no refresh token: it needs a person by {}, when its access token ends.",
            exact(first)
        )),
        many if first == last => Some(format!(
            "{} of them bring no refresh token: they need a person by {}, when their access tokens end.",
            grouped(many),
            exact(first)
        )),
        many => Some(format!(
            "{} of them bring no refresh token: each needs a person when its access token ends, the first by {}, \
             the last by {}.",
            grouped(many),
            exact(first),
            exact(last)
        )),
    }
}

/// Rows whose access token is over.
fn expired(count: i64) -> Option<String> {
    match count {
        ..=0 => None,
        1 => Some(
            "1 of them has an access token that is over: with a refresh token it is refreshed at once, without \
             one it needs a person."
                .into(),
        ),
        many => Some(format!(
            "{} of them have access tokens that are over: with a refresh token they are refreshed at once, \
             without one they need a person.",
            grouped(many)
        )),
    }
}

/// Rows that name an account, which is not believed.
fn unverified(count: i64) -> Option<String> {
    let they = match count {
        ..=0 => return None,
        1 => "1 of them names an account, as sub or email do".into(),
        many => format!("{} of them name an account, as sub or email do", grouped(many)),
    };
    Some(format!(
        "{they}. That is not used: whose tokens they are, only the provider is believed, by an id token or when it \
         is asked."
    ))
}
