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

/// The shared clock was set.
#[derive(Clone, Copy)]
pub struct Jump {
    pub at: Micros,
    pub by: Micros,
}

/// By how much the shared clock is off the time that has passed.
#[derive(Default)]
pub struct Jumps {
    pub off: Micros,
    pub all: Vec<Jump>,
}

impl Jumps {
    /// By how much the clock was off within a time, at least and at most.
    pub fn range(&self, from: Micros, to: Micros) -> (Micros, Micros) {
        let before = self.all.iter().filter(|jump| jump.at <= from);
        let mut off: Micros = before.map(|jump| jump.by).sum();
        let (mut least, mut most) = (off, off);
        for jump in self.all.iter().filter(|jump| from < jump.at && jump.at <= to) {
            off += jump.by;
            (least, most) = (least.min(off), most.max(off));
        }
        (least, most)
    }
}

impl State {
    /// The shared clock is set.
    pub fn jump(&mut self, forward: bool) {
        let by = self.dice.spread(SECOND, HOUR) * if forward { 1 } else { -1 };
        self.jump_by(by);
    }

    pub fn jump_by(&mut self, by: Micros) {
        self.jumps.off += by;
        self.jumps.all.push(Jump { at: self.schedule.now, by });
        self.note_for_all(Event::ClockJumped { by });
    }
}

impl Process {
    /// `upkeep::check_clock`.
    pub fn check_clock(&self) {
        self.follow_clock();
        let mut state = self.world.state();
        let until = state.shared_time() + DEBT;
        state.db.tables.forget_debts(until);
    }

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
