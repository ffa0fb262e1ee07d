//! Points of the code at which a test has the process killed, to see that nothing is lost there.
//!
//! Built only with the feature `failpoints`; without it [`hit`] is nothing. With it, a process that
//! finds `REGRANT_FAILPOINT=sealed:3` kills itself when it comes to `sealed` for the third time;
//! after the colon a number with a point (`sealed:0.05`) is a chance at each time. If
//! `REGRANT_FAILPOINT_LOG` names a file, the point's name is appended to it just before, and after a
//! blank the connection whose answer is lost by that, where it is one.

#[cfg(not(feature = "failpoints"))]
use uuid::Uuid;

/// A refresh is leased, in a transaction that is not committed.
pub const CLAIMED: &str = "claimed";
/// Lease and intent are committed.
pub const INTENDED: &str = "intended";
/// The request is made up and about to leave.
pub const SENDING: &str = "sending";
/// The provider's answer is read to its end; nothing of it is kept yet.
pub const ANSWERED: &str = "answered";
/// The new token set is sealed, in memory only.
pub const SEALED: &str = "sealed";
/// The sealed token set is in the journal, synced.
pub const JOURNALED: &str = "journaled";
/// The outcome is written in a transaction that is not committed.
pub const SAVING: &str = "saving";
/// The outcome is committed.
pub const SAVED: &str = "saved";
/// A journal record is about to be replayed.
pub const REPLAYING: &str = "replaying";
/// A journal record is replayed and committed, but still in the journal.
pub const REPLAYED: &str = "replayed";

/// Says that the code has come to the point `name`.
#[cfg(not(feature = "failpoints"))]
#[inline]
pub fn hit(_name: &'static str) {}

/// Says that the code has come to the point `name`, maybe with an answer about a connection that is in memory only.
#[cfg(not(feature = "failpoints"))]
#[inline]
pub fn hit_with_answer(_name: &'static str, _connection_id: Option<Uuid>) {}

#[cfg(feature = "failpoints")]
pub use armed::{hit, hit_with_answer};

#[cfg(feature = "failpoints")]
mod armed {
    use std::{
        fs::OpenOptions,
        io::Write,
        sync::{
            LazyLock,
            atomic::{AtomicU64, Ordering},
        },
    };

    use nix::{
        sys::signal::{Signal, kill},
        unistd::Pid,
    };

    use uuid::Uuid;

    use crate::server::clock::{Rng, SystemRng};

    static ARMED: LazyLock<Option<Failpoint>> =
        LazyLock::new(|| Failpoint::parse(&std::env::var("REGRANT_FAILPOINT").ok()?));

    /// Says that the code has come to the point `name`, which may be the end of the process.
    pub fn hit(name: &'static str) {
        if is_it(name) {
            die(name);
        }
    }

    /// [`hit`], maybe with an answer about a connection that is in memory only.
    pub fn hit_with_answer(name: &'static str, connection_id: Option<Uuid>) {
        if is_it(name) {
            die(&connection_id.map_or_else(|| name.to_owned(), |id| format!("{name} {id}")));
        }
    }

    fn is_it(name: &str) -> bool {
        ARMED.as_ref().is_some_and(|armed| armed.name == name && armed.fires(SystemRng.fraction()))
    }

    fn die(last_words: &str) -> ! {
        let log = std::env::var_os("REGRANT_FAILPOINT_LOG")
            .and_then(|path| OpenOptions::new().create(true).append(true).open(path).ok());
        if let Some(mut log) = log {
            let _ = writeln!(log, "{last_words}");
        }
        // No destructor runs and nothing is flushed, as after `kill -9`.
        let _ = kill(Pid::this(), Signal::SIGKILL);
        loop {
            std::thread::park();
        }
    }

    pub(super) struct Failpoint {
        name: String,
        when: When,
        hits: AtomicU64,
    }

    enum When {
        Nth(u64),
        Chance(f64),
    }

    impl Failpoint {
        pub(super) fn parse(text: &str) -> Option<Self> {
            let (name, when) = text.split_once(':')?;
            let when = match when.parse() {
                Ok(nth) => When::Nth(nth),
                Err(_) => When::Chance(when.parse().ok()?),
            };
            Some(Self { name: name.to_owned(), when, hits: AtomicU64::new(0) })
        }

        /// Whether this time is the one. `fraction` is a random number in 0..1.
        pub(super) fn fires(&self, fraction: f64) -> bool {
            let count = self.hits.fetch_add(1, Ordering::Relaxed) + 1;
            match self.when {
                When::Nth(nth) => count == nth,
                When::Chance(chance) => fraction < chance,
            }
        }
    }
}

#[cfg(all(test, feature = "failpoints"))]
mod tests {
    use super::armed::Failpoint;

    #[test]
    fn a_number_counts_and_a_fraction_is_a_chance() {
        let third = Failpoint::parse("sealed:3").unwrap();
        let fired: Vec<bool> = (0..5).map(|_| third.fires(0.0)).collect();
        assert_eq!(fired, [false, false, true, false, false]);
        let chance = Failpoint::parse("sealed:0.25").unwrap();
        assert!(chance.fires(0.2) && !chance.fires(0.3));
        assert!(Failpoint::parse("sealed").is_none());
        assert!(Failpoint::parse("sealed:often").is_none());
    }
}
