//! What a filter of connections asks for, as their table can be asked.

use std::collections::HashSet;

use time::OffsetDateTime;
use uuid::Uuid;

use super::rest::Rest;
use crate::domain::connection::{ConnectionFilter, End, Reason, SOON, Standing, StateName};
use crate::server::store::import::Ran;

/// What a filter asks for, as the table can be asked.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// In one of these.
    pub(super) states: Option<Vec<String>>,
    pub(super) clients: Option<Vec<Uuid>>,
    pub(super) label: Option<String>,
    pub(super) owner: Option<String>,
    pub(super) tags: Option<Vec<String>>,
    pub(super) expires: Span,
    pub(super) refresh_expires: Span,
    pub(super) needs_human: Span,
    pub(super) reason: Option<&'static str>,
    pub(super) drift: bool,
    /// What may be over before anybody is told.
    pub(super) unseen: bool,
    /// Brought by this import, where it brought too many to find them beforehand.
    pub(super) import: Option<Ran>,
    pub(super) dead_since: Option<OffsetDateTime>,
    pub(super) standing: Option<&'static str>,
    /// What needs a person by then stands as *soon*.
    pub(super) soon: OffsetDateTime,
    pub(super) now: OffsetDateTime,
    /// Where what rests is.
    pub(super) rest: Option<Rest>,
    /// One of these.
    pub(super) ids: Option<Vec<Uuid>>,
    /// Patterns of what is searched, where that was not found out beforehand.
    pub(super) patterns: [Option<String>; 3],
}

/// From, and before.
type Span = (Option<OffsetDateTime>, Option<OffsetDateTime>);

/// Whether what has no such time is left out.
pub(super) fn is_asked((from, before): Span) -> bool {
    from.is_some() || before.is_some()
}

impl Wanted {
    pub(super) fn of(
        filter: &ConnectionFilter,
        clients: Option<Vec<Uuid>>,
        now: OffsetDateTime,
    ) -> Self {
        // What a standing implies of what there are indexes for.
        let implied: Option<&[StateName]> = filter.standing.and_then(|standing| match standing {
            Standing::Alive | Standing::Soon => Some(&[StateName::Active] as &[_]),
            Standing::Retrying => Some(&[StateName::Retrying, StateName::InDoubt]),
            Standing::NeedsPerson => Some(&[StateName::NeedsReauth]),
            Standing::Pending => Some(&[StateName::Pending]),
            Standing::Disconnected => Some(&[StateName::Disconnected]),
            Standing::ClientRefused | Standing::Paused => None,
        });
        let states = match (filter.state, implied) {
            (None, None) => None,
            (Some(state), None) => Some(vec![state]),
            (asked, Some(implied)) => {
                let is_asked = |state: &StateName| asked.is_none_or(|asked| asked == *state);
                Some(implied.iter().copied().filter(is_asked).collect())
            }
        };
        let (human_after, mut human_before) = (filter.needs_human_after, filter.needs_human_before);
        if filter.standing == Some(Standing::Soon) {
            // Its moment itself counts.
            let end = now + SOON + time::Duration::microseconds(1);
            human_before = Some(human_before.map_or(end, |before| before.min(end)));
        }
        Self {
            states: states.map(|states| states.iter().map(|one| one.as_str().to_owned()).collect()),
            clients,
            label: filter.label.clone(),
            owner: filter.owner.clone(),
            tags: filter.tag.clone().map(|tag| vec![tag]),
            expires: (filter.expires_after, filter.expires_before),
            refresh_expires: (filter.refresh_expires_after, filter.refresh_expires_before),
            needs_human: (human_after, human_before),
            reason: filter.reason.map(Reason::as_str),
            drift: filter.drift,
            unseen: filter.end == Some(End::Unknown),
            import: None,
            dead_since: filter.dead_since,
            standing: filter.standing.map(Standing::as_str),
            soon: now + SOON,
            now,
            rest: None,
            ids: None,
            patterns: [
                filter.q.as_deref().map(pattern),
                filter.label.as_deref().map(contained),
                filter.owner.as_deref().map(contained),
            ],
        }
    }

    /// Leaves only what is among these.
    pub(super) fn narrow(&mut self, ids: Vec<Uuid>) {
        self.ids = Some(match self.ids.take() {
            Some(found) => {
                let ids: HashSet<Uuid> = ids.into_iter().collect();
                found.into_iter().filter(|id| ids.contains(id)).collect()
            }
            None => ids,
        });
    }

    /// Whether the search alone says what is found.
    pub(super) fn is_only_searched(&self) -> bool {
        self.states.is_none()
            && self.standing.is_none()
            && self.clients.is_none()
            && !self.drift
            && !self.unseen
            && self.dead_since.is_none()
            && self.reason.is_none()
            && [self.expires, self.refresh_expires, self.needs_human]
                .into_iter()
                .all(|span| !is_asked(span))
    }

    pub(super) fn is_searched(&self) -> bool {
        self.tags.is_some() || self.patterns.iter().any(Option::is_some)
    }
}

/// What holds a text. One of a letter or two is looked for where words begin: no index knows where else
/// it stands.
fn pattern(text: &str) -> String {
    match text.chars().count() {
        0..=2 => format!("% {}%", escaped(text)),
        _ => contained(text),
    }
}

fn contained(text: &str) -> String {
    format!("%{}%", escaped(text))
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        if matches!(char, '%' | '_' | '\\') {
            escaped.push('\\');
        }
        escaped.push(char);
    }
    escaped
}
