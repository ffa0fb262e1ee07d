//! The database's clock, which all follow: it jumps, forward and back, and whoever notices trusts no lease
//! for a while (`upkeep::follow_clock`).

use std::sync::atomic::Ordering;

use time::Duration;

use super::{
    executor::{HOUR, Micros, SECOND},
    history::Event,
    replica::Process,
    world::{Broken, State},
};
use crate::server::app::upkeep::{CLOCK_TOLERANCE, DEBT};

/// By how much the shared clock is off the time that has passed.
#[derive(Default)]
pub struct Jumps {
    pub off: Micros,
    /// When it jumped.
    pub at: Vec<Micros>,
    /// It was set back at some time: what was to be done then is done late.
    pub went_back: bool,
}

impl State {
    /// The shared clock is set.
    pub fn jump(&mut self, forward: bool) {
        let by = self.dice.spread(SECOND, HOUR) * if forward { 1 } else { -1 };
        self.jumps.off += by;
        self.jumps.at.push(self.schedule.now);
        self.jumps.went_back |= by < 0;
        self.note_for_all(Event::ClockJumped { by });
    }
}

impl Process {
    /// `upkeep::follow_clock`.
    pub fn follow_clock(&self) {
        let mut state = self.world.state();
        let off = state.jumps.off;
        let was = self.agreed.swap(off, Ordering::Relaxed);
        if Duration::microseconds((was - off).abs()) > CLOCK_TOLERANCE {
            if state.broken != Broken::TrustsClocks {
                let by = Duration::microseconds(off - was);
                self.contact.shaken(Duration::microseconds(state.schedule.now), by);
            }
            let until = state.shared_time() + DEBT;
            state.db.tables.forget_debts(until);
        }
    }
}
