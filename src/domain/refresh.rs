//! What follows from the answer to a refresh: the decision, without any I/O.
//!
//! Every verdict, delay and state stands here, so that it can be tested as a table
//! (DESIGN section 3, points 3 and 6).
//!
//! An answer that was lost after its request was sent leaves a doubt: the provider may have replaced the
//! refresh token, and the new one may never come. What follows:
//!
//! - The same token is asked with once more *soon*: within the grace window where the provider has one,
//!   and before anybody has noticed where it has none.
//! - If that answer is lost too, the token is asked with again and again, ever later. Two lost answers are
//!   what an outage looks like in which requests vanish, and no outage condemns anybody; a token that was
//!   replaced is not replaced twice, so that patience costs nothing.
//! - Whatever the provider says in the end decides it. A grant: nothing was lost. A refusal: the new token
//!   was lost with the answer (`rotation_lost`); or consent was withdrawn (`revoked`), where the provider
//!   never replaces refresh tokens, so that none can have been lost.

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{
    attempt::Verdict,
    connection::{Reason, State, StateName},
    refusal::ErrorClass,
};

/// The first retry of a transient failure comes within this time; each further one within twice
/// the time before.
const BACKOFF_BASE: Duration = Duration::seconds(10);
const BACKOFF_CAP: Duration = Duration::minutes(15);
/// A provider that finds our request malformed will not think better of it in seconds.
const REQUEST_BACKOFF_BASE: Duration = Duration::minutes(5);
const REQUEST_BACKOFF_CAP: Duration = Duration::hours(6);
/// An answer that was lost is asked for again soon: grace windows are short.
const DOUBT_DELAY: Duration = Duration::seconds(2);
/// No provider may put a connection off for longer than this.
const RETRY_AFTER_CAP: Duration = Duration::hours(24);
/// How soon a connection is looked at again when its client was refused; it waits for the client.
const CLIENT_REFUSED_DELAY: Duration = Duration::minutes(1);

/// The connection as it was when the request went out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Situation {
    pub state: StateName,
    /// Failed tries since the last success.
    pub failures: u32,
    /// An earlier answer was lost and nothing has succeeded since.
    pub doubtful: bool,
    pub refresh_expires_at: Option<OffsetDateTime>,
    /// How long a replaced refresh token still works, where the provider says so.
    pub grace: Option<Duration>,
    /// Whether the provider ever replaces a refresh token.
    pub rotates: bool,
}

/// What the provider answered, when it was not a token set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    pub class: ErrorClass,
    /// From `Retry-After` (RFC 9110 section 10.2.3).
    pub retry_after: Option<Duration>,
    /// The provider failed after it had the request, and may have rotated the token before it did.
    pub may_have_acted: bool,
    /// The request was made with a secret that is not proved. Some servers answer to a wrong secret as
    /// they do to a dead grant, so that a refusal proves nothing.
    pub unproved: bool,
}

/// What follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Next {
    pub state: State,
    pub verdict: Verdict,
    pub failures: u32,
    /// When to act again; `None`: not until a person has.
    pub due_at: Option<OffsetDateTime>,
    /// Whether an answer remains lost.
    pub doubtful: bool,
}

/// Decides what follows from a refusal. `jitter` is a fraction in 0..1.
pub fn refused(
    situation: &Situation,
    answer: Refused,
    attempt_id: Uuid,
    now: OffsetDateTime,
    jitter: f64,
) -> Next {
    let failures = situation.failures.saturating_add(1);
    let condemned = |reason| Next {
        state: State::NeedsReauth { reason, since: now },
        verdict: Verdict::Condemned,
        failures,
        due_at: None,
        doubtful: false,
    };
    let retry = |base, cap| {
        let next_at = now + delay(base, cap, failures, answer.retry_after, jitter);
        Next {
            state: State::Retrying { attempts: failures, next_at, last_error: answer.class },
            verdict: Verdict::Postponed,
            failures,
            due_at: Some(next_at),
            doubtful: situation.doubtful || answer.may_have_acted,
        }
    };
    match answer.class {
        ErrorClass::GrantRefused | ErrorClass::ScopeRefused if answer.unproved => {
            Next { verdict: Verdict::Suspended, ..retry(BACKOFF_BASE, BACKOFF_CAP) }
        }
        ErrorClass::GrantRefused => condemned(why_refused(situation, now)),
        ErrorClass::ScopeRefused => condemned(Reason::ScopeMissing),
        ErrorClass::ClientRefused => Next {
            state: as_before(situation, attempt_id, now),
            verdict: Verdict::ClientRefused,
            failures: situation.failures,
            due_at: Some(now + CLIENT_REFUSED_DELAY),
            doubtful: situation.doubtful,
        },
        ErrorClass::RequestRefused => retry(REQUEST_BACKOFF_BASE, REQUEST_BACKOFF_CAP),
        ErrorClass::RateLimited | ErrorClass::Transient => retry(BACKOFF_BASE, BACKOFF_CAP),
        ErrorClass::AnswerLost => {
            let due_at = if situation.doubtful {
                now + delay(BACKOFF_BASE, BACKOFF_CAP, failures, answer.retry_after, jitter)
            } else {
                // Well within the grace window, if there is one.
                let grace = situation.grace.map_or(DOUBT_DELAY, |grace| grace / 4);
                now + grace.min(DOUBT_DELAY) * (0.5 + jitter)
            };
            Next {
                state: State::InDoubt { attempt_id },
                verdict: Verdict::InDoubt,
                failures,
                due_at: Some(due_at),
                doubtful: true,
            }
        }
    }
}

/// Whether whoever says this as a status may have passed the request on, or broken off in its midst. Proxies have
/// statuses of their own beyond those of RFC 9110.
pub fn may_have_acted(status: u16) -> bool {
    status >= 500 && !matches!(status, 501 | 503 | 505)
}

/// The state that the connection was in. What it carries does not matter to whoever only keeps it.
fn as_before(situation: &Situation, attempt_id: Uuid, now: OffsetDateTime) -> State {
    match situation.state {
        StateName::Pending => State::Pending,
        StateName::Active | StateName::NeedsReauth => State::Active,
        StateName::Retrying => State::Retrying {
            attempts: situation.failures,
            next_at: now,
            last_error: ErrorClass::Transient,
        },
        StateName::InDoubt => State::InDoubt { attempt_id },
        StateName::Disconnected => State::Disconnected,
    }
}

/// A refused refresh token was revoked, unless there is a better explanation.
fn why_refused(situation: &Situation, now: OffsetDateTime) -> Reason {
    if situation.refresh_expires_at.is_some_and(|end| end <= now) {
        Reason::RefreshTokenExpired
    } else if situation.doubtful && situation.rotates {
        Reason::RotationLost
    } else {
        Reason::Revoked
    }
}

/// Exponential backoff with full jitter, never sooner than the provider asks.
fn delay(
    base: Duration,
    cap: Duration,
    failures: u32,
    retry_after: Option<Duration>,
    jitter: f64,
) -> Duration {
    let doublings = failures.saturating_sub(1).min(20);
    let window = base.saturating_mul(1 << doublings).min(cap);
    // Never at once: a server that fails is not helped by an immediate second call.
    let backoff = Duration::seconds(1) + window * jitter;
    match retry_after {
        Some(asked) => asked.clamp(Duration::ZERO, RETRY_AFTER_CAP) + Duration::seconds(5) * jitter,
        None => backoff,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-01-01 00:00 UTC);
    const ATTEMPT: Uuid = Uuid::from_u128(7);

    fn calm() -> Situation {
        Situation {
            state: StateName::Active,
            failures: 0,
            doubtful: false,
            refresh_expires_at: None,
            grace: None,
            rotates: true,
        }
    }

    fn next(situation: &Situation, class: ErrorClass) -> Next {
        refused(
            situation,
            Refused { class, retry_after: None, may_have_acted: false, unproved: false },
            ATTEMPT,
            NOW,
            0.5,
        )
    }

    #[test]
    fn only_a_refused_grant_or_scope_condemns() {
        for class in ErrorClass::ALL {
            let condemns = matches!(class, ErrorClass::GrantRefused | ErrorClass::ScopeRefused);
            for failures in [0, 1, 50, u32::MAX] {
                let next = next(&Situation { failures, ..calm() }, class);
                assert_eq!(next.verdict == Verdict::Condemned, condemns, "{class:?}");
                assert_eq!(matches!(next.state, State::NeedsReauth { .. }), condemns, "{class:?}");
                assert_eq!(next.due_at.is_none(), condemns, "{class:?} must be tried again");
            }
        }
    }

    #[test]
    fn a_refusal_of_an_unproved_secret_condemns_nothing() {
        for class in ErrorClass::ALL {
            let answer =
                Refused { class, retry_after: None, may_have_acted: false, unproved: true };
            let next = refused(&calm(), answer, ATTEMPT, NOW, 0.5);
            let suspends = matches!(class, ErrorClass::GrantRefused | ErrorClass::ScopeRefused);
            assert_eq!(next.verdict == Verdict::Suspended, suspends, "{class:?}");
            assert_ne!(next.verdict, Verdict::Condemned, "{class:?}");
            assert!(next.due_at.is_some_and(|due| due > NOW), "{class:?}");
        }
    }

    #[test]
    fn the_reason_tells_a_lost_rotation_from_a_revocation() {
        let reason = |situation: &Situation| match next(situation, ErrorClass::GrantRefused).state {
            State::NeedsReauth { reason, .. } => reason,
            other => panic!("{other:?}"),
        };
        assert_eq!(reason(&calm()), Reason::Revoked);
        assert_eq!(reason(&Situation { doubtful: true, ..calm() }), Reason::RotationLost);
        let steady = Situation { doubtful: true, rotates: false, ..calm() };
        assert_eq!(reason(&steady), Reason::Revoked, "none was to be lost");
        let expired = Situation { refresh_expires_at: Some(NOW), doubtful: true, ..calm() };
        assert_eq!(reason(&expired), Reason::RefreshTokenExpired);
    }

    #[test]
    fn a_refused_client_leaves_the_connection_as_it_was() {
        let retrying = Situation { state: StateName::Retrying, failures: 2, ..calm() };
        for situation in [calm(), retrying] {
            let next = next(&situation, ErrorClass::ClientRefused);
            assert_eq!(next.state.name(), situation.state);
            assert_eq!(next.failures, situation.failures);
            assert_eq!(next.verdict, Verdict::ClientRefused);
        }
    }

    #[test]
    fn backoff_grows_to_its_cap_and_heeds_retry_after() {
        let after = |failures, retry_after| {
            let situation = Situation { failures, ..calm() };
            let class = ErrorClass::RateLimited;
            let answer = Refused { class, retry_after, may_have_acted: false, unproved: false };
            refused(&situation, answer, ATTEMPT, NOW, 0.5).due_at.unwrap() - NOW
        };
        assert_eq!(after(0, None), Duration::seconds(6));
        assert_eq!(after(1, None), Duration::seconds(11));
        assert_eq!(after(2, None), Duration::seconds(21));
        assert_eq!(after(30, None), Duration::seconds(1) + BACKOFF_CAP / 2);
        assert!(after(0, Some(Duration::hours(2))) >= Duration::hours(2));
        assert!(after(0, Some(Duration::days(900))) <= Duration::days(2));
        assert!(after(0, Some(Duration::seconds(-5))) >= Duration::ZERO);
    }

    #[test]
    fn a_lost_answer_is_asked_for_again_at_once_and_then_with_patience() {
        let first = next(&calm(), ErrorClass::AnswerLost);
        assert_eq!(first.state, State::InDoubt { attempt_id: ATTEMPT });
        assert!(first.doubtful);
        assert!(first.due_at.unwrap() - NOW <= Duration::seconds(3));
        // Doubt outlives a transient failure, so that a later refusal is explained rightly.
        let doubtful = Situation { doubtful: true, failures: 1, ..calm() };
        assert!(next(&doubtful, ErrorClass::Transient).doubtful);
        // A short grace window is not missed.
        let graceful = Situation { grace: Some(Duration::seconds(2)), ..calm() };
        assert!(
            next(&graceful, ErrorClass::AnswerLost).due_at.unwrap() - NOW < Duration::seconds(1)
        );
    }

    #[test]
    fn what_breaks_off_behind_a_proxy_may_have_acted() {
        for status in [500, 502, 504, 507, 520, 524, 599] {
            assert!(may_have_acted(status), "{status}");
        }
        for status in [200, 302, 400, 401, 429, 499, 501, 503, 505] {
            assert!(!may_have_acted(status), "{status}");
        }
    }

    /// Whatever the jitter, and however short the window is.
    #[test]
    fn the_soon_retry_is_inside_the_grace_window() {
        let seconds = [1, 2, 5, 10, 30, 60, 600, 86_400];
        for grace in seconds.map(Duration::seconds) {
            for jitter in [0.0, 0.5, 0.999_999] {
                let situation = Situation { grace: Some(grace), ..calm() };
                let after = after(&situation, &LOST, jitter).due_at.unwrap() - NOW;
                assert!(after.is_positive() && after < grace / 2, "{after} of {grace}");
            }
        }
    }

    const LOST: Refused = Refused {
        class: ErrorClass::AnswerLost,
        retry_after: None,
        may_have_acted: false,
        unproved: false,
    };

    fn after(situation: &Situation, answer: &Refused, jitter: f64) -> Next {
        refused(situation, *answer, ATTEMPT, NOW, jitter)
    }

    /// From the first answer that was lost to the one that decides, at providers of each kind.
    #[test]
    fn a_doubt_lasts_until_an_answer_decides() {
        use ErrorClass::{AnswerLost, GrantRefused, RateLimited, Transient};
        let ends = |rotates, refresh_expires_at, classes: &[ErrorClass]| {
            let mut situation = Situation { rotates, refresh_expires_at, ..calm() };
            let mut waits = Vec::new();
            for class in classes {
                let answer = Refused { class: *class, ..LOST };
                let next = after(&situation, &answer, 0.999);
                waits.extend(next.due_at.map(|due| (due - NOW).whole_seconds()));
                situation.state = next.state.name();
                situation.failures = next.failures;
                situation.doubtful = next.doubtful;
                if let State::NeedsReauth { reason, .. } = next.state {
                    return (Some(reason), waits);
                }
            }
            assert!(situation.doubtful, "nothing has told what became of the answer");
            (None, waits)
        };
        for (rotates, expires_at, classes, reason) in [
            (true, None, &[AnswerLost, GrantRefused][..], Some(Reason::RotationLost)),
            (true, None, &[AnswerLost, AnswerLost, GrantRefused], Some(Reason::RotationLost)),
            (
                true,
                None,
                &[AnswerLost, Transient, RateLimited, GrantRefused],
                Some(Reason::RotationLost),
            ),
            (false, None, &[AnswerLost, AnswerLost, GrantRefused], Some(Reason::Revoked)),
            (true, Some(NOW), &[AnswerLost, GrantRefused], Some(Reason::RefreshTokenExpired)),
            (true, None, &[AnswerLost; 40], None),
            (false, None, &[AnswerLost; 40], None),
        ] {
            assert_eq!(ends(rotates, expires_at, classes).0, reason, "{classes:?}");
        }
        // Soon, then ever later.
        let (_, waits) = ends(true, None, &[AnswerLost; 12]);
        assert_eq!(waits[..5], [2, 20, 40, 80, 160]);
        assert_eq!(waits[11], 15 * 60);
    }

    #[test]
    fn a_provider_that_failed_in_the_middle_may_have_rotated() {
        let failed = Refused {
            class: ErrorClass::Transient,
            retry_after: None,
            may_have_acted: true,
            unproved: false,
        };
        let after = refused(&calm(), failed, ATTEMPT, NOW, 0.5);
        assert_eq!((after.state.name(), after.doubtful), (StateName::Retrying, true));
        // It was not there at all: nothing can have happened.
        let absent = next(&calm(), ErrorClass::Transient);
        assert!(!absent.doubtful);
    }
}
