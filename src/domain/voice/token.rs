//! Who read a token, and what is said where one is shown.

use time::OffsetDateTime;

use super::relative;
use crate::domain::{revealed::SHOWN, token_reader::ReaderKind};

/// What reads a token.
pub fn reader(kind: ReaderKind) -> &'static str {
    match kind {
        ReaderKind::ApiKey => "API key",
        ReaderKind::User => "a person, to whom it was revealed",
    }
}

/// How often it did.
pub fn times(reads: i64) -> String {
    match reads {
        1 => "once".into(),
        reads => format!("{reads} times"),
    }
}

/// What stands below the readers that a page has room for.
pub fn more_readers() -> &'static str {
    "There are more, who read it longer ago. The API lists them all."
}

/// What happens to whoever wants to see a token.
pub fn reveal() -> String {
    format!(
        "Enter your password, and the access token is shown for {} seconds. The audit log says that you \
         saw it. The refresh token is never shown: used anywhere else, it would be replaced there, and \
         this connection would be dead here.",
        SHOWN.whole_seconds()
    )
}

/// What stands beside a token that is shown; `end` is its own.
pub fn revealed(end: Option<OffsetDateTime>, as_of: OffsetDateTime) -> String {
    let lives = match end {
        Some(end) if end > as_of => format!("It ends {}", relative(end, as_of)),
        Some(_) => "It has just ended".into(),
        None => "The provider does not say when it ends".into(),
    };
    format!(
        "Whoever has it can do what the account allowed. {lives}; until then nothing but disconnecting \
         takes it back."
    )
}

/// How long a token is still shown, where no script counts the seconds.
pub fn revealed_for() -> String {
    format!("It is gone from here after {} seconds.", SHOWN.whole_seconds())
}

/// What stands where a token was shown.
pub fn revealed_before() -> &'static str {
    "A token is shown once, for a moment. Enter your password again on the connection's page to see it."
}
