//! How a client stands.

use time::{Duration, OffsetDateTime};

use super::{exact, grouped, span};
use crate::domain::{
    client::{Client, StateName},
    incident::Incident,
    provider::{IncidentPolicy, Profile},
    refusal::ErrorClass,
    rehearsal::{NextSecret, UNREADABLE},
};

/// The word on the badge.
pub fn client_state_word(state: StateName) -> &'static str {
    match state {
        StateName::Ready => "ready",
        StateName::CredentialsRejected => "refused",
        StateName::Incident => "incident",
        StateName::Disabled => "switched off",
    }
}

/// What the state means and what to do about it.
pub fn client_state(state: StateName) -> &'static str {
    match state {
        StateName::Ready => {
            "No refresh is refused for its name or secret, as far as Regrant knows."
        }
        StateName::CredentialsRejected => {
            "The provider refuses this client's name or secret. Its connections wait; none is lost. \
             Replace the secret and they go on by themselves."
        }
        StateName::Incident => {
            "An unusual number of this client's connections was refused at once, which looks like a \
             fault at the provider. Regrant declares none of them dead and refreshes none until it is \
             sure; tokens that still live are given."
        }
        StateName::Disabled => {
            "An admin switched this client off. None of its connections is refreshed until it is \
             switched on again."
        }
    }
}

/// What it means to switch a client off.
pub fn client_switch_off(connections: i64) -> String {
    let none = match connections {
        0 => "None of its connections is refreshed".into(),
        1 => "Its one connection is not refreshed".into(),
        many => format!("None of its {} connections is refreshed", grouped(many)),
    };
    format!("{none} until you switch it on again. What expires meanwhile may be lost.")
}

/// What it means to delete one, or what stands before that.
pub fn client_delete(connections: i64) -> String {
    match connections {
        0 => "It has no connections. It cannot be brought back.".into(),
        1 => "It has a connection, so it can't be deleted yet. Disconnect that first.".into(),
        many => format!(
            "It has {} connections, so it can't be deleted yet. Disconnect them first.",
            grouped(many)
        ),
    }
}

/// That a secret was given with what does not need it.
pub const SECRET_NOT_NEEDED: &str = "leave it empty: nothing above changes where, or for whom, it is sent. A new secret is tried first under \
     “Replace the secret”";

/// What an incident is.
pub const INCIDENT: &str =
    "So many refusals at once that the provider is more likely at fault than each owner";

/// What a pause that the provider asked for means.
pub fn client_paused(until: OffsetDateTime) -> String {
    format!("The provider asked for a pause: it is asked for no token before {}.", exact(until))
}

/// Which connections of a paused client wait.
pub const PAUSED_CONNECTIONS: &str =
    "What comes due before then waits. Tokens that still live are given.";

/// The way to the end of a pause.
pub const END_PAUSE: &str = "See or end the pause";

/// What was seen when an incident began.
pub fn incident(incident: &Incident, provider: &str) -> String {
    let all = incident.refused + incident.refreshed;
    let within = span(Duration::seconds(incident.window_seconds));
    if incident.refreshed == 0 {
        format!("{provider} refused all {all} connections that it was asked for within {within}.")
    } else {
        format!(
            "{provider} refused {} of the {all} connections that it was asked for within {within}.",
            incident.refused
        )
    }
}

/// What is said of an incident's client whose credentials are refused as well.
pub const REFUSED_MEANWHILE: &str =
    "The provider refuses the client's credentials, too. Replace its secret.";

/// How the connections fared that were tried again.
pub fn canaries(incident: &Incident) -> String {
    match (incident.tried, incident.confirmed) {
        (0, _) => "none yet".to_owned(),
        (1, 1) => "1, and refused again".to_owned(),
        (1, _) => "1, without a clear answer".to_owned(),
        (tried, confirmed) => format!("{tried}, of which {confirmed} were refused again"),
    }
}

/// How an incident ends.
pub fn incident_ends(incident: &Incident, policy: &IncidentPolicy) -> String {
    let granted = "As soon as one of the refused connections is granted a token, all of them go on by \
                   themselves.";
    if policy.confirmations > 0 && incident.refreshed > 0 {
        format!(
            "{granted} If {} tries are refused again, each is tried once more, and what is refused \
             then needs a person.",
            policy.confirmations
        )
    } else {
        format!("{granted} If the provider goes on refusing, an admin has to decide.")
    }
}

/// How the next secret fares.
pub fn next_secret(next: &NextSecret) -> String {
    match (&next.refused, next.tried) {
        (Some(said), _) if said == UNREADABLE => {
            "The next secret works, but what is kept of it can't be opened. Enter it again."
                .to_owned()
        }
        (Some(_), _) => "The provider refused the next secret; the one in use stays.".to_owned(),
        (None, 0) => "The next secret waits to be tried.".to_owned(),
        (None, 1) => {
            "The next secret was tried; the provider has not answered yet, or not clearly."
                .to_owned()
        }
        (None, tried) => {
            format!("The next secret was tried {tried} times, without a clear answer.")
        }
    }
}

/// What a client's number of connections leaves out, and its list does not.
pub const NOT_DISCONNECTED: &str = "besides those that are disconnected";

/// What is said of a secret that a rehearsal proved; the moment follows.
pub const SECRET_PROVED: &str = "The rehearsal went well: a connection was refreshed with the new secret, \
                                 which is the one in use since ";

/// What is at stake when a secret is replaced without a rehearsal.
pub fn replace_at_once(client: &Client, profile: &Profile) -> String {
    let many = match client.connections {
        1 => "Its connection".to_owned(),
        many => format!("All {many} connections"),
    };
    if profile.policy.replacing_secret_revokes_grants {
        format!(
            "The old secret is gone at once and can't be brought back. {many} will need consent again: \
             {} ends them when the secret is replaced.",
            profile.name
        )
    } else {
        format!(
            "The old secret is gone at once and can't be brought back. {many} will wait if {} refuses \
             the new one, until it is mended.",
            profile.name
        )
    }
}

/// Why a secret can't be tried before it takes the place of the one in use.
pub const NO_UNDERSTUDY: &str =
    "None of its connections is refreshed just now, so a secret can't be tried with one first.";

/// What is lost with a secret that waits.
pub const FORGET_NEXT_SECRET: &str =
    "It is not tried any more, and can't be brought back. The secret in use stays.";

/// An expiry in an answer that can't be read; `at` is a JSON pointer.
pub fn unreadable_expiry(at: String) -> String {
    format!(
        "What stands at {at} says when a token ends, in a way that this profile does not read: the \
         token would be taken for one whose end is not known."
    )
}

/// What Regrant would make of an answer that gives no token, where nothing was sent.
pub fn sample_refused(class: ErrorClass) -> &'static str {
    match class {
        ErrorClass::GrantRefused => {
            "This refuses the grant: the code, or the refresh token. After a refresh only a person could help."
        }
        ErrorClass::ClientRefused => {
            "This refuses the client: its connections would pause until its secret is mended."
        }
        ErrorClass::ScopeRefused => "This refuses the scopes that were asked for.",
        ErrorClass::RequestRefused => {
            "This refuses the request: the profile or the client's registration would have to change."
        }
        ErrorClass::RateLimited => "This asks Regrant to slow down; it would wait and try again.",
        ErrorClass::Transient => "This decides nothing; Regrant would try again.",
        ErrorClass::AnswerLost => {
            "Regrant finds no token in this, and no error. After a refresh it would be in doubt and try again."
        }
    }
}

/// What looks like a token or its end, and is not read; `at` is a JSON pointer.
pub fn unread_field(at: &str) -> String {
    format!(
        "What stands at {at} looks like a token or its end, and this profile does not look there. If it is \
         one, have the profile look there."
    )
}

/// What a request of a dry run is for.
pub fn call(call: &str) -> &'static str {
    match call {
        "authorize" => "The account's owner is sent to",
        "exchange" => "The code is redeemed",
        "refresh" => "The token is refreshed",
        "client_credentials" => "The client asks for a token of its own",
        "revoke" => "The grant is revoked",
        "device_authorization" => "A code for another device is asked for",
        "device_token" => "The provider is asked whether the code was typed",
        "token_exchange" => "Another token is exchanged",
        "userinfo" => "The provider is asked whose account it is",
        "introspect" => "The provider is asked how a token is",
        _ => "Another request",
    }
}
