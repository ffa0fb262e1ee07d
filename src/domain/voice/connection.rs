//! How a connection stands, why, and what to do about it.

mod why;

use time::OffsetDateTime;

use super::{ago, day, relative, span};
use crate::domain::{
    connection::{Connection, GrantType, Reason, Standing, State, StateName, Told},
    device::DeviceState,
    lineage::Consent,
    provider::AccessTokens,
};

pub use why::{client_pause, ran_out, reason, why};

/// The one thing to do about a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Next {
    /// Nothing; Regrant keeps it alive.
    Nothing,
    /// Nothing; Regrant is trying.
    Wait,
    /// Somebody has to give consent: send a relink, or authorize it here.
    Consent,
    /// Another token has to be handed in, or the client asked again.
    Replace,
    /// The client has to be mended or switched on.
    MendClient,
    /// It rests until somebody ends that.
    Resume,
}

pub fn next(connection: &Connection, as_of: OffsetDateTime) -> Next {
    match connection.standing(as_of) {
        Standing::Alive | Standing::Disconnected => Next::Nothing,
        Standing::Retrying => Next::Wait,
        Standing::Paused if connection.rests() => Next::Resume,
        Standing::Paused if connection.held_until(as_of).is_some() => Next::Wait,
        Standing::ClientRefused | Standing::Paused => Next::MendClient,
        Standing::Soon | Standing::NeedsPerson | Standing::Pending => {
            if connection.can_reauthorize() { Next::Consent } else { Next::Replace }
        }
    }
}

/// What a standing means, for the legend and for whoever points at a badge.
pub fn meaning(standing: Standing) -> &'static str {
    match standing {
        Standing::Alive => "Works, and Regrant keeps it so.",
        Standing::Soon => "Works, but a person is needed within seven days.",
        Standing::Retrying => "The last refresh failed in a way that passes. Regrant tries again.",
        Standing::NeedsPerson => "Only a person can bring it back.",
        Standing::ClientRefused => {
            "The provider refuses its client. It waits until that is mended."
        }
        Standing::Paused => {
            "It rests: it was paused, its client is switched off, or the provider asked for a pause."
        }
        Standing::Pending => "Nobody has given consent yet.",
        Standing::Disconnected => "Disconnected on purpose. Nothing is kept alive.",
    }
}

/// The name of a state in a filter.
pub fn state_name(state: StateName) -> &'static str {
    match state {
        StateName::Active => "alive",
        StateName::Retrying => "retrying",
        StateName::InDoubt => "in doubt: an answer was lost",
        StateName::NeedsReauth => "needs a person",
        StateName::Pending => "waiting for consent",
        StateName::Disconnected => "disconnected",
    }
}

/// The name of a reason in a filter.
pub fn reason_name(reason: Reason) -> &'static str {
    match reason {
        Reason::Revoked => "consent was withdrawn",
        Reason::RefreshTokenExpired => "refresh token ran out",
        Reason::RotationLost => "new token lost on the way",
        Reason::NoRefreshToken => "token could not be renewed",
        Reason::AccountMismatch => "another account consented",
        Reason::ScopeMissing => "a permission is missing",
    }
}

/// Whether it is alive and until when: the first line of its page. `tokens`: its provider's.
pub fn headline(connection: &Connection, tokens: AccessTokens, as_of: OffsetDateTime) -> String {
    let by = connection.needs_human_by;
    match (connection.standing(as_of), &connection.state) {
        (Standing::Alive, _) => match by {
            Some(by) => format!("Alive. A person is needed {}.", relative(by, as_of)),
            None if connection.is_unplanned() && tokens == AccessTokens::Ending => {
                "Alive, with no end known.".into()
            }
            None if nobody_knows(connection, tokens) => {
                "Alive, but nobody knows until when.".into()
            }
            None => "Alive, with no end in sight.".into(),
        },
        (Standing::Soon, _) => match by {
            Some(by) if by > as_of => {
                format!("Alive, but a person is needed {}.", relative(by, as_of))
            }
            _ => "Alive, but a person is needed now.".into(),
        },
        (Standing::Retrying, State::Retrying { next_at, .. }) => {
            let when = if *next_at > as_of { relative(*next_at, as_of) } else { "now".into() };
            let how =
                if connection.lacks_token(as_of) { "No live token: retrying" } else { "Retrying" };
            format!("{how}. The next try is {when}.")
        }
        (Standing::Retrying, _) if connection.lacks_token(as_of) => {
            "No live token: in doubt, an answer was lost.".into()
        }
        (Standing::Retrying, _) => "In doubt: an answer was lost.".into(),
        (Standing::NeedsPerson, _) => match connection.dead_since() {
            Some(since) => format!("Has needed a person for {}.", span(as_of - since)),
            None => "Needs a person.".into(),
        },
        (Standing::ClientRefused, _) => "Waiting: its client is refused.".into(),
        (Standing::Paused, _) => match (
            connection.paused_at.filter(|_| connection.rests()),
            connection.held_until(as_of),
        ) {
            (Some(at), _) => format!("Paused {}.", ago(at, as_of)),
            (None, Some(until)) => {
                format!("Paused: the provider asked for it. That ends {}.", relative(until, as_of))
            }
            (None, None) => "Paused: its client is switched off.".into(),
        },
        (Standing::Pending, _) => "Waiting for consent.".into(),
        (Standing::Disconnected, _) => "Disconnected.".into(),
    }
}

/// What was granted beside what was asked for. `None`: just that.
pub fn drift(connection: &Connection, provider: &str) -> Option<String> {
    let drift = connection.drift()?;
    let asked = |count: usize| match count {
        1 => "one permission that was asked for".to_owned(),
        count => format!("{count} permissions that were asked for"),
    };
    let unasked = |count: usize| match count {
        1 => "one permission that nobody asked for".to_owned(),
        count => format!("{count} permissions that nobody asked for"),
    };
    let them = if drift.missing.len() == 1 { "it" } else { "them" };
    let how = match connection.account_id.is_none() && !connection.takes_any_account() {
        // Nobody knows whose it is: no link is made.
        true => format!("Have an admin authorize it again to have {them} granted"),
        false => format!("Send a relink to have {them} granted"),
    };
    let told = match (drift.missing.len(), drift.more.len()) {
        (0, more) => format!("{provider} granted {}. Nothing has to be done.", unasked(more)),
        (missing, 0) => format!(
            "{provider} did not grant {}. {how}, or have the client ask for less.",
            asked(missing)
        ),
        (missing, more) => format!(
            "{provider} did not grant {}, and granted {}. {how}, or have the client ask for less.",
            asked(missing),
            unasked(more)
        ),
    };
    Some(told)
}

/// The same in a few words, for a row.
pub fn in_short(connection: &Connection, tokens: AccessTokens, as_of: OffsetDateTime) -> String {
    match (connection.standing(as_of), &connection.state) {
        (Standing::NeedsPerson, State::NeedsReauth { reason, since }) => {
            let what = match reason {
                Reason::Revoked if connection.never_renewed() => {
                    "The refresh token that was imported was refused"
                }
                Reason::Revoked => "Consent was withdrawn",
                Reason::RefreshTokenExpired => "The refresh token ran out",
                Reason::RotationLost => "A new token was lost on the way",
                Reason::NoRefreshToken => "The token ran out and could not be renewed",
                Reason::AccountMismatch => "Another account gave consent",
                Reason::ScopeMissing => "A permission is missing",
            };
            format!("{what} {}.", ago(connection.dead_since().unwrap_or(*since), as_of))
        }
        (Standing::Alive, _) if connection.may_end_unseen() => match tokens {
            AccessTokens::Endless => "Works until access is removed. It needs no refresh.".into(),
            AccessTokens::Ending => {
                "Works, but nothing renews it, and no end of it is known.".into()
            }
        },
        (Standing::Alive, _) if nobody_knows(connection, tokens) => {
            "Works. No end of it is known, and no refresh is planned.".into()
        }
        (Standing::Alive, _) if !connection.renews() => {
            "Works until its access token ends. Nothing renews it.".into()
        }
        (Standing::Retrying, state)
            if let Some(end) = connection.access_expires_at
                && connection.lacks_token(as_of) =>
        {
            let what = match state {
                State::InDoubt { .. } => "the answer to its last refresh was lost",
                _ => "refreshing fails",
            };
            format!("Its access token ended {}, and {what}. Regrant tries again.", ago(end, as_of))
        }
        (Standing::Soon, _) if connection.has_refresh_token => "The refresh token runs out.".into(),
        (Standing::Soon, _) => "The token runs out and can't be renewed.".into(),
        (Standing::Paused, _) if let Some(until) = connection.held_until(as_of) => {
            format!("The provider asked for a pause. It ends {}.", relative(until, as_of))
        }
        (standing, _) => meaning(standing).into(),
    }
}

/// When a person is needed, where no moment is known.
pub fn no_moment(connection: &Connection, tokens: AccessTokens) -> &'static str {
    match tokens {
        _ if connection.state == State::Disconnected => "no longer",
        _ if nobody_knows(connection, tokens) => "no end known",
        _ => "not in sight",
    }
}

/// Whether it may be over before anybody is told.
fn nobody_knows(connection: &Connection, tokens: AccessTokens) -> bool {
    let is_open = connection.may_end_unseen()
        || (connection.is_unplanned() && connection.needs_human_by.is_none());
    is_open && tokens == AccessTokens::Ending
}

/// How it came to be.
pub fn grant_type(grant: GrantType) -> &'static str {
    match grant {
        GrantType::AuthorizationCode => "a person's consent",
        GrantType::ClientCredentials => "the client's own access",
        GrantType::Import => "an import",
        GrantType::DeviceCode => "a person's consent on another device",
        GrantType::TokenExchange => "the exchange of another token",
    }
}

/// [`grant_type`], and how it was last brought back since. `consents`: those that brought it tokens.
pub fn comes_by(connection: &Connection, consents: &[Consent]) -> String {
    let first = grant_type(connection.grant_type);
    let since = consents.iter().filter(|consent| consent.generation > 1);
    match since.max_by_key(|consent| consent.generation) {
        Some(Consent { by_relink: true, at, .. }) => format!("{first}, re-linked on {}", day(*at)),
        Some(Consent { at, .. }) => format!("{first}, authorized again on {}", day(*at)),
        None => first.into(),
    }
}

/// What is said of a scope that was asked for, where the provider named what it granted and not this one, as many
/// do of it.
pub const NOT_NAMED: &str = " · not named by the provider";

/// How consent brought a generation.
pub fn consented(generation: i64, by_relink: bool) -> &'static str {
    match (generation, by_relink) {
        (1, false) => "with the first consent",
        (1, true) => "with the first consent, by a relink",
        (_, true) => "with consent given anew, by a relink",
        (_, false) => "with consent given anew",
    }
}

/// How an import brought a generation.
pub const IMPORTED: &str = "with an import";

/// What came of asking for consent on another device; nothing where there is nothing to say.
pub fn device(state: DeviceState, provider: &str) -> Option<String> {
    Some(match state {
        DeviceState::Waiting | DeviceState::Done => return None,
        DeviceState::Denied => format!(
            "Whoever typed the code at {provider} said no. Get another code if that was a mistake."
        ),
        DeviceState::Expired => "Nobody typed the code in time. Get another one.".into(),
        DeviceState::WrongAccount => format!(
            "Whoever typed the code at {provider} is signed in there with another account, so \
             nothing was changed. Get another code and say which account is meant."
        ),
        DeviceState::Failed => format!(
            "{provider} did not give a token for the code; the audit log says why. Get another one."
        ),
    })
}

/// What became of the tokens at the provider when the connection was disconnected.
pub fn told(told: Told, provider: &str) -> String {
    match told {
        Told::Told => format!("{provider} was told, so the tokens no longer work there."),
        Told::NotAsked => format!(
            "{provider} was not told: the tokens work there until they run out, or until access is \
             removed there by hand."
        ),
        Told::Unable => format!(
            "{provider} has no way to be told: the tokens work there until they run out, or until \
             access is removed there by hand."
        ),
        Told::Nothing => format!("{provider} had not given any tokens."),
    }
}

/// What a generation is.
pub const GENERATION: &str =
    "How many sets of tokens it has had: each refresh that brings one counts";

/// What the lineage is.
pub const LINEAGE: &str = "Which tokens came from which, newest first. A generation is one set of them, told \
                           by its refresh token's fingerprint";
