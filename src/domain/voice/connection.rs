//! How a connection stands, why, and what to do about it.

use time::OffsetDateTime;

use super::{ago, day, error_class, exact, relative, span};
use crate::domain::{
    client,
    connection::{Connection, GrantType, Reason, Standing, State, StateName, Told},
    device::DeviceState,
    provider::{Lifetimes, RefreshLifetime},
};

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
        Standing::Paused if connection.paused_at.is_some() => Next::Resume,
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

/// Whether it is alive and until when: the first line of its page.
pub fn headline(connection: &Connection, as_of: OffsetDateTime) -> String {
    let by = connection.needs_human_by;
    match (connection.standing(as_of), &connection.state) {
        (Standing::Alive, _) => match by {
            Some(by) => format!("Alive. A person is needed {}.", relative(by, as_of)),
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
            format!("Retrying. The next try is {when}.")
        }
        (Standing::Retrying, _) => "In doubt: an answer was lost.".into(),
        (Standing::NeedsPerson, State::NeedsReauth { since, .. }) => {
            format!("Has needed a person for {}.", span(as_of - *since))
        }
        (Standing::NeedsPerson, _) => "Needs a person.".into(),
        (Standing::ClientRefused, _) => "Waiting: its client is refused.".into(),
        (Standing::Paused, _) => match (connection.paused_at, connection.held_until(as_of)) {
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

/// Why it stands as it does, in plain words, with what comes next.
pub fn why(connection: &Connection, provider: &str, as_of: OffsetDateTime) -> String {
    let mut told = cause(connection, provider, as_of);
    let standing = connection.standing(as_of);
    if let Some(end) = connection.access_expires_at.filter(|end| *end > as_of)
        && !matches!(standing, Standing::Alive | Standing::Soon | Standing::Disconnected)
    {
        told.push_str(&format!(
            " Its present access token works for another {}.",
            span(end - as_of)
        ));
    }
    told
}

fn cause(connection: &Connection, provider: &str, as_of: OffsetDateTime) -> String {
    let account = connection.account_label.as_deref().unwrap_or_else(|| connection.name());
    let client = &connection.client_name;
    match (connection.client_state, &connection.state) {
        (_, State::Disconnected) => format!(
            "Someone disconnected it on purpose and its tokens are gone. To use {account} again, \
             make a new connection."
        ),
        (client::StateName::Disabled, _) => format!(
            "An admin switched off the client “{client}”, so none of its connections is refreshed. \
             Switch the client on to go on."
        ),
        (client::StateName::CredentialsRejected, _) => format!(
            "{provider} refuses the name or the secret of the client “{client}”. That is not this \
             connection's fault: it waits and goes on by itself when the secret is replaced."
        ),
        (client::StateName::Incident, _) => format!(
            "{provider} refused unusually many connections of the client “{client}” at once. \
             Regrant holds them all and tries one now and then, until it is sure what happened."
        ),
        _ if connection.paused_at.is_some() => {
            "Somebody paused it, so it is not refreshed by itself. \
             Resume it, and Regrant keeps it alive again."
                .into()
        }
        (_, State::Active | State::Retrying { .. })
            if let Some(until) = connection.held_until(as_of) =>
        {
            waits(connection, provider, until, as_of)
        }
        (_, State::Pending) => format!(
            "It was made, but nobody has given consent at {provider} yet. Go there now, or send a \
             relink to the account's owner."
        ),
        (_, State::Active) => alive(connection, provider, as_of),
        (_, State::Retrying { attempts, last_error, .. }) => format!(
            "{} Tried {attempts} {} so far; Regrant goes on by itself.",
            error_class(*last_error, provider),
            if *attempts == 1 { "time" } else { "times" },
        ),
        (_, State::InDoubt { .. }) => in_doubt(connection, provider, account, as_of),
        (_, State::NeedsReauth { reason: cause, since }) => {
            reason(*cause, provider, account, &ago(*since, as_of))
        }
    }
}

fn in_doubt(
    connection: &Connection,
    provider: &str,
    account: &str,
    as_of: OffsetDateTime,
) -> String {
    let again = match connection.held_until(as_of).or(connection.due_at) {
        Some(due) if due > as_of => format!("Regrant asks again {}", relative(due, as_of)),
        _ => "Regrant is about to ask again".into(),
    };
    format!(
        "Regrant asked {provider} for a new token and the answer was lost on the way, so a new token may \
         have been given that never arrived. {again}, with the token it has. If {provider} takes that, \
         nothing is lost. If it refuses, the owner of {account} has to give consent once more. As long as \
         no answer comes, Regrant goes on asking."
    )
}

/// What waits for the end of a pause that the provider asked for.
fn waits(
    connection: &Connection,
    provider: &str,
    until: OffsetDateTime,
    as_of: OffsetDateTime,
) -> String {
    let gone = match connection.access_expires_at {
        Some(end) if end <= as_of => format!(
            " Its access token ended {}, so whoever asks for one is told to come back then.",
            ago(end, as_of)
        ),
        _ => String::new(),
    };
    let pause = client_pause(provider, &connection.client_name, until);
    format!("{pause} It is refreshed after that.{gone}")
}

/// That a provider asked a client for a pause, and until when.
pub fn client_pause(provider: &str, client: &str, until: OffsetDateTime) -> String {
    format!(
        "{provider} asked the client “{client}” for a pause: it is asked for no token before {}.",
        exact(until)
    )
}

fn alive(connection: &Connection, provider: &str, as_of: OffsetDateTime) -> String {
    let renews =
        connection.has_refresh_token || connection.grant_type == GrantType::ClientCredentials;
    let renewal = match connection.due_at {
        _ if !renews => "It works until its access token ends.".into(),
        Some(due) if due > as_of => format!("Regrant refreshes it {}.", relative(due, as_of)),
        Some(_) => "Regrant is about to refresh it.".into(),
        None => "It needs no refresh.".into(),
    };
    let human = match (connection.needs_human_by, connection.grant_type) {
        (Some(by), _) if connection.has_refresh_token => format!(
            " On {} the refresh token itself runs out; then the account's owner has to give \
             consent at {provider} again.",
            day(by)
        ),
        (Some(by), _) => format!(
            " {provider} gave no refresh token, so a person has to give consent again by {}.",
            day(by)
        ),
        (None, GrantType::ClientCredentials) => {
            " It belongs to the client itself, so nobody has to give consent.".into()
        }
        (None, _) if !connection.has_refresh_token => {
            format!(" {provider} gave no refresh token, and Regrant does not know when that is.")
        }
        (None, _) if connection.refresh_expires_at.is_some() => {
            " As long as it is refreshed in time, it goes on for ever as far as Regrant knows."
                .into()
        }
        (None, _) => " As far as Regrant knows, it can go on for ever.".into(),
    };
    format!("{renewal}{human}")
}

/// Why only a person can help.
pub fn reason(reason: Reason, provider: &str, account: &str, when: &str) -> String {
    match reason {
        Reason::Revoked => format!(
            "{provider} refused the refresh token of {account} {when}: consent was withdrawn, the \
             password was changed, or access was removed. Send a relink to the account's owner."
        ),
        Reason::RefreshTokenExpired => format!(
            "The refresh token of {account} ran out {when}; {provider} lets it live only so long. \
             Send a relink to the account's owner."
        ),
        Reason::RotationLost => format!(
            "{provider} replaced the refresh token of {account} {when} and the new one never \
             arrived, so the old one is refused. Nobody withdrew consent. Send a relink to the \
             account's owner."
        ),
        Reason::NoRefreshToken => format!(
            "The access token of {account} ran out {when}, and {provider} never gave a refresh \
             token. Send a relink; if that happens each time, the client asks for too few scopes."
        ),
        Reason::AccountMismatch => format!(
            "Consent came from another account than {account} {when}, so Regrant did not use it. \
             Send a relink and say which account is meant."
        ),
        Reason::ScopeMissing => format!(
            "{provider} no longer gives {account} a permission that the client asks for; that was \
             noticed {when}. Send a relink to have it granted, or ask for less."
        ),
    }
}

/// Why a refresh token ran out, as far as the provider's profile tells.
pub fn ran_out(lifetimes: &Lifetimes, provider: &str) -> Option<String> {
    let known = lifetimes.refresh_seconds.is_some();
    let fixed = known && lifetimes.refresh_kind == RefreshLifetime::Fixed;
    let idle = known && !fixed || lifetimes.refresh_idle_seconds.is_some();
    match (fixed, idle) {
        (true, false) => Some(format!(
            "{provider} counts its life from the consent, however often it is refreshed: this was to be \
             expected, and it will happen again."
        )),
        (false, true) => Some(format!(
            "{provider} counts its life from each refresh: it lay idle for too long, while it was paused, \
             its client was switched off, or {provider} could not be reached."
        )),
        _ => None,
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
    let told = match (drift.missing.len(), drift.more.len()) {
        (0, more) => format!("{provider} granted {}. Nothing has to be done.", unasked(more)),
        (missing, 0) => format!(
            "{provider} did not grant {}. Send a relink to have it granted, or have the client ask for less.",
            asked(missing)
        ),
        (missing, more) => format!(
            "{provider} did not grant {}, and granted {}. Send a relink to have it granted, or have the \
             client ask for less.",
            asked(missing),
            unasked(more)
        ),
    };
    Some(told)
}

/// The same in a few words, for a row.
pub fn in_short(connection: &Connection, as_of: OffsetDateTime) -> String {
    match (connection.standing(as_of), &connection.state) {
        (Standing::NeedsPerson, State::NeedsReauth { reason, since }) => {
            let what = match reason {
                Reason::Revoked => "Consent was withdrawn",
                Reason::RefreshTokenExpired => "The refresh token ran out",
                Reason::RotationLost => "A new token was lost on the way",
                Reason::NoRefreshToken => "The token ran out and could not be renewed",
                Reason::AccountMismatch => "Another account gave consent",
                Reason::ScopeMissing => "A permission is missing",
            };
            format!("{what} {}.", ago(*since, as_of))
        }
        (Standing::Soon, _) if connection.has_refresh_token => "The refresh token runs out.".into(),
        (Standing::Soon, _) => "The token runs out and can't be renewed.".into(),
        (Standing::Paused, _) if let Some(until) = connection.held_until(as_of) => {
            format!("The provider asked for a pause. It ends {}.", relative(until, as_of))
        }
        (standing, _) => meaning(standing).into(),
    }
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
