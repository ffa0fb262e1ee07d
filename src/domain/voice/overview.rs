//! What the first page says of many connections at once, and of stretches of time.

use time::OffsetDateTime;

use super::{day, grouped, relative, span, stretch};
use crate::domain::{
    client::{Client, StateName},
    connection::{Reason, Standing},
    overview::{AttemptBucket, Ending, NeedsHumanGroup, Scale},
};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// How far the timeline looks.
pub fn scale(scale: Scale) -> &'static str {
    match scale {
        Scale::Day => "24 hours",
        Scale::Month => "30 days",
        Scale::Year => "12 months",
    }
}

/// The stretch of time of one of its bars.
pub fn bucket(
    scale: Scale,
    from: OffsetDateTime,
    until: OffsetDateTime,
    as_of: OffsetDateTime,
) -> String {
    let named = match scale {
        Scale::Day => return stretch(from, until, as_of),
        Scale::Month => day(from),
        Scale::Year => format!("{} {}", month(from), from.year()),
    };
    if from <= as_of { format!("rest of {named}") } else { named }
}

/// "26 Nov", in UTC.
pub fn day_in_short(at: OffsetDateTime) -> String {
    let at = at.to_offset(time::UtcOffset::UTC);
    format!("{} {}", at.day(), month_in_short(at))
}

/// "Nov", in UTC.
pub fn month_in_short(at: OffsetDateTime) -> &'static str {
    month(at).get(..3).unwrap_or_default()
}

fn month(at: OffsetDateTime) -> &'static str {
    let at = at.to_offset(time::UtcOffset::UTC);
    MONTHS.get(usize::from(u8::from(at.month())) - 1).copied().unwrap_or_default()
}

/// "24 Nov, 21:00 to 21:30 UTC".
pub fn clock(from: OffsetDateTime, until: OffsetDateTime) -> String {
    let [from, until] = [from, until].map(|at| at.to_offset(time::UtcOffset::UTC));
    format!(
        "{}, {:02}:{:02} to {:02}:{:02} UTC",
        day_in_short(from),
        from.hour(),
        from.minute(),
        until.hour(),
        until.minute()
    )
}

/// The kinds of what runs out.
pub fn endings(ending: Ending) -> &'static str {
    match ending {
        Ending::NeedsHuman => "A person is needed",
        Ending::Refresh => "Refresh tokens end",
        Ending::Access => "Access tokens end",
    }
}

/// So many of them.
pub fn ending(ending: Ending, count: i64) -> String {
    let (one, many) = match ending {
        Ending::NeedsHuman => ("connection needs a person", "connections need a person"),
        Ending::Refresh => ("refresh token ends", "refresh tokens end"),
        Ending::Access => ("access token ends", "access tokens end"),
    };
    format!("{} {}", grouped(count), if count == 1 { one } else { many })
}

/// What there is to say of a lane of bars. `most`: in the highest of them.
pub fn in_all(total: i64, most: i64, over: Scale) -> String {
    let bar = match over {
        Scale::Day => "an hour",
        Scale::Month => "a day",
        Scale::Year => "a month",
    };
    match total {
        0 => "none".into(),
        1 => "1".into(),
        _ if most == total => short(total),
        _ => format!("{} in all, at most {} in {bar}", short(total), short(most)),
    }
}

/// How refreshes ended.
pub fn attempts(bucket: &AttemptBucket) -> String {
    let parts = [
        (bucket.well(), "refreshed"),
        (bucket.passing(), "failed in a way that passes"),
        (bucket.refused(), "refused"),
    ];
    let told: Vec<String> = parts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, how)| format!("{} {how}", grouped(count)))
        .collect();
    if told.is_empty() { "no refresh".into() } else { told.join(", ") }
}

pub fn due(count: i64) -> String {
    match count {
        1 => "1 refresh is due".into(),
        many => format!("{} refreshes are due", grouped(many)),
    }
}

/// What should have begun.
pub fn overdue(count: i64) -> String {
    match count {
        1 => "1 more is due now.".into(),
        many => format!("{} more are due now.", grouped(many)),
    }
}

/// "940", "1.2k", "31k".
pub fn short(count: i64) -> String {
    match count {
        ..1_000 => count.to_string(),
        1_000..10_000 if count % 1_000 >= 100 => {
            format!("{}.{}k", count / 1_000, count % 1_000 / 100)
        }
        _ => format!("{}k", count / 1_000),
    }
}

/// "2 hours ago", "3 days to 2 hours ago", "in 2 to 6 days".
pub fn between(first: OffsetDateTime, last: OffsetDateTime, as_of: OffsetDateTime) -> String {
    let (from, until) = (relative(first, as_of), relative(last, as_of));
    if from == until {
        return from;
    }
    let (begins, ends) = (from.strip_suffix(" ago"), until.strip_prefix("in "));
    match (begins, ends) {
        (Some(begins), _) if until.ends_with(" ago") => format!("{begins} to {until}"),
        (_, Some(ends)) if from.starts_with("in ") => format!("{from} to {ends}"),
        _ => format!("{from} to {until}"),
    }
}

/// The name of many connections that are told together.
pub fn group_name(group: &NeedsHumanGroup) -> String {
    format!("{} connections of {}", grouped(group.count), group.client_name)
}

/// What happened to them, and what to do.
pub fn group(group: &NeedsHumanGroup, as_of: OffsetDateTime) -> String {
    let when = between(group.first_at, group.last_at, as_of);
    let what = match (group.standing(), group.reason) {
        (Standing::ClientRefused, _) => {
            return match group.client_state {
                StateName::Incident => "Unusually many of the client's connections were refused at \
                     once. They wait until it is known why; decide on the client's page."
                    .into(),
                _ => "The provider refuses their client. Mend it first: what only waited for it goes \
                     on by itself."
                    .into(),
            };
        }
        (_, Some(Reason::Revoked)) => "Consent was withdrawn or access removed",
        (_, Some(Reason::RefreshTokenExpired)) => "Their refresh tokens ran out",
        (_, Some(Reason::RotationLost)) => "New tokens were lost on the way",
        (_, Some(Reason::NoRefreshToken)) => "Their tokens ran out and could not be renewed",
        (_, Some(Reason::AccountMismatch)) => "Other accounts gave consent",
        (_, Some(Reason::ScopeMissing)) => "A permission is missing",
        (Standing::Retrying, None) => {
            return format!(
                "The last refresh failed and is tried again. Whatever comes of it, consent runs out \
                 {when}."
            );
        }
        (_, None) => {
            return format!(
                "They run out {when}, and only their owners can renew them. Send each owner a relink."
            );
        }
    };
    format!("{what} {when}. Send each owner a relink.")
}

/// The last word on a group's button.
pub const RELINK_ALL: &str = "Relink all";

/// What to do about a client in trouble; a button.
pub fn client_remedy(state: StateName) -> &'static str {
    match state {
        StateName::Ready => "See the client",
        StateName::CredentialsRejected => "Replace the secret",
        StateName::Incident => "Decide what it is",
        StateName::Disabled => "Switch it on",
    }
}

/// How many connections a client's trouble holds up.
pub fn held_up(client: &Client) -> String {
    match client.connections {
        0 => "It holds up no connection.".into(),
        1 => "It holds up 1 connection.".into(),
        many => format!("It holds up {} connections.", grouped(many)),
    }
}

/// What a client's trouble is, in a line.
pub fn client_cause(state: StateName) -> &'static str {
    match state {
        StateName::Ready => "Works as far as Regrant knows.",
        StateName::CredentialsRejected => {
            "The provider refuses the client's name or secret. None of its connections is lost: they \
             go on by themselves once the secret is replaced."
        }
        StateName::Incident => {
            "The provider refused unusually many of its connections at once. None is declared dead; \
             Regrant tries one now and then."
        }
        StateName::Disabled => "An admin switched it off.",
    }
}

/// What a person is needed for who has never consented: nothing lives yet that could die.
pub const FIRST_CONSENT: &str = "for the first consent";

/// How many wait for that.
pub fn first_consents(count: i64) -> String {
    match count {
        1 => "1 connection waits for its first consent.".into(),
        many => format!("{} connections wait for their first consent.", grouped(many)),
    }
}

/// How many nothing refreshes just now, so that they may end unnoticed.
pub fn resting(count: i64) -> String {
    let they = match count {
        1 => "1 connection rests".into(),
        many => format!("{} connections rest", grouped(many)),
    };
    format!(
        "{they}: paused, switched off with a client, or left alone for a while. Nothing of that is refreshed \
         by itself, and tokens go on running out."
    )
}

/// How many have no live access token while Regrant goes on trying.
pub fn tokenless(count: i64) -> String {
    let they = match count {
        1 => "1 connection has no live token just now: its own ended".into(),
        many => format!("{} connections have no live token just now: theirs ended", grouped(many)),
    };
    format!(
        "{they}, and no refresh has brought another yet. Regrant goes on trying by itself; whoever asks for one \
         gets none."
    )
}

/// How many may be over before anybody can be told.
pub fn unseen_ends(count: i64) -> String {
    let they = match count {
        1 => "1 connection works, but nothing renews it".into(),
        many => format!("{} connections work, but nothing renews them", grouped(many)),
    };
    format!("{they}, and no end is known: a person is needed when somebody finds that it is over.")
}

/// How many need a person beside those that are shown.
pub fn more_needed(count: i64) -> String {
    match count {
        1 => "1 more connection needs a person within seven days.".into(),
        many => format!("{} more connections need a person within seven days.", grouped(many)),
    }
}

/// Where the clients in trouble are that the overview leaves out.
pub const MORE_CLIENTS: &str =
    "Only those in trouble the longest are shown. All stand among the clients.";

/// A stretch of the lifeline that stands for many.
pub fn group_line(group: &NeedsHumanGroup, as_of: OffsetDateTime) -> String {
    let verb = if group.last_at <= as_of { "have needed" } else { "need" };
    let first = match group.first_at <= as_of {
        true => format!("the first for {}", span(as_of - group.first_at)),
        false => format!("the first {}", relative(group.first_at, as_of)),
    };
    format!("All of them {verb} a person, {first}.")
}
