//! Filters as they stand in addresses, and the moments in them: each is read as it was written.

use leptos_router::params::ParamsMap;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{filled, parsed};
use crate::domain::{audit::AuditFilter, connection::ConnectionFilter};

/// What an address asks for by a name that is known and a value that is none of its own. Whoever asks so is
/// not shown everything instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    pub name: &'static str,
    pub value: String,
}

/// What of a [`connection_filter`] can't be read. Any text can, where text is asked for.
pub fn connection_unread(params: &ParamsMap) -> Option<Unread> {
    const NAMES: [&str; 15] = [
        "standing",
        "state",
        "reason",
        "client",
        "expires_after",
        "expires_before",
        "refresh_expires_after",
        "refresh_expires_before",
        "needs_human_after",
        "needs_human_before",
        "dead_since",
        "drift",
        "end",
        "import",
        "sort",
    ];
    let filter = connection_filter(params);
    let read: Vec<_> = filter_pairs(&filter).map(|(name, _)| name).collect();
    unread(params, &NAMES, |name, value| {
        read.contains(&name) || (name, value) == ("drift", "false")
    })
}

/// What of an [`audit_filter`] can't be read.
pub fn audit_unread(params: &ParamsMap) -> Option<Unread> {
    let filter = audit_filter(params);
    let read: Vec<_> = audit_pairs(&filter).map(|(name, _)| name).collect();
    unread(params, &["from", "before"], |name, _| read.contains(&name))
}

/// The first of these names whose value says nothing.
pub(super) fn unread(
    params: &ParamsMap,
    names: &[&'static str],
    is_read: impl Fn(&'static str, &str) -> bool,
) -> Option<Unread> {
    names.iter().find_map(|name| {
        let value = filled(params, name)?;
        (!is_read(name, &value)).then_some(Unread { name, value })
    })
}

/// A filter as it stands in an address; [`connection_filter`] reads it.
pub fn filter_pairs(filter: &ConnectionFilter) -> impl Iterator<Item = (&'static str, String)> {
    let text = |name, value: &Option<String>| Some((name, value.clone()?));
    let time = |name, at: Option<OffsetDateTime>| Some((name, instant(at?)));
    [
        filter.standing.map(|standing| ("standing", standing.as_str().to_owned())),
        filter.state.map(|state| ("state", state.as_str().to_owned())),
        filter.reason.map(|reason| ("reason", reason.as_str().to_owned())),
        filter.client.map(|id| ("client", id.to_string())),
        text("provider", &filter.provider),
        text("q", &filter.q),
        text("external_id", &filter.external_id),
        text("label", &filter.label),
        text("owner", &filter.owner),
        text("tag", &filter.tag),
        time("expires_after", filter.expires_after),
        time("expires_before", filter.expires_before),
        time("refresh_expires_after", filter.refresh_expires_after),
        time("refresh_expires_before", filter.refresh_expires_before),
        time("needs_human_after", filter.needs_human_after),
        time("needs_human_before", filter.needs_human_before),
        filter.drift.then(|| ("drift", "true".to_owned())),
        filter.end.map(|end| ("end", end.as_str().to_owned())),
        time("dead_since", filter.dead_since),
        filter.import.map(|id| ("import", id.to_string())),
        filter.sort.map(|sort| ("sort", sort.as_str().to_owned())),
    ]
    .into_iter()
    .flatten()
}

/// Reads the filter of the list of connections out of its address.
pub fn connection_filter(params: &ParamsMap) -> ConnectionFilter {
    ConnectionFilter {
        standing: parsed(params, "standing"),
        state: parsed(params, "state"),
        reason: parsed(params, "reason"),
        client: parsed(params, "client"),
        provider: filled(params, "provider"),
        q: filled(params, "q"),
        external_id: filled(params, "external_id"),
        label: filled(params, "label"),
        owner: filled(params, "owner"),
        tag: filled(params, "tag"),
        expires_after: moment(params, "expires_after"),
        expires_before: moment(params, "expires_before"),
        refresh_expires_after: moment(params, "refresh_expires_after"),
        refresh_expires_before: moment(params, "refresh_expires_before"),
        needs_human_after: moment(params, "needs_human_after"),
        needs_human_before: moment(params, "needs_human_before"),
        drift: parsed(params, "drift").unwrap_or_default(),
        end: parsed(params, "end"),
        dead_since: moment(params, "dead_since"),
        import: parsed(params, "import"),
        sort: parsed(params, "sort"),
    }
}

pub fn audit_filter(params: &ParamsMap) -> AuditFilter {
    AuditFilter {
        action: filled(params, "action"),
        subject: filled(params, "subject"),
        actor: filled(params, "actor"),
        from: moment(params, "from"),
        before: moment(params, "before"),
    }
}

/// A filter as it stands in an address; [`audit_filter`] reads it.
pub(super) fn audit_pairs(filter: &AuditFilter) -> impl Iterator<Item = (&'static str, String)> {
    let text = |name, value: &Option<String>| Some((name, value.clone()?));
    [
        text("action", &filter.action),
        text("subject", &filter.subject),
        text("actor", &filter.actor),
        filter.from.map(|at| ("from", instant(at))),
        filter.before.map(|at| ("before", instant(at))),
    ]
    .into_iter()
    .flatten()
}

/// A day, as a date field writes it, or a moment in RFC 3339.
fn moment(params: &ParamsMap, key: &str) -> Option<OffsetDateTime> {
    let text = filled(params, key)?;
    let text = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text };
    OffsetDateTime::parse(&text, &Rfc3339).ok()
}

/// A moment in an address: a day where it is the beginning of one.
pub fn instant(moment: OffsetDateTime) -> String {
    let moment = moment.to_offset(time::UtcOffset::UTC);
    if moment.time() == time::Time::MIDNIGHT {
        return day(moment);
    }
    moment.format(&Rfc3339).unwrap_or_default()
}

/// A day as a date field reads it: the first that begins after `moment`, or at it.
pub fn day(moment: OffsetDateTime) -> String {
    let moment = moment.to_offset(time::UtcOffset::UTC);
    let date = moment.date();
    let begun = moment.time() != time::Time::MIDNIGHT;
    let date = date.next_day().filter(|_| begun).unwrap_or(date);
    day_of(date.midnight().assume_utc())
}

/// The day that a moment is in, as a date field reads it.
pub fn day_of(moment: OffsetDateTime) -> String {
    let date = moment.to_offset(time::UtcOffset::UTC).date();
    format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day())
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;
    use uuid::Uuid;

    use super::{super::tests::params, super::*, *};
    use crate::domain::connection::StateName;

    #[test]
    fn a_filter_reads_what_is_there_and_leaves_out_what_is_not() {
        let filter = connection_filter(&params(&[
            ("state", "needs_reauth"),
            ("q", "  acme "),
            ("provider", ""),
            ("client", "nonsense"),
            ("needs_human_before", "2026-03-01"),
            ("expires_before", "2026-03-01T12:00:00Z"),
            ("sort", "expires"),
        ]));
        assert_eq!(filter.state, Some(StateName::NeedsReauth));
        assert_eq!(filter.q.as_deref(), Some("acme"));
        assert_eq!((filter.provider, filter.client), (None, None));
        assert_eq!(filter.needs_human_before, Some(datetime!(2026-03-01 0:00 UTC)));
        assert_eq!(filter.expires_before, Some(datetime!(2026-03-01 12:00 UTC)));
    }

    #[test]
    fn a_filter_is_read_as_it_was_written() {
        let all = ConnectionFilter {
            standing: Some(crate::domain::connection::Standing::ClientRefused),
            state: Some(StateName::InDoubt),
            reason: Some(crate::domain::connection::Reason::RotationLost),
            client: Some(Uuid::from_u128(7)),
            provider: Some("a".into()),
            q: Some("b & c".into()),
            external_id: Some("acme/7".into()),
            label: Some("+".into()),
            owner: Some("d@e".into()),
            tag: Some("é".into()),
            expires_after: Some(datetime!(2026-02-01 0:00 UTC)),
            expires_before: Some(datetime!(2026-03-01 0:00 UTC)),
            refresh_expires_after: Some(datetime!(2026-02-01 7:00:00.000001 UTC)),
            refresh_expires_before: Some(datetime!(2026-04-01 0:00 UTC)),
            needs_human_after: Some(datetime!(2026-01-01 12:30 UTC)),
            needs_human_before: Some(datetime!(2026-03-01 12:30:01 UTC)),
            drift: true,
            end: Some(crate::domain::connection::End::Unknown),
            dead_since: Some(datetime!(2026-02-28 0:00:30 UTC)),
            import: Some(Uuid::from_u128(8)),
            sort: Some(crate::domain::connection::Sort::Refreshed),
        };
        let pairs: ParamsMap =
            filter_pairs(&all).map(|(name, value)| (name.to_owned(), value)).collect();
        assert_eq!(connection_filter(&pairs), all);
        assert_eq!(connections(&ConnectionFilter::default()), "/connections");
    }

    #[test]
    fn what_is_no_value_of_a_filter_is_told() {
        let unread = |pairs: &[(&str, &str)]| {
            connection_unread(&params(pairs)).map(|unread| (unread.name, unread.value))
        };
        for (name, value) in [
            ("standing", "needs_person"),
            ("state", "unknown"),
            ("reason", "bored"),
            ("client", "nonsense"),
            ("expires_before", "soon"),
            ("needs_human_after", "2026-13-01"),
            ("dead_since", "yesterday"),
            ("drift", "perhaps"),
            ("end", "bitter"),
            ("import", "the first"),
            ("sort", "colour"),
        ] {
            assert_eq!(unread(&[("q", "a"), (name, value)]), Some((name, value.to_owned())));
        }
        let fine = [("state", "active"), ("client", ""), ("drift", "false"), ("tag", "unknown")];
        assert_eq!(unread(&fine), None);
        assert_eq!(unread(&[("sort", "newest"), ("expires_before", "2026-03-01")]), None);
        assert_eq!(audit_unread(&params(&[("from", "2026-03-01"), ("action", "x")])), None);
        let odd = audit_unread(&params(&[("before", "now")])).map(|unread| unread.name);
        assert_eq!(odd, Some("before"));
    }

    #[test]
    fn a_filter_of_the_log_is_read_as_it_was_written() {
        let all = AuditFilter {
            action: Some("connection.refresh".into()),
            subject: Some("7 & 8".into()),
            actor: Some("a@b".into()),
            from: Some(datetime!(2026-03-01 0:00 UTC)),
            before: Some(datetime!(2026-03-01 12:30:01 UTC)),
        };
        let pairs: ParamsMap =
            audit_pairs(&all).map(|(name, value)| (name.to_owned(), value)).collect();
        assert_eq!(audit_filter(&pairs), all);
        assert_eq!(audit_of("x"), "/audit?subject=x");
    }

    #[test]
    fn a_day_takes_in_the_whole_of_it() {
        assert_eq!(day(datetime!(2026-12-31 0:00:01 UTC)), "2027-01-01");
        assert_eq!(day(datetime!(2026-12-31 0:00 UTC)), "2026-12-31");
    }
}
