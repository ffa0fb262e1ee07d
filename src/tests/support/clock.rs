//! A clock that goes by the database's, as those of processes do.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicI64, Ordering},
};

use time::{Duration, OffsetDateTime};

use crate::server::{
    app::App,
    clock::{Clock, SystemClock},
};

/// The system's clock as a process sees it, but for the time that passes: that is told.
pub struct Told {
    seconds: AtomicI64,
    /// So many pass whenever it is asked.
    pub each: AtomicI64,
    /// How far the time of day is ahead.
    pub ahead: AtomicI64,
    /// How far it is off when it is next compared with the database's.
    pub off: Mutex<Duration>,
}

impl Told {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            seconds: AtomicI64::new(0),
            each: AtomicI64::new(0),
            ahead: AtomicI64::new(0),
            off: Mutex::new(Duration::ZERO),
        })
    }

    pub fn pass(&self, seconds: i64) {
        self.seconds.fetch_add(seconds, Ordering::Relaxed);
    }

    /// The database answers for long enough, though slowly: that is no silence.
    pub fn keep_in_touch(&self, app: &App) {
        for _ in 0..3 {
            self.pass(5);
            app.database_was_heard();
        }
    }
}

impl Clock for Told {
    fn now(&self) -> OffsetDateTime {
        let ahead = Duration::seconds(self.ahead.load(Ordering::Relaxed));
        SystemClock::new().now() + ahead
    }

    fn elapsed(&self) -> Duration {
        let each = self.each.load(Ordering::Relaxed);
        Duration::seconds(self.seconds.fetch_add(each, Ordering::Relaxed))
    }

    fn agree(&self, _shared: OffsetDateTime) -> Duration {
        let ahead = Duration::seconds(self.ahead.load(Ordering::Relaxed));
        std::mem::take(&mut *self.off.lock().unwrap()) + ahead
    }
}
