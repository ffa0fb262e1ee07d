//! One sample connection with its tokens and its history, made of a seed and a number alone.

use secrecy::SecretString;
use serde_json::json;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{
    Life, Plan, REFRESH_TOKEN,
    history::{self, History},
    words,
};
use crate::{
    domain::{
        audit::AuditEntry,
        connection::{GrantType, LastError, Reason, StateName},
        provider::{Lifetimes, Profile},
        refusal::ErrorClass,
        schedule::{self, Policy, TokenClock},
    },
    server::{
        clock::{Rng, SeededRng},
        secret::token,
        store::demo::{AttemptRow, ConnectionRow},
    },
};

/// How far back the oldest connection was made, and the newest.
const OLDEST: Duration = Duration::days(400);
const NEWEST: Duration = Duration::days(70);
/// Whatever went wrong did so within this time.
const RECENT: Duration = Duration::days(14);
/// The lifetime of tokens whose provider names none.
const LIFETIME: Duration = Duration::hours(1);

/// What connections of one client have in common.
pub struct Kind {
    client_id: Uuid,
    name: String,
    policy: Policy,
    lifetimes: Lifetimes,
}

impl Kind {
    pub fn new(client_id: Uuid, name: &str, profile: &Profile) -> Self {
        Self {
            client_id,
            name: name.into(),
            policy: Policy::from(profile),
            lifetimes: profile.lifetimes.clone(),
        }
    }
}

pub struct Tokens {
    pub access: SecretString,
    pub refresh: SecretString,
    pub obtained_at: OffsetDateTime,
}

pub struct Sample {
    pub connection: ConnectionRow,
    /// `None`: it holds none.
    pub tokens: Option<Tokens>,
    pub attempts: Vec<AttemptRow>,
    pub audit: Vec<AuditEntry>,
}

impl Sample {
    /// Gives the newest attempts the fingerprint of the token that is really held.
    pub fn end_history_with(&mut self, fingerprint: Option<String>) {
        let Some(fingerprint) = fingerprint else { return };
        let current = self.connection.generation;
        for attempt in self.attempts.iter_mut().rev() {
            if attempt.generation_before == current {
                attempt.fingerprint_before.clone_from(&fingerprint);
            } else {
                if attempt.generation_after == Some(current) {
                    attempt.fingerprint_after = Some(fingerprint);
                }
                break;
            }
        }
    }
}

/// Makes samples.
pub struct Maker {
    pub kinds: Vec<Kind>,
    pub plan: Plan,
    pub now: OffsetDateTime,
}

/// The times in a connection's life.
pub(super) struct Times {
    created_at: OffsetDateTime,
    consented_at: OffsetDateTime,
    /// Since when the state is what it is.
    pub since: OffsetDateTime,
    /// When the newest token set was obtained.
    pub obtained_at: OffsetDateTime,
    /// From one refresh to the next.
    pub wait: Duration,
    lifetime: Duration,
    refresh_expires_at: Option<OffsetDateTime>,
    due_at: Option<OffsetDateTime>,
}

impl Maker {
    pub fn make(&self, number: u64) -> Sample {
        // Each number has a generator of its own, so that it does not matter who makes which.
        let rng = SeededRng::new(self.plan.seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let kind = &self.kinds[index(number, self.kinds.len())];
        let state = self.state(&rng);
        let times = self.times(&rng, number, kind, state);
        let id = rng.uuid(times.created_at);
        let history = history::of(&rng, (id, kind.client_id), state, &times, self.plan.attempts);
        let connection = connection(&rng, number, kind, state, &times, (id, &history));
        let tokens = (connection.generation > 0 && state != StateName::Disconnected).then(|| {
            let refresh = format!("{REFRESH_TOKEN}{number}.{}", connection.generation);
            Tokens {
                access: token::make(&rng, "sample-access-"),
                refresh: refresh.into(),
                obtained_at: times.obtained_at,
            }
        });
        let audit = audit(&rng, kind, &connection, times.created_at);
        Sample { connection, tokens, attempts: history.attempts, audit }
    }

    fn state(&self, rng: &dyn Rng) -> StateName {
        let Life::Grown = self.plan.life else { return StateName::Active };
        match rng.fraction() {
            ..0.9 => StateName::Active,
            ..0.925 => StateName::Retrying,
            ..0.93 => StateName::InDoubt,
            ..0.97 => StateName::NeedsReauth,
            ..0.985 => StateName::Pending,
            _ => StateName::Disconnected,
        }
    }

    fn times(&self, rng: &dyn Rng, number: u64, kind: &Kind, state: StateName) -> Times {
        let now = self.now;
        let numbers = &self.plan.numbers;
        let share = (number - numbers.start) as f64 / (numbers.end - numbers.start) as f64;
        let created_at = now - OLDEST + (OLDEST - NEWEST) * share;
        let (lifetime, way) = match &self.plan.life {
            Life::Grown => {
                (kind.lifetimes.access_seconds.map_or(LIFETIME, schedule::seconds), 0.0..1.0)
            }
            Life::Even { lifetime, way } => (*lifetime, way.clone()),
        };
        let refresh_life = kind.lifetimes.refresh_seconds.map(schedule::seconds);
        let consented_at = match refresh_life {
            // A person came back whenever the fixed life was over.
            Some(life) if kind.policy.fixed => {
                (now - life * rng.fraction()).max(created_at) + Duration::seconds(1)
            }
            _ => created_at,
        };
        let refresh_end = |obtained_at| match refresh_life {
            Some(life) if kind.policy.fixed => Some(consented_at + life),
            life => life.map(|life| obtained_at + life),
        };
        let fresh = TokenClock {
            obtained_at: now,
            access_expires_at: Some(now + lifetime),
            refresh_expires_at: refresh_end(now),
            renewable: true,
        };
        let due_at = schedule::due_at(&fresh, &kind.policy, rng.fraction());
        let wait = due_at.unwrap_or(now + lifetime) - now;
        let age = wait * (way.start + (way.end - way.start) * rng.fraction());
        let trouble = Duration::minutes(1) + Duration::minutes(8) * rng.fraction();
        let (since, obtained_at, due_at) = match state {
            StateName::Active => (created_at, now - age, Some(now - age + wait)),
            StateName::Retrying | StateName::InDoubt => {
                let soon = now + Duration::minutes(10) * rng.fraction();
                (now - trouble, now - trouble - wait, Some(soon))
            }
            StateName::NeedsReauth | StateName::Disconnected => {
                let since = now - trouble - RECENT * rng.fraction();
                (since, since - wait, None)
            }
            StateName::Pending => (created_at, created_at, None),
        };
        Times {
            created_at,
            consented_at,
            since: micros(since),
            obtained_at: micros(obtained_at),
            wait,
            lifetime,
            refresh_expires_at: refresh_end(obtained_at).map(micros),
            due_at: due_at.map(micros),
        }
    }
}

fn connection(
    rng: &dyn Rng,
    number: u64,
    kind: &Kind,
    state: StateName,
    times: &Times,
    (id, history): (Uuid, &History),
) -> ConnectionRow {
    let (given, family) = (pick(rng, &words::GIVEN), pick(rng, &words::FAMILY));
    let known = state != StateName::Pending;
    let holds = known && state != StateName::Disconnected;
    let clock = TokenClock {
        obtained_at: times.obtained_at,
        access_expires_at: Some(micros(times.obtained_at + times.lifetime)),
        refresh_expires_at: times.refresh_expires_at,
        renewable: true,
    };
    let needs_human_by = match state {
        StateName::NeedsReauth => Some(times.since),
        StateName::Active => schedule::needs_human_by(&clock, &kind.policy, false),
        _ if holds => schedule::needs_human_by(&clock, &kind.policy, true),
        _ => None,
    };
    let mailbox = || {
        let domain = pick(rng, &words::DOMAIN);
        format!("{}.{}@{domain}", given.to_lowercase(), family.to_lowercase())
    };
    ConnectionRow {
        id,
        client_id: kind.client_id,
        label: format!("{given} {family}, {}", pick(rng, &words::PURPOSE)),
        external_id: (rng.fraction() < 0.8).then(|| format!("crm-{number:07}")),
        tags: words::TAGS.into_iter().filter(|_| rng.fraction() < 0.12).collect(),
        account_id: known.then(|| format!("acct-{number:08x}")),
        account_label: known.then(mailbox),
        grant_type: match rng.fraction() {
            ..0.7 => GrantType::AuthorizationCode,
            _ => GrantType::Import,
        },
        state,
        state_since: times.since,
        reason: (state == StateName::NeedsReauth).then(|| match rng.fraction() {
            ..0.6 => Reason::Revoked,
            ..0.85 => Reason::RefreshTokenExpired,
            ..0.95 => Reason::RotationLost,
            _ => Reason::ScopeMissing,
        }),
        failures: i32::from(state == StateName::Retrying),
        doubtful_attempt_id: match state {
            StateName::InDoubt => Some(history.attempts.last().map_or(id, |attempt| attempt.id)),
            _ => None,
        },
        last_error: last_error(state, times.since),
        generation: history.generation,
        has_refresh_token: holds,
        consented_at: known.then(|| micros(times.consented_at)),
        obtained_at: known.then_some(times.obtained_at),
        access_expires_at: clock.access_expires_at.filter(|_| holds),
        refresh_expires_at: times.refresh_expires_at.filter(|_| holds),
        needs_human_by: needs_human_by.map(micros),
        due_at: times.due_at,
        created_at: micros(times.created_at),
        updated_at: if known { times.obtained_at } else { micros(times.created_at) },
    }
}

fn last_error(state: StateName, at: OffsetDateTime) -> Option<serde_json::Value> {
    let (class, status, code) = match state {
        StateName::Retrying => (ErrorClass::Transient, Some(503), None),
        StateName::InDoubt => (ErrorClass::AnswerLost, None, None),
        StateName::NeedsReauth => {
            (ErrorClass::GrantRefused, Some(400), Some("invalid_grant".into()))
        }
        _ => return None,
    };
    serde_json::to_value(LastError { class, status, code, description: None, at }).ok()
}

/// Who made it, and how it ended.
fn audit(
    rng: &dyn Rng,
    kind: &Kind,
    row: &ConnectionRow,
    created_at: OffsetDateTime,
) -> Vec<AuditEntry> {
    let entry = |at: OffsetDateTime, actor: (&str, &str), action: &str, detail| AuditEntry {
        id: rng.uuid(at),
        at: micros(at),
        actor_kind: actor.0.into(),
        actor_id: None,
        actor_label: actor.1.into(),
        action: action.into(),
        subject_id: Some(row.id.to_string()),
        subject_label: row.label.clone(),
        detail,
    };
    let person = ("user", "admin@example.com");
    let made = match row.grant_type {
        GrantType::Import => "connection.import",
        _ => "connection.create",
    };
    let mut entries = vec![entry(created_at, person, made, json!({ "client": kind.name }))];
    match row.state {
        StateName::NeedsReauth => {
            let detail = json!({ "reason": row.reason, "provider_said": "invalid_grant" });
            entries.push(entry(
                row.state_since,
                ("system", "worker"),
                "connection.condemned",
                detail,
            ));
        }
        StateName::Disconnected => {
            let detail = json!({ "revoked_at_provider": false });
            entries.push(entry(row.state_since, person, "connection.disconnect", detail));
        }
        _ => {}
    }
    entries
}

fn index(number: u64, length: usize) -> usize {
    usize::try_from(number % u64::try_from(length).unwrap_or(1)).unwrap_or_default()
}

pub(super) fn pick(rng: &dyn Rng, list: &[&'static str]) -> &'static str {
    list[(rng.fraction() * list.len() as f64) as usize]
}

/// To what PostgreSQL can store.
pub(super) fn micros(at: OffsetDateTime) -> OffsetDateTime {
    at.replace_nanosecond(at.nanosecond() / 1_000 * 1_000).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn maker(seed: u64) -> Maker {
        let profile = Profile::new("one", "One");
        let plan =
            Plan { clients: Vec::new(), numbers: 0..50, attempts: 4, seed, life: Life::Grown };
        Maker {
            kinds: vec![Kind::new(Uuid::nil(), "One", &profile)],
            plan,
            now: datetime!(2026-03-01 12:00 UTC),
        }
    }

    #[test]
    fn the_same_seed_makes_the_same_connections() {
        let told = |maker: &Maker, number| {
            let Sample { connection, attempts, audit, .. } = maker.make(number);
            let attempts: Vec<Uuid> = attempts.iter().map(|attempt| attempt.id).collect();
            (connection.id, connection.label, connection.due_at, attempts, audit)
        };
        let (one, again, other) = (maker(1), maker(1), maker(2));
        for number in 0..50 {
            assert_eq!(told(&one, number), told(&again, number));
            assert_ne!(told(&one, number).0, told(&other, number).0);
        }
    }
}
