//! The refreshes that a sample connection has behind it.

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{
    sample::{Times, micros, pick},
    words,
};
use crate::{
    domain::{
        attempt::{Trigger, Verdict},
        connection::StateName,
        refusal::ErrorClass,
    },
    server::{clock::Rng, store::demo::AttemptRow},
};

const REPLICAS: [&str; 3] = ["web-1", "web-2", "worker-1"];

pub struct History {
    pub attempts: Vec<AttemptRow>,
    /// After all of them.
    pub generation: i64,
}

/// The attempts, oldest first: refreshes that went well with a failure now and then, and at the
/// end what led to the present state.
pub fn of(
    rng: &dyn Rng,
    ids: (Uuid, Uuid),
    state: StateName,
    times: &Times,
    attempts: u32,
) -> History {
    let mut history = History { attempts: Vec::new(), generation: 1 };
    if state == StateName::Pending {
        return History { generation: 0, ..history };
    }
    let last: &[Verdict] = match state {
        StateName::Retrying => &[Verdict::Postponed],
        StateName::InDoubt => &[Verdict::InDoubt],
        StateName::NeedsReauth => &[Verdict::Condemned],
        _ => &[],
    };
    let count = usize::try_from(attempts).unwrap_or_default();
    let earlier = count.saturating_sub(last.len());
    history.attempts.reserve_exact(count);
    for back in (0..earlier).rev() {
        // The newest of these gave the tokens that are held.
        let failed = back > 0 && rng.fraction() < 0.03;
        let verdict = if failed { Verdict::Postponed } else { Verdict::Refreshed };
        let at = times.obtained_at - times.wait * f64::from(u32::try_from(back).unwrap_or(0));
        history.add(rng, ids, verdict, at);
    }
    for verdict in last.iter().take(count) {
        history.add(rng, ids, *verdict, times.since);
    }
    history
}

impl History {
    fn add(
        &mut self,
        rng: &dyn Rng,
        (connection_id, client_id): (Uuid, Uuid),
        verdict: Verdict,
        at: OffsetDateTime,
    ) {
        let (error_class, status, error_code, error_description) = match verdict {
            Verdict::Refreshed => (None, Some(200), None, None),
            Verdict::Condemned => {
                let text = Some("Token has been expired or revoked.");
                (Some(ErrorClass::GrantRefused), Some(400), Some("invalid_grant"), text)
            }
            Verdict::InDoubt => (Some(ErrorClass::AnswerLost), None, None, None),
            _ => {
                let text = Some(pick(rng, &words::TROUBLE));
                (Some(ErrorClass::Transient), Some(503), None, text)
            }
        };
        let granted = verdict == Verdict::Refreshed;
        let before = match self.attempts.last() {
            Some(last) => {
                last.fingerprint_after.as_ref().unwrap_or(&last.fingerprint_before).clone()
            }
            None => fingerprint(rng),
        };
        let generation = self.generation;
        self.generation += i64::from(granted);
        let trigger = match rng.fraction() {
            ..0.97 => Trigger::Schedule,
            ..0.99 => Trigger::Demand,
            _ => Trigger::Manual,
        };
        self.attempts.push(AttemptRow {
            id: rng.uuid(at),
            connection_id,
            client_id,
            lease_id: rng.uuid(at),
            trigger,
            actor: if trigger == Trigger::Schedule { "worker" } else { "Nightly export" },
            started_at: micros(at),
            finished_at: micros(
                at + Duration::milliseconds(60) + Duration::SECOND * rng.fraction(),
            ),
            verdict,
            error_class,
            status,
            error_code,
            error_description,
            generation_before: generation,
            generation_after: granted.then_some(generation + 1),
            fingerprint_before: before,
            fingerprint_after: granted.then(|| fingerprint(rng)),
            replica: pick(rng, &REPLICAS),
        });
    }
}

fn fingerprint(rng: &dyn Rng) -> String {
    let mut bytes = [0; 12];
    rng.fill(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
