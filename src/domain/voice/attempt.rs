//! What became of the tries to refresh a connection.

use time::OffsetDateTime;

use super::{exact, relative};
use crate::domain::{
    attempt::{Attempt, Trigger, Verdict},
    connection::{Connection, Reason, State},
    refresh::may_have_acted,
    refusal::ErrorClass,
};

/// What went wrong, by class.
pub fn error_class(class: ErrorClass, provider: &str) -> String {
    match class {
        ErrorClass::GrantRefused => {
            format!("{provider} refused the refresh token itself; only a person can help.")
        }
        ErrorClass::ClientRefused => {
            format!(
                "{provider} refused the client, not this connection. Check the client's secret."
            )
        }
        ErrorClass::ScopeRefused => format!(
            "{provider} does not give the permissions that were asked for. Check the client's \
             scopes."
        ),
        ErrorClass::RequestRefused => format!(
            "{provider} did not understand the request. The provider's settings or the client's \
             registration may be wrong."
        ),
        ErrorClass::RateLimited => format!("{provider} asked Regrant to slow down."),
        ErrorClass::Transient => format!("{provider} could not be reached or was not well."),
        ErrorClass::AnswerLost => {
            format!("The request reached {provider}, but no readable answer came back.")
        }
    }
}

/// How a try ended: a word and a sentence.
pub fn verdict(verdict: Option<Verdict>) -> (&'static str, &'static str) {
    match verdict {
        None => ("running", "Under way, or its process ended before it did."),
        Some(Verdict::Refreshed) => ("refreshed", "A new token was stored."),
        Some(Verdict::Postponed) => ("postponed", "It failed in a way that passes; tried again."),
        Some(Verdict::InDoubt) => ("in doubt", "It was sent and its answer was lost."),
        Some(Verdict::Condemned) => {
            ("refused", "The provider refused for good; a person is needed.")
        }
        Some(Verdict::Suspended) => (
            "suspended",
            "It was refused, and so were unusually many others: nothing is decided yet.",
        ),
        Some(Verdict::ClientRefused) => {
            ("client refused", "The provider refused the client; the connection waits.")
        }
        Some(Verdict::Superseded) => {
            ("too late", "A newer token was there already; this answer changed nothing.")
        }
    }
}

/// Who wanted the try.
pub fn trigger(trigger: Trigger) -> &'static str {
    match trigger {
        Trigger::Schedule => "was due",
        Trigger::Manual => "by hand",
        Trigger::Demand => "token was asked for",
        Trigger::Rehearsal => "to try the client's next secret",
        Trigger::Canary => "to see whether the provider goes on refusing",
    }
}

/// What a refresh by hand is answered with.
pub fn attempt(attempt: &Attempt, provider: &str) -> (String, bool) {
    match (attempt.verdict, attempt.error_class) {
        (Some(Verdict::Refreshed), _) => ("Refreshed: a new token is stored.".into(), true),
        (Some(Verdict::Superseded), _) => {
            ("A newer token was there already; nothing had to be done.".into(), true)
        }
        (Some(Verdict::Suspended), _) => (
            format!(
                "Not refreshed. {provider} refused it, and so it did unusually many others at once. \
                 Regrant holds all of them until it is sure what happened."
            ),
            false,
        ),
        (_, Some(class)) => (format!("Not refreshed. {}", error_class(class, provider)), false),
        (ended, None) => (format!("Not refreshed. {}", verdict(ended).1), false),
    }
}

/// Which answer was lost, and how, while that is why a connection stands as it does. These are its newest
/// tries, in either order.
pub fn lost(
    connection: &Connection,
    attempts: &[Attempt],
    provider: &str,
    as_of: OffsetDateTime,
) -> Option<String> {
    let doubtful = matches!(
        connection.state,
        State::InDoubt { .. } | State::NeedsReauth { reason: Reason::RotationLost, .. }
    );
    // The first that was lost with the token that is still held.
    let lost = attempts
        .iter()
        .filter(|attempt| match attempt.verdict {
            Some(Verdict::Postponed) => attempt.status.is_some_and(may_have_acted),
            verdict => verdict == Some(Verdict::InDoubt),
        })
        .filter(|attempt| attempt.generation_before == connection.generation)
        .min_by_key(|attempt| attempt.started_at)
        .filter(|_| doubtful)?;
    let how = match (lost.error_class, lost.status) {
        (Some(ErrorClass::Transient), Some(status)) => {
            format!("{provider} had it and failed with the status {status}")
        }
        (None, None) => "the process of Regrant that sent it ended before the answer came".into(),
        (_, Some(status)) => format!("what came back, with the status {status}, could not be read"),
        (Some(_), None) => format!("{provider} did not answer in time, or the line broke"),
    };
    Some(format!(
        "The answer to the request of {} ({}) was lost: {how}.",
        exact(lost.started_at),
        relative(lost.started_at, as_of)
    ))
}
