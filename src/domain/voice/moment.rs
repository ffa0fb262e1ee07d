//! How times are said. Everything is told from the page's own moment, never from a clock, so that
//! the server and the browser say the same.

use time::{Duration, OffsetDateTime};

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// "in 2 hours", "5 minutes ago", "now".
pub fn relative(at: OffsetDateTime, as_of: OffsetDateTime) -> String {
    let away = at - as_of;
    if away.abs() < Duration::seconds(30) {
        "now".into()
    } else if away.is_positive() {
        format!("in {}", span(away))
    } else {
        format!("{} ago", span(away))
    }
}

/// What is behind: "5 minutes ago", "just now".
pub fn ago(at: OffsetDateTime, as_of: OffsetDateTime) -> String {
    match relative(at, as_of) {
        now if now == "now" => "just now".into(),
        ago => ago,
    }
}

/// "2 hours", in the largest unit of which there are at least two, or one exactly.
pub fn span(length: Duration) -> String {
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    let seconds = length.whole_seconds().abs();
    let (unit, name) = match seconds {
        0..90 => (1, "second"),
        90..5_400 => (MINUTE, "minute"),
        5_400..129_600 => (HOUR, "hour"),
        129_600..5_184_000 => (DAY, "day"),
        5_184_000..63_072_000 => (30 * DAY + 10 * HOUR, "month"),
        _ => (365 * DAY, "year"),
    };
    let count = (seconds + unit / 2) / unit;
    format!("{count} {name}{}", if count == 1 { "" } else { "s" })
}

/// "21 Nov 2026, 14:05:09 UTC".
pub fn exact(at: OffsetDateTime) -> String {
    let at = at.to_offset(time::UtcOffset::UTC);
    format!("{}, {:02}:{:02}:{:02} UTC", day(at), at.hour(), at.minute(), at.second())
}

/// "21 Nov 2026", in UTC.
pub fn day(at: OffsetDateTime) -> String {
    let at = at.to_offset(time::UtcOffset::UTC);
    let month = MONTHS.get(usize::from(u8::from(at.month())) - 1).copied().unwrap_or_default();
    format!("{} {month} {}", at.day(), at.year())
}

/// By when: a day; where that is near, with its hour: "21 Nov 2026, 14:05 UTC".
pub fn by(at: OffsetDateTime, as_of: OffsetDateTime) -> String {
    if at - as_of >= Duration::days(2) {
        return day(at);
    }
    let utc = at.to_offset(time::UtcOffset::UTC);
    format!("{}, {:02}:{:02} UTC", day(at), utc.hour(), utc.minute())
}

/// A stretch of time ahead: "now to 6 hours", "6 hours to 2 days".
pub fn stretch(from: OffsetDateTime, until: OffsetDateTime, as_of: OffsetDateTime) -> String {
    let from = if from <= as_of { "now".into() } else { span(from - as_of) };
    format!("{from} to {}", span(until - as_of))
}

/// The end of a stretch in a few letters: "6 h", "2 d", "3 mo".
pub fn until(at: OffsetDateTime, as_of: OffsetDateTime) -> String {
    let hours = ((at - as_of).whole_minutes() + 30) / 60;
    match hours {
        ..48 => format!("{hours} h"),
        48..1_440 => format!("{} d", (hours + 12) / 24),
        1_440..17_520 => format!("{} mo", (hours + 365) / 730),
        _ => format!("{} yr", hours / 8_760),
    }
}
