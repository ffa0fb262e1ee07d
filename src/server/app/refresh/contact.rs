//! Whether the database has been in touch for a while.
//!
//! When it comes back after it was away, other replicas may hold answers that it did not take, for
//! connections whose leases ran out meanwhile. They bring them within moments. Until then nobody else
//! takes these connections over: the refresh token that is stored may be spent.

use std::sync::{Mutex, OnceLock, PoisonError};

use time::Duration;

use super::intent::UNDER_WAY;

/// Nothing heard for longer than this: it was away, or we were not there. The worker looks every second,
/// or waits for a slow database; a lease that is prolonged in time outlives a silence of this length.
const GAP: Duration = Duration::seconds(20);
/// How long those who have answers are given to bring them. Until the database gives up what it holds
/// for clients that are gone (`start::GIVE_UP`), their rows are in nobody's reach.
const WAIT: Duration = Duration::seconds(8);
/// So much of the time between two answers counts as given, at most: while the database is silent nobody
/// can bring anything.
const STEP: Duration = Duration::seconds(3);

/// How long after a jump of the database's clock nothing is taken over: whoever lives prolongs what it
/// holds more often.
const JUMP: Duration = Duration::seconds(20);

/// Nobody looks back farther for what a jump may hide.
const FARTHEST: Duration = Duration::days(1);

#[derive(Default)]
pub struct Contact {
    /// When the database was heard last, and how much longer to wait since it came back.
    heard: Mutex<Option<(Duration, Duration)>>,
    /// When the database's clock was last seen to have jumped, and by how much it went forward in all.
    jumped: Mutex<Option<(Duration, Duration)>>,
    /// When it was first asked for.
    since: OnceLock<Duration>,
}

impl Contact {
    /// Notes that the database answered when `elapsed` had passed on a clock that never jumps. Whether
    /// it has done so for a while.
    pub fn heard(&self, elapsed: Duration) -> bool {
        let mut contact = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = match *contact {
            Some((last, wait)) if elapsed - last <= GAP => {
                (wait - (elapsed - last).min(STEP)).max(Duration::ZERO)
            }
            _ => WAIT,
        };
        *contact = Some((elapsed, wait));
        wait.is_zero()
    }

    /// Notes that the database kept us waiting for longer than it takes to answer: others too, perhaps, and
    /// among them those who have answers. It is as after a silence.
    pub fn kept_waiting(&self, elapsed: Duration) {
        let mut contact = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let left = contact.map_or(WAIT, |(_, wait)| wait.max(WAIT));
        *contact = Some((elapsed, left));
    }

    /// Notes that the database's clock jumped when `elapsed` had passed: leases may have ended while those
    /// who hold them live. They are given the time to prolong them. `by`: how far it went forward.
    pub fn shaken(&self, elapsed: Duration, by: Duration) {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Some((elapsed, JUMP));
        let before = self.jumped(elapsed);
        let by = (before + by).clamp(Duration::ZERO, FARTHEST);
        *self.jumped.lock().unwrap_or_else(PoisonError::into_inner) = Some((elapsed, by));
    }

    /// How much longer ago than it was, by the database's clock, what may still be under way seems to have
    /// begun: that clock went forward meanwhile.
    pub fn jumped(&self, elapsed: Duration) -> Duration {
        match *self.jumped.lock().unwrap_or_else(PoisonError::into_inner) {
            Some((at, by)) if elapsed - at <= UNDER_WAY => by,
            _ => Duration::ZERO,
        }
    }

    /// Whether the database's clock has not jumped for as long as anything may be under way, as far as we know,
    /// who have to be there for so long to know it.
    pub fn is_steady(&self, elapsed: Duration) -> bool {
        let since = *self.since.get_or_init(|| elapsed);
        let jumped = *self.jumped.lock().unwrap_or_else(PoisonError::into_inner);
        let since = jumped.map_or(since, |(at, _)| at.max(since));
        elapsed - since > UNDER_WAY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_each_silence_some_time_goes_by() {
        let contact = Contact::default();
        let heard = |seconds| contact.heard(Duration::seconds_f64(seconds));
        assert_eq!(
            [0.0, 2.0, 5.0, 7.9, 8.0, 9.0, 11.9].map(heard),
            [false, false, false, false, true, true, true]
        );
        // A look that takes its time is no silence.
        assert_eq!([15.0, 30.0].map(heard), [true, true]);
        assert_eq!([51.0, 54.0, 56.5, 59.0].map(heard), [false, false, false, true]);
    }

    /// It came back and fell silent again before anybody could bring an answer.
    #[test]
    fn a_silence_is_no_time_to_bring_answers() {
        let contact = Contact::default();
        let heard = |seconds| contact.heard(Duration::seconds_f64(seconds));
        assert_eq!([0.0, 14.8, 17.8].map(heard), [false, false, false]);
        // Looks that are slow, one after the other, are enough in the end.
        assert_eq!([22.8, 37.8].map(heard), [true, true]);
    }

    #[test]
    fn after_a_jump_of_the_clock_holders_have_time_to_prolong() {
        let contact = Contact::default();
        let heard = |seconds| contact.heard(Duration::seconds_f64(seconds));
        assert_eq!([0.0, 3.0, 6.0, 9.0].map(heard), [false, false, false, true]);
        contact.shaken(Duration::seconds(11), Duration::ZERO);
        assert!((11..31).all(|second| !heard(f64::from(second))));
        assert!(heard(31.0));
    }

    #[test]
    fn a_clock_is_steady_once_it_has_not_jumped_for_a_while() {
        let contact = Contact::default();
        let steady = |at| contact.is_steady(Duration::seconds(at));
        assert_eq!([10, 60, 61].map(steady), [false, false, true]);
        contact.shaken(Duration::seconds(70), Duration::minutes(-20));
        assert_eq!([70, 120, 121].map(steady), [false, false, true]);
    }

    /// What is under way began so much longer ago by a clock that went forward meanwhile.
    #[test]
    fn what_is_under_way_is_found_across_a_jump() {
        let contact = Contact::default();
        let jumped = |at| contact.jumped(Duration::seconds(at));
        assert_eq!(jumped(0), Duration::ZERO);
        contact.shaken(Duration::seconds(10), Duration::minutes(7));
        assert_eq!([jumped(10), jumped(60)], [Duration::minutes(7); 2]);
        contact.shaken(Duration::seconds(30), Duration::minutes(2));
        assert_eq!(jumped(61), Duration::minutes(9));
        contact.shaken(Duration::seconds(70), Duration::minutes(-20));
        assert_eq!(jumped(70), Duration::ZERO);
        contact.shaken(Duration::seconds(80), Duration::minutes(1));
        assert_eq!([jumped(80), jumped(131)], [Duration::minutes(1), Duration::ZERO]);
    }
}
