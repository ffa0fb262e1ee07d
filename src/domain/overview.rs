//! What the first page tells at a glance.

mod need;
mod scale;

pub use need::{Cause, MANY, NeedsHumanGroup};
pub use scale::{Scale, all_edges};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    attempt::Verdict,
    client::Client,
    connection::{Connection, ConnectionFilter, End, Sort, Standing},
};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overview {
    /// The moment all of this was true.
    #[serde(with = "time::serde::rfc3339")]
    pub as_of: OffsetDateTime,
    /// How many connections stand how; those with none are absent.
    pub counts: Vec<(Standing, i64)>,
    /// How many of the living nothing renews, and no end of them is known: they can be over at any time, and
    /// need a person then. Not those of providers whose access tokens have no end.
    pub unseen_ends: i64,
    /// How many have no live access token, since refreshing them fails in a way that passes.
    pub without_token: i64,
    /// What needs a human now or next, soonest first, but what is told together.
    pub needs_human: Vec<Connection>,
    /// What needs a human now or next and is told together, soonest first.
    pub needs_human_groups: Vec<NeedsHumanGroup>,
    /// How many connections that are, and those that are not shown.
    pub needs_human_count: i64,
    /// Clients the provider refuses, or has asked for a pause that holds connections up; at most
    /// [`IN_TROUBLE`].
    pub clients_in_trouble: Vec<Client>,
    /// How far ahead it looks.
    pub over: Scale,
    /// What expires over the time ahead, bucket by bucket.
    pub expiries: Vec<ExpiryBucket>,
    /// The refreshes ahead: how evenly they are spread.
    pub refreshes: RefreshesAhead,
    /// The refreshes of the day behind, and how they ended.
    pub attempts: Vec<AttemptBucket>,
    /// Whether there is a client yet: the first thing to do when there is none.
    pub has_clients: bool,
}

/// So many clients in trouble are shown.
pub const IN_TROUBLE: i64 = 50;

impl Overview {
    /// What lists those of which no end is known.
    pub fn unseen() -> ConnectionFilter {
        ConnectionFilter {
            standing: Some(Standing::Alive),
            end: Some(End::Unknown),
            ..ConnectionFilter::default()
        }
    }

    /// What lists those without a live access token.
    pub fn tokenless(&self) -> ConnectionFilter {
        ConnectionFilter {
            standing: Some(Standing::Retrying),
            expires_before: Some(self.as_of),
            ..ConnectionFilter::default()
        }
    }

    /// Whether there may be more clients in trouble than are shown.
    pub fn hides_clients(&self) -> bool {
        i64::try_from(self.clients_in_trouble.len()).is_ok_and(|shown| shown >= IN_TROUBLE)
    }

    /// How many connections stand so.
    pub fn count(&self, standing: Standing) -> i64 {
        self.counts.iter().find(|(counted, _)| *counted == standing).map_or(0, |(_, count)| *count)
    }

    /// How many need a human beside those that are told of.
    pub fn hidden_needs(&self) -> i64 {
        let ones = i64::try_from(self.needs_human.len()).unwrap_or(i64::MAX);
        let many: i64 = self.needs_human_groups.iter().map(|group| group.count).sum();
        (self.needs_human_count - ones - many).max(0)
    }
}

/// How much expires from `from` up to, not including, `until`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct ExpiryBucket {
    #[serde(with = "time::serde::rfc3339")]
    pub from: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub until: OffsetDateTime,
    /// Access tokens that expire.
    pub access: i64,
    /// Refresh tokens that expire.
    pub refresh: i64,
    /// Connections that need a human by then.
    pub needs_human: i64,
}

/// What runs out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// A person is needed.
    NeedsHuman,
    Refresh,
    Access,
}

impl Ending {
    pub const ALL: [Self; 3] = [Self::NeedsHuman, Self::Refresh, Self::Access];
}

impl ExpiryBucket {
    pub fn count(&self, ending: Ending) -> i64 {
        match ending {
            Ending::NeedsHuman => self.needs_human,
            Ending::Refresh => self.refresh,
            Ending::Access => self.access,
        }
    }

    /// What lists what was counted, in the order in which it happens.
    pub fn filter(&self, ending: Ending) -> ConnectionFilter {
        let (from, until) = (Some(self.from), Some(self.until));
        let all = ConnectionFilter::default();
        match ending {
            Ending::NeedsHuman => ConnectionFilter {
                needs_human_after: from,
                needs_human_before: until,
                sort: Some(Sort::NeedsHumanBy),
                ..all
            },
            Ending::Refresh => ConnectionFilter {
                refresh_expires_after: from,
                refresh_expires_before: until,
                sort: Some(Sort::RefreshExpires),
                ..all
            },
            Ending::Access => ConnectionFilter {
                expires_after: from,
                expires_before: until,
                sort: Some(Sort::Expires),
                ..all
            },
        }
    }

    fn empty(from: OffsetDateTime, until: OffsetDateTime) -> Self {
        Self { from, until, access: 0, refresh: 0, needs_human: 0 }
    }
}

/// How much expires from `from` up to the next such moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    pub from: OffsetDateTime,
    pub access: i64,
    pub refresh: i64,
    pub needs_human: i64,
}

/// How many attempts ended from `from` up to, not including, `until`, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct AttemptBucket {
    #[serde(with = "time::serde::rfc3339")]
    pub from: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub until: OffsetDateTime,
    /// A new token set was stored.
    pub refreshed: i64,
    /// It failed in a way that passes.
    pub postponed: i64,
    /// It was sent, and its answer lost.
    pub in_doubt: i64,
    /// The grant is dead; a person is needed.
    pub condemned: i64,
    /// It was refused, and so were unusually many others: nothing is decided.
    pub suspended: i64,
    /// The client was refused.
    pub client_refused: i64,
    /// A newer token set was there already.
    pub superseded: i64,
}

impl AttemptBucket {
    pub fn empty(from: OffsetDateTime, until: OffsetDateTime) -> Self {
        Self {
            from,
            until,
            refreshed: 0,
            postponed: 0,
            in_doubt: 0,
            condemned: 0,
            suspended: 0,
            client_refused: 0,
            superseded: 0,
        }
    }

    pub fn add(&mut self, verdict: Verdict, attempts: i64) {
        *match verdict {
            Verdict::Refreshed => &mut self.refreshed,
            Verdict::Postponed => &mut self.postponed,
            Verdict::InDoubt => &mut self.in_doubt,
            Verdict::Condemned => &mut self.condemned,
            Verdict::Suspended => &mut self.suspended,
            Verdict::ClientRefused => &mut self.client_refused,
            Verdict::Superseded => &mut self.superseded,
        } += attempts;
    }

    pub fn all(&self) -> i64 {
        self.well() + self.passing() + self.refused()
    }

    /// Those that brought a token, or found one.
    pub fn well(&self) -> i64 {
        self.refreshed + self.superseded
    }

    /// Those that failed in a way that passes.
    pub fn passing(&self) -> i64 {
        self.postponed + self.in_doubt
    }

    /// Those that the provider refused.
    pub fn refused(&self) -> i64 {
        self.condemned + self.suspended + self.client_refused
    }
}

/// Refreshes that are due over the next day, of clients that are ready.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct RefreshesAhead {
    /// How many are due by now.
    pub overdue: i64,
    pub buckets: Vec<DueBucket>,
}

/// How many refreshes are due from `from` up to, not including, `until`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct DueBucket {
    #[serde(with = "time::serde::rfc3339")]
    pub from: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub until: OffsetDateTime,
    pub due: i64,
}

/// The person who is signed in, as the interface needs to know them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Viewer {
    pub id: Uuid,
    pub email: String,
    pub role: super::access::Role,
}
