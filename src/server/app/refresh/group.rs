//! A group of outcomes that is stored in one transaction: which changes it asks for, and what is to be
//! said of the outcomes whose changes were not taken. No I/O.

use std::collections::{HashMap, HashSet};

use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    decide::{Change, Outcome},
    engine::Saved,
};
use crate::{
    domain::attempt::Verdict,
    server::store::{
        attempt::Ending,
        connection::outcome::{Fence, Renewal, Setback, Standing},
        token_set::TokenSet,
    },
};

/// What a group asks for, by kind.
#[derive(Default)]
pub struct Changes<'a> {
    pub renewals: Vec<(Fence, &'a Renewal)>,
    /// The attempts that made the renewals, in the same order.
    pub attempts: Vec<Uuid>,
    pub sets: Vec<&'a TokenSet>,
    pub setbacks: Vec<(Fence, &'a Setback)>,
    pub releases: Vec<(Fence, &'a Option<OffsetDateTime>)>,
}

impl<'a> Changes<'a> {
    pub fn of(outcomes: &'a [Outcome]) -> Self {
        let mut changes = Self::default();
        for outcome in outcomes {
            match &outcome.change {
                Change::Renew(renewal, set) => {
                    changes.renewals.push((outcome.fence, renewal));
                    changes.attempts.push(outcome.attempt_id);
                    changes.sets.push(set);
                }
                Change::SetBack(setback) => changes.setbacks.push((outcome.fence, setback)),
                Change::Release(due_at) => changes.releases.push((outcome.fence, due_at)),
            }
        }
        changes
    }
}

/// The attempts whose changes were taken, from the connections that were changed.
pub fn taken(outcomes: &[Outcome], changed: &HashSet<Uuid>) -> HashSet<Uuid> {
    outcomes
        .iter()
        .filter(|outcome| changed.contains(&outcome.fence.id))
        .map(|outcome| outcome.attempt_id)
        .collect()
}

/// What became of an outcome that was not taken, from the verdict that its attempt has and how its
/// connection stands.
pub fn refused(outcome: &Outcome, verdict: Option<Verdict>, standing: &[Standing]) -> Saved {
    // It came through before, unheard.
    if let Some(verdict) = verdict.filter(|verdict| *verdict != Verdict::InDoubt) {
        return Saved::Done(verdict);
    }
    let Fence { id, generation, .. } = outcome.fence;
    let waits = matches!(outcome.change, Change::Renew(..))
        && standing.iter().any(|standing| {
            standing.id == id
                && standing.generation == generation
                && standing.is_held
                && !standing.is_over
        });
    if waits { Saved::Busy } else { Saved::Done(Verdict::Superseded) }
}

/// How attempts end.
#[derive(Default)]
pub struct Endings {
    /// Connection, attempt, and how it ended.
    pub ended: Vec<(Uuid, Uuid, Ending)>,
    /// Connections and attempts of which no request was made, so that nothing remains.
    pub withdrawn: (Vec<Uuid>, Vec<Uuid>),
}

impl Endings {
    pub fn of(outcomes: &[Outcome], taken: &HashSet<Uuid>, saved: &HashMap<Uuid, Saved>) -> Self {
        let mut endings = Self::default();
        for outcome in outcomes {
            let (id, attempt_id) = (outcome.fence.id, outcome.attempt_id);
            match &outcome.ending {
                None => {
                    endings.withdrawn.0.push(id);
                    endings.withdrawn.1.push(attempt_id);
                }
                Some(_) if saved.get(&attempt_id) == Some(&Saved::Busy) => {}
                Some(ending) if taken.contains(&attempt_id) => {
                    let verdict = match saved.get(&attempt_id) {
                        Some(Saved::Done(verdict)) => *verdict,
                        Some(Saved::Busy) | None => ending.verdict,
                    };
                    endings.ended.push((id, attempt_id, Ending { verdict, ..ending.clone() }));
                }
                Some(ending) => {
                    let superseded = Ending {
                        verdict: Verdict::Superseded,
                        generation_after: None,
                        ..ending.clone()
                    };
                    endings.ended.push((id, attempt_id, superseded));
                }
            }
        }
        endings
    }
}
