//! Time and randomness, injected.
//!
//! Every rule that keeps a token alive is a rule about time, so no code below `main` asks the
//! operating system for it: tests move a [`ManualClock`] and repeat a [`SeededRng`]. `clippy.toml`
//! bans the direct calls.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration as StdDuration,
};

use nix::time::{ClockId, clock_gettime};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// Says what time it is.
pub trait Clock: Send + Sync + 'static {
    /// The present moment in UTC, to the microsecond: what PostgreSQL can store.
    fn now(&self) -> OffsetDateTime;

    /// How much time has passed since some fixed moment, whatever happens to the time of day.
    fn elapsed(&self) -> Duration {
        self.now() - OffsetDateTime::UNIX_EPOCH
    }

    /// What stands in for the database's clock, by which leases run; `None`: that clock itself.
    fn database(&self) -> Option<OffsetDateTime> {
        None
    }

    /// Follows the clock that all replicas share. How far this one was off.
    fn agree(&self, _shared: OffsetDateTime) -> Duration {
        Duration::ZERO
    }
}

/// The operating system's clock, read once; from then on time only passes, and the database's clock
/// sets it right. Whoever sets the machine's clock moves no expiry.
#[derive(Debug)]
pub struct SystemClock {
    /// The time of day at which nothing had elapsed, in microseconds since 1970.
    zero: AtomicI64,
}

impl SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that may ask")]
    pub fn new() -> Self {
        let clock = Self { zero: AtomicI64::new(0) };
        clock.agree(OffsetDateTime::now_utc());
        clock
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> OffsetDateTime {
        let zero = Duration::microseconds(self.zero.load(Ordering::Relaxed));
        to_micros(OffsetDateTime::UNIX_EPOCH + zero + self.elapsed())
    }

    fn elapsed(&self) -> Duration {
        // Time that the machine slept through is time that passed.
        #[cfg(target_os = "linux")]
        const CLOCK: ClockId = ClockId::CLOCK_BOOTTIME;
        #[cfg(not(target_os = "linux"))]
        const CLOCK: ClockId = ClockId::CLOCK_MONOTONIC;
        // The kernel has this clock, so this can't fail.
        let since = clock_gettime(CLOCK).map(StdDuration::from).unwrap_or_default();
        Duration::try_from(since).unwrap_or_default()
    }

    fn agree(&self, shared: OffsetDateTime) -> Duration {
        let off = self.now() - shared;
        let zero = shared - OffsetDateTime::UNIX_EPOCH - self.elapsed();
        self.zero
            .store(i64::try_from(zero.whole_microseconds()).unwrap_or_default(), Ordering::Relaxed);
        off
    }
}

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct ManualClock(Mutex<OffsetDateTime>);

impl ManualClock {
    pub fn new(now: OffsetDateTime) -> Self {
        Self(Mutex::new(to_micros(now)))
    }

    pub fn advance(&self, by: Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += by;
    }

    pub fn set(&self, now: OffsetDateTime) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = to_micros(now);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> OffsetDateTime {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn database(&self) -> Option<OffsetDateTime> {
        Some(self.now())
    }
}

fn to_micros(at: OffsetDateTime) -> OffsetDateTime {
    at.replace_nanosecond(at.nanosecond() / 1_000 * 1_000).unwrap_or(at)
}

/// A source of random bytes that are fit for keys.
pub trait Rng: Send + Sync + 'static {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);

    /// A number from 0 (included) to 1 (not included): what jitter is made of.
    fn fraction(&self) -> f64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        // 53 bits are what an f64 can hold without rounding up to 1.
        (u64::from_le_bytes(bytes) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A UUIDv7 (RFC 9562 section 5.7) of the moment `now`.
    fn uuid(&self, now: OffsetDateTime) -> Uuid {
        let mut bytes = [0; 10];
        self.fill(&mut bytes);
        let millis = u64::try_from(now.unix_timestamp_nanos() / 1_000_000).unwrap_or_default();
        uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid()
    }
}

/// The operating system's generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRng;

impl Rng for SystemRng {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that may ask")]
    fn fill(&self, bytes: &mut [u8]) {
        rand::rng().fill(bytes);
    }
}

/// A generator that gives the same bytes again for the same seed. For tests and sample data.
#[derive(Debug)]
pub struct SeededRng(Mutex<StdRng>);

impl SeededRng {
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(StdRng::seed_from_u64(seed)))
    }
}

impl Rng for SeededRng {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill(bytes);
    }
}
