//! What follows from an answer, as rows to be written. No I/O, no clock, no randomness: all of these
//! come in as values. The rules themselves are in `domain::refresh` and `domain::schedule`.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::engine::Task;
use crate::{
    domain::{
        attempt::{Trigger, Verdict},
        connection::{LastError, Reason, State, StateName, is_seldom_told},
        provider::Rotation,
        refresh::{self, Next, Refused, Situation},
        refusal::ErrorClass,
        schedule,
    },
    server::{
        app::grant,
        provider::{Grant, Refusal},
        store::{
            attempt::Ending,
            connection::{
                lease::Leased,
                outcome::{Fence, Renewal, Setback},
            },
            token_set::TokenSet,
        },
    },
};

/// When a token is already dead as it comes (two clocks disagree), the next is asked for only then.
const DEAD_ON_ARRIVAL_DELAY: Duration = Duration::minutes(5);
/// No connection is refreshed more often than this by the schedule.
const LEAST_DELAY: Duration = Duration::seconds(5);
/// A connection whose refresh was not asked for after all is looked at again after this time.
const WITHDRAWN_DELAY: Duration = Duration::seconds(2);
/// No provider may put all of a client's connections off for longer than this.
pub(super) const PAUSE_CAP: Duration = Duration::hours(24);

/// What a refresh came to, as it is to be stored. Sealed, it can wait in the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    pub fence: Fence,
    pub client_id: Uuid,
    pub attempt_id: Uuid,
    pub trigger: Trigger,
    /// What people call the connection.
    pub name: String,
    pub change: Change,
    /// How the attempt ended; `None`: no request was made, so there was no attempt.
    pub ending: Option<Ending>,
    /// What is to be known of the client.
    pub client: Option<ClientNote>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Change {
    Renew(Renewal, TokenSet),
    SetBack(Setback),
    /// The lease is given back, and nothing else changes but the due time.
    Release(Option<OffsetDateTime>),
}

/// What an answer says of the client that asked, beyond the connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientNote {
    /// Its credentials of this generation are refused, in the provider's words.
    Rejected { said: String, secret_generation: i64 },
    /// It is to make no request before this moment.
    Pause { until: OffsetDateTime },
    /// Its next secret of this generation works.
    Proved { secret_generation: i64 },
}

impl Outcome {
    /// When the connection is to be looked at again.
    pub fn due_at(&self) -> Option<OffsetDateTime> {
        match &self.change {
            Change::Renew(renewal, _) => renewal.due_at,
            Change::SetBack(setback) => setback.due_at,
            Change::Release(due_at) => *due_at,
        }
    }

    /// Whether losing it would lose what a provider said.
    pub fn is_precious(&self) -> bool {
        self.ending.is_some()
    }

    /// The verdict, if the store takes it.
    pub fn verdict(&self) -> Verdict {
        self.ending.as_ref().map_or(Verdict::Postponed, |ending| ending.verdict)
    }

    /// Why the connection is condemned, if it is.
    pub fn condemned(&self) -> Option<Reason> {
        match &self.change {
            Change::SetBack(setback) => setback.reason,
            Change::Renew(..) | Change::Release(_) => None,
        }
    }
}

fn outcome<C>(task: &Task<C>, change: Change, ending: Option<Ending>) -> Outcome {
    let leased = &task.leased;
    Outcome {
        fence: Fence { id: leased.id, lease_id: leased.lease_id, generation: leased.generation },
        client_id: leased.client_id,
        attempt_id: task.attempt_id,
        trigger: task.trigger,
        name: leased.name.clone(),
        change,
        ending,
        client: None,
    }
}

/// Whether the connection can be renewed without a person.
pub fn is_renewable<C>(task: &Task<C>) -> bool {
    grant::renewable(&task.profile, task.leased.grant_type, task.held.is_some())
}

/// A grant came.
pub fn renew<C>(
    task: &Task<C>,
    given: &Grant,
    set: TokenSet,
    _now: OffsetDateTime,
    jitter: f64,
) -> Outcome {
    let leased = &task.leased;
    let before = grant::Before {
        grant_type: leased.grant_type,
        has_refresh_token: task.held.is_some(),
        obtained_at: leased.obtained_at,
        refresh_expires_at: leased.refresh_expires_at,
        consented_at: leased.consented_at,
    };
    let dates = grant::dates_with(&task.profile, &before, given, jitter);
    let ending = Ending {
        verdict: Verdict::Refreshed,
        error_class: None,
        status: Some(200),
        error_code: None,
        error_description: None,
        generation_after: Some(set.generation),
        fingerprint_after: set.fingerprint.clone(),
    };
    let renewal = Renewal {
        scopes_granted: given.scopes.clone(),
        has_refresh_token: set.sealed_refresh_token.is_some(),
        obtained_at: given.obtained_at,
        access_expires_at: dates.clock.access_expires_at,
        refresh_expires_at: dates.clock.refresh_expires_at,
        needs_human_by: dates.needs_human_by,
        due_at: dates.due_at.map(|due| due.max(not_before(&dates, given))),
    };
    let client = (task.trigger == Trigger::Rehearsal)
        .then_some(ClientNote::Proved { secret_generation: task.secret_generation });
    Outcome { client, ..outcome(task, Change::Renew(renewal, set), Some(ending)) }
}

/// A token that came dead, or nearly so, by our clock is no reason to ask again and again.
fn not_before(dates: &grant::Dates, given: &Grant) -> OffsetDateTime {
    let dead = dates.clock.access_expires_at.is_some_and(|end| end <= given.obtained_at);
    given.obtained_at + if dead { DEAD_ON_ARRIVAL_DELAY } else { LEAST_DELAY }
}

/// What a refresh asks for, where a profile has it ask: nothing that was not granted (RFC 6749, section 6).
pub fn scopes_to_keep(leased: &Leased) -> Vec<String> {
    let (asked, granted) = (&leased.scopes_requested, &leased.scopes_consented);
    let is_granted = |scope: &&String| granted.contains(scope) || is_seldom_told(scope);
    match asked.iter().any(|scope| granted.contains(scope)) {
        true => asked.iter().filter(is_granted).cloned().collect(),
        // It is not known.
        false if granted.is_empty() => asked.clone(),
        // It has other names for them.
        false => granted.clone(),
    }
}

/// A refusal came, or no answer.
pub fn set_back<C>(task: &Task<C>, refusal: &Refusal, now: OffsetDateTime, jitter: f64) -> Outcome {
    let leased = &task.leased;
    let answer = Refused {
        class: refusal.class,
        retry_after: refusal.retry_after,
        may_have_acted: refusal.status.is_some_and(refresh::may_have_acted),
        unproved: task.trigger == Trigger::Rehearsal,
    };
    let mut next = refresh::refused(&situation(task), answer, task.attempt_id, now, jitter);
    if answer.unproved && answer.class == ErrorClass::ClientRefused {
        // Nothing has changed for the connection, and it goes on with the secret in use.
        next.due_at = task.leased.due_at;
    }
    let last_error = LastError {
        class: refusal.class,
        status: refusal.status,
        code: refusal.code.clone(),
        description: refusal.description.clone(),
        at: now,
    };
    let setback = Setback {
        state: next.state.name(),
        reason: reason(&next.state),
        failures: i32::try_from(next.failures).unwrap_or(i32::MAX),
        doubtful_attempt_id: next
            .doubtful
            // The earliest, since it is the one that may have rotated.
            .then(|| leased.doubtful_attempt_id.unwrap_or(task.attempt_id)),
        last_error: serde_json::to_value(&last_error).ok(),
        needs_human_by: needs_human_by(task, &next, now),
        due_at: next.due_at,
    };
    let ending = Ending {
        verdict: next.verdict,
        error_class: Some(refusal.class),
        status: refusal.status,
        error_code: refusal.code.clone(),
        error_description: refusal.description.clone(),
        generation_after: None,
        fingerprint_after: None,
    };
    let said = || refusal.code.clone().unwrap_or_else(|| refusal.class.as_str().to_owned());
    let client = match (refusal.class, refusal.retry_after) {
        (ErrorClass::ClientRefused, _) => {
            Some(ClientNote::Rejected { said: said(), secret_generation: task.secret_generation })
        }
        (ErrorClass::RateLimited, Some(wait)) => {
            Some(ClientNote::Pause { until: now + wait.clamp(Duration::ZERO, PAUSE_CAP) })
        }
        _ => None,
    };
    Outcome { client, ..outcome(task, Change::SetBack(setback), Some(ending)) }
}

fn situation<C>(task: &Task<C>) -> Situation {
    let leased = &task.leased;
    Situation {
        state: leased.state,
        failures: u32::try_from(leased.failures).unwrap_or_default(),
        doubtful: leased.doubtful_attempt_id.is_some(),
        refresh_expires_at: leased.refresh_expires_at,
        grace: task.profile.policy.grace_seconds.map(schedule::seconds),
        rotates: task.profile.policy.rotation != Rotation::Never,
    }
}

fn reason(state: &State) -> Option<Reason> {
    match state {
        State::NeedsReauth { reason, .. } => Some(*reason),
        _ => None,
    }
}

fn needs_human_by<C>(task: &Task<C>, next: &Next, now: OffsetDateTime) -> Option<OffsetDateTime> {
    if matches!(next.state, State::NeedsReauth { .. }) {
        return Some(now);
    }
    let clock = schedule::TokenClock {
        obtained_at: task.leased.obtained_at?,
        access_expires_at: task.leased.access_expires_at,
        refresh_expires_at: task.leased.refresh_expires_at,
        renewable: true,
    };
    let policy = grant::policy(&task.profile, task.leased.grant_type);
    schedule::needs_human_by(&clock, &policy, true)
}

/// A connection that can't be renewed: when its access token has ended a person is needed; until then
/// it is left in peace. No request was made, so no attempt remains.
pub fn lapse<C>(task: &Task<C>, now: OffsetDateTime) -> Outcome {
    let change = match task.leased.access_expires_at {
        Some(end) if end <= now => Change::SetBack(Setback {
            state: StateName::NeedsReauth,
            reason: Some(Reason::NoRefreshToken),
            failures: 0,
            doubtful_attempt_id: None,
            last_error: None,
            // However late that is seen.
            needs_human_by: Some(end),
            due_at: None,
        }),
        end => Change::Release(end),
    };
    outcome(task, change, None)
}

/// The request was not made after all.
pub fn withdraw<C>(task: &Task<C>, now: OffsetDateTime) -> Outcome {
    outcome(task, Change::Release(Some(now + WITHDRAWN_DELAY)), None)
}

/// A request that could not even be made (a secret that does not open, a provider that is gone): the
/// connection is shown as retrying, with the reason, and no attempt remains.
pub fn unprepared<C>(task: &Task<C>, why: &str, now: OffsetDateTime, jitter: f64) -> Outcome {
    let refusal = Refusal {
        class: ErrorClass::RequestRefused,
        status: None,
        code: None,
        description: Some(format!("Regrant could not make the request: {why}")),
        retry_after: None,
        sent: false,
    };
    Outcome { ending: None, client: None, ..set_back(task, &refusal, now, jitter) }
}
