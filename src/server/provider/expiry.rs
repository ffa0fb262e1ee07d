//! When a token expires, in all the ways there are to say it.

use serde_json::Value;
use time::{
    Duration, OffsetDateTime, PrimitiveDateTime,
    format_description::{
        BorrowedFormatItem,
        well_known::{Rfc2822, Rfc3339},
    },
    macros::format_description,
};

use super::jwt;
use crate::domain::provider::{ExpiryForm, ExpirySource};

/// Nothing lives longer; what says so is a mistake (milliseconds read as seconds end in the year
/// 58914).
const LONGEST: Duration = Duration::days(100 * 366);

/// What a response says of an expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expiry {
    /// Nothing, or nothing that makes sense.
    Silent,
    /// Zero: for a refresh token, never.
    Zero,
    At(OffsetDateTime),
}

/// The first of `sources` in `response` that says something. Durations count from `sent_at`.
pub(super) fn read(response: &Value, sources: &[ExpirySource], sent_at: OffsetDateTime) -> Expiry {
    first(response, sources, sent_at).map_or(Expiry::Silent, |(_, expiry)| expiry)
}

fn first<'s>(
    response: &Value,
    sources: &'s [ExpirySource],
    sent_at: OffsetDateTime,
) -> Option<(&'s ExpirySource, Expiry)> {
    sources
        .iter()
        .filter_map(|source| Some((source, response.pointer(&source.pointer)?)))
        .map(|(source, value)| (source, one(value, source.form, sent_at)))
        .find(|(_, expiry)| *expiry != Expiry::Silent)
}

/// Where `response` says that no time is left, if that is what counts. A date of zero is no date.
pub(super) fn zero<'s>(
    response: &Value,
    sources: &'s [ExpirySource],
    sent_at: OffsetDateTime,
) -> Option<&'s str> {
    let (source, expiry) = first(response, sources, sent_at)?;
    let lasts = matches!(source.form, ExpiryForm::Seconds | ExpiryForm::Auto);
    (lasts && expiry == Expiry::Zero).then_some(source.pointer.as_str())
}

/// Where `response` says something of an expiry that nobody can read.
pub(super) fn unreadable<'s>(
    response: &Value,
    sources: &'s [ExpirySource],
    sent_at: OffsetDateTime,
) -> Option<&'s ExpirySource> {
    if read(response, sources, sent_at) != Expiry::Silent {
        return None;
    }
    let said = |source: &&ExpirySource| match response.pointer(&source.pointer) {
        None | Some(Value::Null) => false,
        // A token need not be a JWT.
        Some(_) => source.form != ExpiryForm::Jwt,
    };
    sources.iter().find(said)
}

fn one(value: &Value, form: ExpiryForm, sent_at: OffsetDateTime) -> Expiry {
    let at = match (value, form) {
        (Value::String(text), ExpiryForm::Jwt) => jwt::claims(text).as_ref().and_then(jwt::expiry),
        (Value::String(text), ExpiryForm::Date) => date(text.trim()),
        (Value::String(text), form) => match text.trim().parse::<f64>() {
            Ok(number) => return numeric(number, form, sent_at),
            Err(_) if form == ExpiryForm::Auto => date(text.trim()),
            Err(_) => None,
        },
        (Value::Number(number), form) => match number.as_f64() {
            Some(number) => return numeric(number, form, sent_at),
            None => None,
        },
        _ => None,
    };
    sensible(at, sent_at)
}

fn numeric(number: f64, form: ExpiryForm, sent_at: OffsetDateTime) -> Expiry {
    if number == 0.0 {
        return Expiry::Zero;
    }
    // What is not finite or does not fit an i64 with room to spare is no time.
    if number.is_nan() || !(0.0..1e15).contains(&number) {
        return Expiry::Silent;
    }
    let number = number as i64;
    let epoch = |seconds| OffsetDateTime::from_unix_timestamp(seconds).ok();
    let relative = || sent_at.checked_add(Duration::seconds(number));
    let at = match form {
        ExpiryForm::Seconds => relative(),
        ExpiryForm::EpochSeconds => epoch(number),
        ExpiryForm::EpochMillis => millis(number),
        ExpiryForm::Auto if number >= 100_000_000_000 => millis(number),
        // Nothing lives for thirty years: what is as large is a date, also one that is over.
        ExpiryForm::Auto if number >= 1_000_000_000 => epoch(number),
        ExpiryForm::Auto => relative(),
        ExpiryForm::Date | ExpiryForm::Jwt => None,
    };
    sensible(at, sent_at)
}

fn millis(number: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(number) * 1_000_000).ok()
}

/// Nothing ended before 1970 either: the year 1 is how some write that there is no date.
fn sensible(at: Option<OffsetDateTime>, sent_at: OffsetDateTime) -> Expiry {
    match at {
        Some(at) if at >= OffsetDateTime::UNIX_EPOCH && at - sent_at <= LONGEST => {
            Expiry::At(at.to_offset(time::UtcOffset::UTC))
        }
        _ => Expiry::Silent,
    }
}

fn date(text: &str) -> Option<OffsetDateTime> {
    const PLAIN: &[BorrowedFormatItem<'_>] = format_description!(
        version = 2,
        "[year]-[month]-[day][first [T][ ]][hour]:[minute]:[second][optional [.[subsecond]]][optional [Z]]"
    );
    OffsetDateTime::parse(text, &Rfc3339)
        .or_else(|_| OffsetDateTime::parse(text, &Rfc2822))
        .or_else(|_| PrimitiveDateTime::parse(text, &PLAIN).map(PrimitiveDateTime::assume_utc))
        .ok()
}

#[cfg(test)]
mod tests;
