//! What happened, told when something went wrong.

use std::fmt;

use super::{
    executor::{Micros, SECOND},
    provider::Said,
};
use crate::domain::connection::{Reason, StateName};

#[derive(Clone, Debug)]
#[expect(dead_code, reason = "a history is told by what `Debug` makes of it")]
pub enum Event {
    Claimed { replica: usize, generation: i64, is_orphan: bool, is_forced: bool },
    Sent { request: usize, token: usize, replica: usize },
    Answered { request: usize, said: Said },
    Received { request: usize, said: Said },
    Journaled { replica: usize, token: Option<usize> },
    Replaying { replica: usize, token: Option<usize> },
    Stored { state: StateName, reason: Option<Reason>, generation: i64, token: Option<usize> },
    Held { is_held: bool },
    Consented { token: usize },
    Withdrawn,
    Crashed { replica: usize, place: &'static str },
    Started { replica: usize },
    Stopping { replica: usize },
    Paused { replica: usize, until: Micros },
    CutOff { replica: usize, until: Micros, is_silent: bool },
    StoreAway { until: Micros },
    StoreFrozen { until: Micros },
    StoreRestarted,
    Outage { until: Micros },
    SecretReplaced,
    SecretEntered,
    Canary,
    Refusing { until: Micros },
    IncidentBegan,
    IncidentOver,
    SwitchedOff,
    SwitchedOn,
    Resumed,
    Condemned,
    ClockJumped { by: Micros },
    Healed,
}

/// An event with when it was, and of which connection; `None`: of all.
pub struct Entry {
    pub at: Micros,
    pub connection: Option<usize>,
    pub event: Event,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.at as f64 / SECOND as f64;
        write!(f, "{seconds:>13.6} {:?}", self.event)
    }
}
