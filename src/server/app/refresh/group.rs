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
        attempt::{Ended, Ending},
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
        // All lock rows in one order.
        let mut sorted: Vec<&Outcome> = outcomes.iter().collect();
        sorted.sort_by_key(|outcome| outcome.fence.id);
        for outcome in sorted {
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
    let heard = |verdict: &Verdict| *verdict != Verdict::InDoubt || outcome.verdict() == *verdict;
    if let Some(verdict) = verdict.filter(heard) {
        return Saved::Done(verdict);
    }
    let Fence { id, generation, .. } = outcome.fence;
    // Whether someone holds it does not matter: who held it when the change was refused may have ended
    // since, and then the next offer is taken.
    let waits = matches!(outcome.change, Change::Renew(..))
        && standing.iter().any(|standing| {
            standing.id == id && standing.generation == generation && !standing.is_over
        });
    if waits { Saved::Busy } else { Saved::Done(Verdict::Superseded) }
}

fn is_superseded(saved: Option<&Saved>) -> bool {
    matches!(saved, Some(Saved::Done(Verdict::Superseded)) | None)
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
                // It has its verdict from before.
                Some(_) if !is_superseded(saved.get(&attempt_id)) => {}
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

/// How many ended how.
pub fn by_verdict(ended: &[Ended]) -> Vec<(Verdict, i64)> {
    let count = |verdict| ended.iter().filter(|ended| ended.verdict == verdict).count();
    Verdict::ALL
        .into_iter()
        .map(|verdict| (verdict, i64::try_from(count(verdict)).unwrap_or(i64::MAX)))
        .filter(|(_, count)| *count > 0)
        .collect()
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;
    use crate::domain::attempt::Trigger;

    const ID: Uuid = Uuid::from_u128(1);

    fn grant() -> Outcome {
        let now = OffsetDateTime::UNIX_EPOCH;
        let renewal = Renewal {
            scopes_granted: None,
            has_refresh_token: true,
            obtained_at: now,
            access_expires_at: None,
            refresh_expires_at: None,
            needs_human_by: None,
            due_at: None,
        };
        let set = TokenSet {
            connection_id: ID,
            generation: 4,
            sealed_access_token: None,
            sealed_refresh_token: None,
            sealed_extras: None,
            token_type: "Bearer".into(),
            fingerprint: None,
            obtained_at: now,
        };
        Outcome {
            fence: Fence { id: ID, lease_id: Uuid::from_u128(2), generation: 3 },
            client_id: Uuid::from_u128(3),
            attempt_id: Uuid::from_u128(4),
            trigger: Trigger::Schedule,
            name: String::new(),
            change: Change::Renew(renewal, set),
            ending: None,
            client: None,
        }
    }

    /// Between the refusal of a late grant and the look at why, its rival may have ended: who holds the
    /// connection by then says nothing.
    #[test]
    fn a_late_grant_waits_until_something_newer_is_there() {
        let standing = |generation, is_over| [Standing { id: ID, generation, is_over }];
        let superseded = Saved::Done(Verdict::Superseded);
        for verdict in [None, Some(Verdict::InDoubt)] {
            assert_eq!(refused(&grant(), verdict, &standing(3, false)), Saved::Busy);
            assert_eq!(refused(&grant(), verdict, &standing(4, false)), superseded);
            assert_eq!(refused(&grant(), verdict, &standing(3, true)), superseded);
            assert_eq!(refused(&grant(), verdict, &[]), superseded);
        }
        let doubt = Outcome {
            change: Change::Release(None),
            ending: Some(Ending {
                verdict: Verdict::InDoubt,
                error_class: None,
                status: None,
                error_code: None,
                error_description: None,
                generation_after: None,
                fingerprint_after: None,
            }),
            ..grant()
        };
        let unheard = Some(Verdict::InDoubt);
        assert_eq!(refused(&doubt, unheard, &standing(3, false)), Saved::Done(Verdict::InDoubt));
        assert_eq!(refused(&doubt, None, &standing(3, false)), superseded);
        let before = Some(Verdict::Refreshed);
        let heard = Saved::Done(Verdict::Refreshed);
        assert_eq!(refused(&grant(), before, &standing(3, false)), heard);
    }
}
