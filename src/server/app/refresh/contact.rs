//! Whether the database has been in touch for a while.
//!
//! When it comes back after it was away, other replicas may hold answers that it did not take, for
//! connections whose leases ran out meanwhile. They bring them within moments. Until then nobody else
//! takes these connections over: the refresh token that is stored may be spent.

use std::sync::{Mutex, PoisonError};

use time::Duration;

/// Nothing heard for longer than this: it was away, or we were not there. The worker looks every second.
const GAP: Duration = Duration::seconds(3);
/// How long those who have answers are given to bring them. Until the database gives up what it holds
/// for clients that are gone (`start::GIVE_UP`), their rows are in nobody's reach.
const WAIT: Duration = Duration::seconds(8);

/// When the database was heard last, and until when to wait since it came back.
#[derive(Default)]
pub struct Contact(Mutex<Option<(Duration, Duration)>>);

impl Contact {
    /// Notes that the database answered when `elapsed` had passed on a clock that never jumps. Whether
    /// it has done so for a while.
    pub fn heard(&self, elapsed: Duration) -> bool {
        let mut contact = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let until = match *contact {
            Some((last, until)) if elapsed - last <= GAP => until,
            _ => elapsed + WAIT,
        };
        *contact = Some((elapsed, until));
        elapsed >= until
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
        assert_eq!([15.0, 18.0, 20.5, 23.0].map(heard), [false, false, false, true]);
    }
}
