//! Incidents: when refusals look like a provider's fault and not like deaths, and what proves that
//! they are deaths after all (DESIGN section 3, point 7).

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::{provider::IncidentPolicy, schedule::seconds};

/// Two canaries of one incident are never further apart than this.
const CANARY_CAP: Duration = Duration::hours(1);

/// What became of a client's connections of late, over all replicas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub refused: i64,
    pub refreshed: i64,
}

/// From when on refusals count, at `now`.
pub fn window_since(policy: &IncidentPolicy, now: OffsetDateTime) -> OffsetDateTime {
    now - seconds(policy.window_seconds)
}

/// Whether so many were refused that verdicts are to be suspended.
pub fn is_unusual(counts: Counts, policy: &IncidentPolicy) -> bool {
    let all = i128::from(counts.refused) + i128::from(counts.refreshed);
    counts.refused > 0
        && counts.refused >= i64::from(policy.count)
        && i128::from(counts.refused) * 100 >= all * i128::from(policy.share_percent)
}

/// How long until the next canary, after `tried` of them that were answered. `jitter` is a fraction in 0..1.
pub fn canary_wait(policy: &IncidentPolicy, tried: u32, jitter: f64) -> Duration {
    let first = seconds(policy.canary_seconds);
    let wait = first.saturating_mul(1 << tried.min(16)).min(CANARY_CAP.max(first));
    wait + wait * (jitter / 4.0)
}

/// What is known of an incident when a canary was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evidence {
    pub began_at: OffsetDateTime,
    /// How many others the provider granted while it refused these.
    pub refreshed: i64,
    /// How many canaries it has refused again.
    pub confirmed: u32,
}

/// What follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// Verdicts stay suspended.
    Hold,
    /// The provider means it: each suspect is tried once more, and what is refused then is dead.
    LastTries,
}

/// Whether canaries have proved that refusals are meant. A provider that granted nobody proves
/// nothing by refusing: then only an admin decides.
pub fn rule(evidence: Evidence, policy: &IncidentPolicy, now: OffsetDateTime) -> Ruling {
    let proved = policy.confirmations > 0
        && evidence.confirmed >= policy.confirmations
        && evidence.refreshed > 0
        && now - evidence.began_at >= seconds(policy.confirm_seconds);
    if proved { Ruling::LastTries } else { Ruling::Hold }
}

/// An incident as people and programs see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Incident {
    #[serde(with = "time::serde::rfc3339")]
    pub began_at: OffsetDateTime,
    /// How many connections had been refused when it began, within the window.
    pub refused: i64,
    /// How many connections had been refreshed in the same time.
    pub refreshed: i64,
    pub window_seconds: i64,
    /// How many connections' verdicts wait.
    pub held: i64,
    /// How many of these were tried once more so far.
    pub tried: i32,
    /// How many of those tries were refused again.
    pub confirmed: i32,
    /// When the next one is tried.
    #[serde(with = "time::serde::rfc3339")]
    pub canary_at: OffsetDateTime,
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const T0: OffsetDateTime = datetime!(2026-01-01 00:00 UTC);

    #[test]
    fn many_at_once_and_a_large_share_make_an_incident() {
        let usual = IncidentPolicy::default();
        let hasty = IncidentPolicy { share_percent: 1, count: 1, ..usual };
        let whole = IncidentPolicy { share_percent: 100, count: 1, ..usual };
        for (refused, refreshed, policy, unusual) in [
            (0, 0, usual, false),
            (4, 0, usual, false),
            (5, 0, usual, true),
            (5, 20, usual, true),
            (5, 21, usual, false),
            (100, 400, usual, true),
            (100, 401, usual, false),
            (i64::MAX, i64::MAX, usual, true),
            (0, 50, hasty, false),
            (1, 99, hasty, true),
            (1, 100, hasty, false),
            (9, 0, whole, true),
            (9, 1, whole, false),
        ] {
            let counts = Counts { refused, refreshed };
            assert_eq!(is_unusual(counts, &policy), unusual, "{counts:?} by {policy:?}");
        }
    }

    #[test]
    fn canaries_come_ever_later_up_to_a_cap() {
        let policy = IncidentPolicy::default();
        let wait = |tried, jitter| canary_wait(&policy, tried, jitter);
        assert_eq!(wait(0, 0.0), Duration::minutes(2));
        assert_eq!(wait(1, 0.0), Duration::minutes(4));
        assert_eq!(wait(1, 0.999).whole_minutes(), 4);
        assert!(wait(1, 0.999) < Duration::minutes(5));
        assert_eq!(wait(5, 0.0), Duration::hours(1));
        assert_eq!(wait(u32::MAX, 0.0), Duration::hours(1));
        let patient = IncidentPolicy { canary_seconds: 7200, ..policy };
        assert_eq!(canary_wait(&patient, 3, 0.0), Duration::hours(2));
    }

    #[test]
    fn only_confirmed_refusals_of_a_provider_that_grants_others_are_meant() {
        let usual = IncidentPolicy::default();
        let never = IncidentPolicy { confirmations: 0, ..usual };
        let minutes = Duration::minutes;
        for (refreshed, confirmed, after, policy, ruling) in [
            (9, 3, minutes(60), usual, Ruling::Hold),
            (9, 4, minutes(60), usual, Ruling::LastTries),
            (9, 4, minutes(29), usual, Ruling::Hold),
            (9, 4, minutes(30), usual, Ruling::LastTries),
            (0, 400, minutes(6000), usual, Ruling::Hold),
            (9, 400, minutes(6000), never, Ruling::Hold),
        ] {
            let evidence = Evidence { began_at: T0, refreshed, confirmed };
            assert_eq!(rule(evidence, &policy, T0 + after), ruling, "{evidence:?} after {after}");
        }
    }
}
