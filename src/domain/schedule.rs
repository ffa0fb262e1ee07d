//! When a connection is looked at next, and when only a person can help
//! (DESIGN section 3, points 9 and 10).

use time::{Duration, OffsetDateTime};

use super::provider::{Profile, RefreshLifetime, Renewal, WithoutExpiry};

/// How long before its expiry an access token is refreshed, unless the profile says otherwise.
pub const MARGIN: Duration = Duration::minutes(10);
/// The margin of a provider that wants tokens used for as long as possible.
const LATE_MARGIN: Duration = Duration::minutes(2);
/// How long an access token is taken to live that came without an expiry: what most servers give, and the example of
/// RFC 6749, section 5.1.
pub const ASSUMED: Duration = Duration::hours(1);
/// A refresh token is used at least so long before it would die.
const KEEP_ALIVE_MARGIN: Duration = Duration::days(2);
/// Jitter never brings a refresh forward by more than this.
const JITTER_CAP: Duration = Duration::minutes(30);

/// What the rules need to know of a token set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenClock {
    pub obtained_at: OffsetDateTime,
    pub access_expires_at: Option<OffsetDateTime>,
    pub refresh_expires_at: Option<OffsetDateTime>,
    /// Whether it can be renewed without a person.
    pub renewable: bool,
}

/// The part of a profile that the rules read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    pub margin: Option<Duration>,
    pub late: bool,
    pub idle: Option<Duration>,
    /// An access token that came without an expiry is taken to have one.
    pub assumes_end: bool,
    /// Refreshing does not lengthen the refresh token's life.
    pub fixed: bool,
    pub by_client_credentials: bool,
}

impl From<&Profile> for Policy {
    fn from(profile: &Profile) -> Self {
        Self {
            margin: profile.policy.margin_seconds.map(seconds),
            late: profile.policy.refresh_late,
            idle: profile.lifetimes.refresh_idle_seconds.map(seconds),
            assumes_end: profile.lifetimes.without_expiry == WithoutExpiry::Refresh
                && !profile.is_endless(),
            fixed: profile.lifetimes.refresh_kind == RefreshLifetime::Fixed,
            by_client_credentials: profile.renewal == Renewal::ClientCredentials,
        }
    }
}

/// A whole number of seconds as a duration; what does not fit is as long as can be.
pub fn seconds(count: u64) -> Duration {
    Duration::seconds(
        i64::try_from(count).unwrap_or(i64::MAX).min(Duration::days(36_500).whole_seconds()),
    )
}

/// When the worker acts next. `jitter` is a fraction in 0..1. `None`: never, the token lives until
/// someone takes it away.
///
/// A token set that can't be renewed is due when its access token ends: that is when a person must
/// be told.
pub fn due_at(clock: &TokenClock, policy: &Policy, jitter: f64) -> Option<OffsetDateTime> {
    if !clock.renewable {
        return clock.access_expires_at;
    }
    let assumed = policy.assumes_end.then(|| clock.obtained_at + ASSUMED);
    let access = clock.access_expires_at.or(assumed).map(|end| {
        let lifetime = (end - clock.obtained_at).max(Duration::ZERO);
        let margin = if policy.late {
            policy.margin.unwrap_or(LATE_MARGIN).min(lifetime / 10)
        } else {
            policy.margin.unwrap_or(MARGIN).min(lifetime / 4)
        };
        let spread: Duration =
            if policy.late { margin / 2 } else { Duration::min(lifetime / 10, JITTER_CAP) };
        end - margin - spread * jitter
    });
    let keep_alive = keep_alive_by(clock, policy).map(|end| {
        let lifetime = (end - clock.obtained_at).max(Duration::ZERO);
        end - KEEP_ALIVE_MARGIN.min(lifetime / 4)
            - Duration::min(lifetime / 10, Duration::days(1)) * jitter
    });
    [access, keep_alive].into_iter().flatten().min()
}

/// The earliest moment at which only a person can keep the connection alive, as far as can be
/// seen: refreshing on time is taken for granted, unless `troubled`.
pub fn needs_human_by(
    clock: &TokenClock,
    policy: &Policy,
    troubled: bool,
) -> Option<OffsetDateTime> {
    if policy.by_client_credentials && clock.renewable {
        return None;
    }
    if !clock.renewable {
        return clock.access_expires_at;
    }
    if policy.fixed {
        return clock.refresh_expires_at;
    }
    troubled.then(|| refresh_end(clock, policy)).flatten()
}

/// When the refresh token dies unless it is used. A fixed end comes whatever one does: to refresh
/// ever sooner before it would only make many requests.
fn keep_alive_by(clock: &TokenClock, policy: &Policy) -> Option<OffsetDateTime> {
    let movable = TokenClock {
        refresh_expires_at: clock.refresh_expires_at.filter(|_| !policy.fixed),
        ..*clock
    };
    refresh_end(&movable, policy)
}

fn refresh_end(clock: &TokenClock, policy: &Policy) -> Option<OffsetDateTime> {
    let idle = policy.idle.map(|idle| clock.obtained_at + idle);
    [clock.refresh_expires_at, idle].into_iter().flatten().min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const T0: OffsetDateTime = datetime!(2026-01-01 00:00 UTC);
    const PLAIN: Policy = Policy {
        margin: None,
        late: false,
        idle: None,
        assumes_end: true,
        fixed: false,
        by_client_credentials: false,
    };

    fn clock(access: Option<Duration>, refresh: Option<Duration>) -> TokenClock {
        TokenClock {
            obtained_at: T0,
            access_expires_at: access.map(|life| T0 + life),
            refresh_expires_at: refresh.map(|life| T0 + life),
            renewable: true,
        }
    }

    #[test]
    fn the_margin_fits_the_lifetime() {
        let due = |life: Duration, policy: Policy, jitter: f64| {
            due_at(&clock(Some(life), None), &policy, jitter).unwrap() - T0
        };
        assert_eq!(due(Duration::hours(1), PLAIN, 0.0), Duration::minutes(50));
        // A 5-minute token is not refreshed at every look.
        assert_eq!(due(Duration::minutes(5), PLAIN, 0.0), Duration::seconds(225));
        assert_eq!(due(Duration::minutes(5), PLAIN, 0.5), Duration::seconds(210));
        // Token requests that count against a limit come late.
        let late = Policy { late: true, ..PLAIN };
        assert_eq!(due(Duration::hours(1), late, 0.0), Duration::minutes(58));
        assert!(due(Duration::hours(1), late, 0.99) > Duration::minutes(56));
        let wide = Policy { margin: Some(Duration::hours(12)), ..PLAIN };
        assert_eq!(due(Duration::days(3), wide, 0.0), Duration::hours(60));
        // Already expired when it came: due at once.
        assert!(due(Duration::seconds(-5), PLAIN, 0.9) <= Duration::ZERO);
    }

    #[test]
    fn tokens_issued_together_do_not_fall_due_together() {
        let at = |jitter| due_at(&clock(Some(Duration::hours(1)), None), &PLAIN, jitter).unwrap();
        assert_eq!(at(0.0) - at(0.5), Duration::minutes(3));
    }

    #[test]
    fn an_unused_connection_is_refreshed_before_its_refresh_token_idles_out() {
        let idle = Policy { idle: Some(Duration::days(14)), ..PLAIN };
        let due = due_at(&clock(Some(Duration::days(60)), None), &idle, 0.0).unwrap();
        assert_eq!(due - T0, Duration::days(12));
        // The refresh token may be the shorter of the two.
        let due =
            due_at(&clock(Some(Duration::hours(1)), Some(Duration::minutes(20))), &PLAIN, 0.0);
        assert_eq!(due.unwrap() - T0, Duration::minutes(15));
        // No access expiry known at all, nor one to be taken for granted: still kept alive.
        let open = Policy { assumes_end: false, ..PLAIN };
        assert!(due_at(&clock(None, Some(Duration::days(365))), &open, 0.3).is_some());
    }

    #[test]
    fn a_token_without_an_expiry_is_taken_to_live_for_an_hour() {
        let silent = clock(None, None);
        assert_eq!(due_at(&silent, &PLAIN, 0.0), Some(T0 + Duration::minutes(50)));
        assert_eq!(due_at(&silent, &Policy { assumes_end: false, ..PLAIN }, 0.0), None);
        // The refresh token may be over before.
        let near = clock(None, Some(Duration::minutes(20)));
        assert_eq!(due_at(&near, &PLAIN, 0.0), Some(T0 + Duration::minutes(15)));
        // Nothing could be done about it, so nothing is due.
        let alone = TokenClock { renewable: false, ..silent };
        assert_eq!(due_at(&alone, &PLAIN, 0.0), None);
        assert_eq!(needs_human_by(&silent, &PLAIN, false), None);
    }

    /// The client's own access is renewed whatever its profile says of refresh tokens.
    #[test]
    fn no_end_is_assumed_where_there_is_none() {
        let mut profile = Profile::new("a", "A");
        assert!(Policy::from(&profile).assumes_end);
        profile.renewal = Renewal::None;
        assert!(!Policy::from(&profile).assumes_end);
        profile.renewal = Renewal::RefreshToken;
        profile.lifetimes.without_expiry = WithoutExpiry::Endless;
        assert!(!Policy::from(&profile).assumes_end);
    }

    #[test]
    fn a_fixed_end_is_not_raced() {
        let fixed = Policy { fixed: true, ..PLAIN };
        let near = clock(Some(Duration::hours(1)), Some(Duration::minutes(20)));
        assert_eq!(due_at(&near, &fixed, 0.0), Some(T0 + Duration::minutes(50)));
        let idle = Policy { idle: Some(Duration::minutes(40)), ..fixed };
        assert_eq!(due_at(&near, &idle, 0.0), Some(T0 + Duration::minutes(30)));
    }

    #[test]
    fn what_cannot_be_renewed_needs_a_human_when_it_ends() {
        let end = TokenClock { renewable: false, ..clock(Some(Duration::days(60)), None) };
        assert_eq!(due_at(&end, &PLAIN, 0.9), Some(T0 + Duration::days(60)));
        assert_eq!(needs_human_by(&end, &PLAIN, false), Some(T0 + Duration::days(60)));
    }

    #[test]
    fn a_human_is_needed_at_a_fixed_end_or_when_refreshing_fails() {
        let clock = clock(Some(Duration::hours(1)), Some(Duration::days(90)));
        let fixed = Policy { fixed: true, ..PLAIN };
        let end = Some(T0 + Duration::days(90));
        assert_eq!(needs_human_by(&clock, &fixed, false), end);
        assert_eq!(needs_human_by(&clock, &PLAIN, false), None);
        assert_eq!(needs_human_by(&clock, &PLAIN, true), end);
        let machine = Policy { by_client_credentials: true, ..PLAIN };
        assert_eq!(needs_human_by(&clock, &machine, true), None);
    }
}
