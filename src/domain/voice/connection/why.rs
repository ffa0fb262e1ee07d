//! Why a connection stands as it does.

use time::OffsetDateTime;

use crate::domain::{
    client,
    connection::{Connection, GrantType, Reason, Standing, State},
    provider::{AccessTokens, Lifetimes, RefreshLifetime},
    voice::{ago, by, error_class, exact, relative, span},
};

/// Why it stands as it does, in plain words, with what comes next. `tokens`: the provider's.
pub fn why(
    connection: &Connection,
    provider: &str,
    tokens: AccessTokens,
    as_of: OffsetDateTime,
) -> String {
    let mut told = cause(connection, provider, tokens, as_of);
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

fn cause(
    connection: &Connection,
    provider: &str,
    tokens: AccessTokens,
    as_of: OffsetDateTime,
) -> String {
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
        _ if connection.rests() => "Somebody paused it, so it is not refreshed by itself. \
             Resume it, and Regrant keeps it alive again."
            .into(),
        (_, State::Active | State::Retrying { .. })
            if let Some(until) = connection.held_until(as_of) =>
        {
            waits(connection, provider, until, as_of)
        }
        (_, State::Pending) => format!(
            "It was made, but nobody has given consent at {provider} yet. Go there now, or send a \
             relink to the account's owner."
        ),
        (_, State::Active) if connection.may_end_unseen() => unseen(connection, provider, tokens),
        (_, State::Active) => alive(connection, provider, tokens, as_of),
        (_, State::Retrying { attempts, last_error, .. }) => format!(
            "{} Tried {attempts} {} so far; Regrant goes on by itself.",
            error_class(*last_error, provider),
            if *attempts == 1 { "time" } else { "times" },
        ),
        (_, State::InDoubt { .. }) => in_doubt(connection, provider, account, as_of),
        (_, State::NeedsReauth { reason: Reason::Revoked, since })
            if connection.never_renewed() =>
        {
            format!(
                "{provider} refused the refresh token that was imported, {}, and it never worked here. It may \
                 have been mistyped or cut short, used up elsewhere, or given to another client; or \
                 consent was withdrawn. Send a relink to the account's owner, or have an admin import the right \
                 one {}.",
                ago(*since, as_of),
                imported_anew(connection)
            )
        }
        (_, State::NeedsReauth { reason: cause, since }) => {
            let when = ago(connection.dead_since().unwrap_or(*since), as_of);
            match cause {
                Reason::NoRefreshToken if connection.never_renewed() => format!(
                    "The access token of {account} ran out {when}, and the import brought no refresh token. Send a \
                     relink to the account's owner."
                ),
                cause => reason(*cause, provider, account, &when),
            }
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

/// How it is imported once more: what has an external id that is here already is skipped.
fn imported_anew(connection: &Connection) -> &'static str {
    match connection.external_id {
        Some(_) => {
            "under another external id: what has this one is skipped as long as this connection has it"
        }
        None => "as another connection",
    }
}

/// What nothing renews, and of which no end is known.
fn unseen(connection: &Connection, provider: &str, tokens: AccessTokens) -> String {
    match tokens {
        AccessTokens::Endless => format!(
            "It needs no refresh: the access tokens of {provider} have no end. It works until access is \
             removed there."
        ),
        AccessTokens::Ending => format!(
            "It works until its access token ends, and nobody knows when that is: Regrant holds no refresh token \
             of {provider} for it and was told of no end, so it can neither renew it nor warn anybody. Send \
             a relink to the account's owner, or have an admin import it with what is missing, {}.",
            imported_anew(connection)
        ),
    }
}

fn alive(
    connection: &Connection,
    provider: &str,
    tokens: AccessTokens,
    as_of: OffsetDateTime,
) -> String {
    let is_open = connection.is_unplanned() && tokens == AccessTokens::Ending;
    let renewal = match connection.due_at {
        _ if !connection.renews() => "It works until its access token ends.".into(),
        Some(due) if due > as_of && connection.access_expires_at.is_none() => match tokens {
            AccessTokens::Ending => format!(
                "{provider} did not say when its access token ends. Regrant refreshes it {}.",
                relative(due, as_of)
            ),
            AccessTokens::Endless if connection.has_refresh_token => format!(
                "The access tokens of {provider} have no end. Regrant uses the refresh token {}, so that it stays \
                 good.",
                relative(due, as_of)
            ),
            AccessTokens::Endless => format!("Regrant refreshes it {}.", relative(due, as_of)),
        },
        Some(due) if due > as_of => format!("Regrant refreshes it {}.", relative(due, as_of)),
        Some(_) => "Regrant is about to refresh it.".into(),
        None if is_open => format!(
            "{provider} did not say when its access token ends, so no refresh is planned; if it does end, nobody can \
             say so before. “Refresh now” asks for new tokens at any time."
        ),
        None => "It needs no refresh.".into(),
    };
    let human = match (connection.needs_human_by, connection.grant_type) {
        (Some(end), _) if connection.has_refresh_token => format!(
            " On {} the refresh token itself runs out; then the account's owner has to give \
             consent at {provider} again.",
            by(end, as_of)
        ),
        (Some(end), _) => {
            let missing = match connection.never_renewed() {
                true => "The import brought no refresh token".to_owned(),
                false => format!("{provider} gave no refresh token"),
            };
            format!(" {missing}, so a person has to give consent again by {}.", by(end, as_of))
        }
        (None, GrantType::ClientCredentials) => {
            " It belongs to the client itself, so nobody has to give consent.".into()
        }
        (None, _) if connection.refresh_expires_at.is_some() => {
            " As long as it is refreshed in time, it goes on for ever as far as Regrant knows."
                .into()
        }
        (None, _) if is_open => String::new(),
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
