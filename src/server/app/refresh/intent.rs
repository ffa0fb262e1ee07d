//! What a claim has to work out between its statements. No I/O.

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::engine::LEASE;
use crate::{
    domain::{connection::StateName, provider::Profile},
    server::store::{
        attempt::{self, Abandoned},
        client::Limit,
        connection::lease::Leased,
    },
};

/// How many requests of one client are under way at once over all replicas, unless its profile says.
const CONCURRENCY: u32 = 32;
/// A client with room for at least so many keeps a place for callers at all times.
const RESERVED_FROM: i32 = 16;
/// One with room for at least so many keeps it while some wait.
const YIELDS_FROM: i32 = 2;
/// A rate allows as many requests at once as it does in this time.
const BURST: Duration = Duration::seconds(6);

/// How long after it began a request may still be under way: for a lease at most, and some more since
/// it is told by its holder's clock.
pub const UNDER_WAY: Duration = LEASE.saturating_add(Duration::seconds(5));

/// What a client may ask of its provider.
pub fn limit(client_id: Uuid, profile: Option<&Profile>) -> Limit {
    let policy = profile.map(|profile| &profile.policy);
    let concurrency = policy.and_then(|policy| policy.concurrency).unwrap_or(CONCURRENCY);
    let per_minute = policy.and_then(|policy| policy.requests_per_minute);
    let interval = per_minute.map(|count| 60.0 / f64::from(count.max(1)));
    Limit {
        client_id,
        concurrency: i32::try_from(concurrency.max(1)).unwrap_or(i32::MAX),
        yields: 0,
        interval,
        burst: interval.map_or(1.0, |interval| (BURST.as_seconds_f64() / interval).max(1.0)),
    }
}

/// What the worker leaves to whoever waits for a token, so that no backlog stands before them.
pub fn reserve(limit: Limit) -> Limit {
    let reserved = i32::from(limit.concurrency >= RESERVED_FROM);
    let yields = i32::from(limit.concurrency >= YIELDS_FROM) - reserved;
    Limit { concurrency: limit.concurrency - reserved, yields, ..limit }
}

/// What was claimed, counted against the rates of its clients, in seconds of each.
pub fn spending(limits: &[Limit], leased: &[Leased]) -> Vec<(Uuid, f64)> {
    let of = |limit: &Limit| {
        let count = leased.iter().filter(|leased| leased.client_id == limit.client_id).count();
        let seconds = limit.interval? * f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        (count > 0).then_some((limit.client_id, seconds))
    };
    limits.iter().filter_map(of).collect()
}

/// Connections whose last holder never gave its lease back.
pub struct Orphans {
    /// The lease that they are under now.
    pub lease_id: Uuid,
    pub clients: Vec<Uuid>,
    pub connections: Vec<Uuid>,
    /// No attempt of an earlier lease has an id below this one.
    pub since: Uuid,
}

impl Orphans {
    pub fn among(leased: &[Leased]) -> Option<Self> {
        let orphans = || leased.iter().filter(|leased| leased.is_orphan());
        Some(Self {
            lease_id: orphans().next()?.lease_id,
            clients: orphans().map(|orphan| orphan.client_id).collect(),
            connections: orphans().map(|orphan| orphan.id).collect(),
            since: orphans().filter_map(|orphan| begun_with(orphan.lease_before?)).min()?,
        })
    }
}

/// The least id that an attempt can have which was begun under a lease, whatever was done to the clock at
/// that moment. Of a lease whose id does not tell its time: any.
fn begun_with(lease_id: Uuid) -> Option<Uuid> {
    let Some(told) = lease_id.get_timestamp() else { return Some(Uuid::nil()) };
    let seconds = i64::try_from(told.to_unix().0).ok()?;
    let at = OffsetDateTime::from_unix_timestamp(seconds).ok()?;
    Some(attempt::first_id(at - Duration::days(1)))
}

/// Puts connections in doubt about the newest attempt that was abandoned with the token set they still
/// hold; which of them, and about what.
pub fn doubt(leased: &mut [Leased], abandoned: &[Abandoned]) -> Vec<(Uuid, Uuid)> {
    let mut doubts = Vec::new();
    for leased in leased {
        let newest = abandoned
            .iter()
            .filter(|attempt| attempt.connection_id == leased.id)
            .filter(|attempt| attempt.generation_before == leased.generation)
            .map(|attempt| attempt.id)
            .max();
        if let Some(attempt_id) = newest {
            leased.state = StateName::InDoubt;
            leased.doubtful_attempt_id.get_or_insert(attempt_id);
            doubts.push((leased.id, attempt_id));
        }
    }
    doubts
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn attempts_of_a_lease_are_looked_for_where_they_can_be() {
        let at = datetime!(2026-03-01 12:00 UTC);
        let millis = u64::try_from(at.unix_timestamp() * 1000).unwrap();
        let lease = uuid::Builder::from_unix_timestamp_millis(millis, &[7; 10]).into_uuid();
        assert_eq!(begun_with(lease), Some(attempt::first_id(at - Duration::days(1))));
        let telling_nothing = uuid::Builder::from_random_bytes([7; 16]).into_uuid();
        assert_eq!(begun_with(telling_nothing), Some(Uuid::nil()));
    }

    #[test]
    fn a_client_keeps_a_place_for_callers_and_the_worker_has_one_at_least() {
        let reserved = |concurrency| {
            let limit = reserve(Limit { concurrency, ..limit(Uuid::nil(), None) });
            (limit.concurrency, limit.yields)
        };
        assert_eq!(
            [1, 2, 8, 15, 16, 32].map(reserved),
            [(1, 0), (2, 1), (8, 1), (15, 1), (15, 0), (31, 0)]
        );
    }
}
