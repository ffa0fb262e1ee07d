//! How a client stands.

use crate::domain::client::{Client, StateName};

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
        StateName::Ready => "Works as far as Regrant knows.",
        StateName::CredentialsRejected => {
            "The provider refuses this client's name or secret. Its connections wait; none is lost. \
             Replace the secret and they go on by themselves."
        }
        StateName::Incident => {
            "An unusual number of this client's connections was refused at once, which looks like a \
             fault at the provider. Regrant holds all of them until it is sure."
        }
        StateName::Disabled => {
            "An admin switched this client off. None of its connections is refreshed until it is \
             switched on again."
        }
    }
}

/// One line for the list of clients in trouble.
pub fn client_trouble(client: &Client) -> String {
    let waiting = match client.connections {
        0 => "No connection is affected.".to_owned(),
        1 => "1 connection waits.".to_owned(),
        many => format!("{many} connections wait."),
    };
    let next = match client.state {
        StateName::Ready => "Nothing to do.",
        StateName::CredentialsRejected => "Replace the secret.",
        StateName::Incident => "Wait, or ask the provider.",
        StateName::Disabled => "Switch it on when it is wanted again.",
    };
    format!("{waiting} {next}")
}

/// What a request of a dry run is for.
pub fn call(call: &str) -> &'static str {
    match call {
        "authorize" => "The account's owner is sent to",
        "exchange" => "The code is redeemed",
        "refresh" => "The token is refreshed",
        "client_credentials" => "The client asks for a token of its own",
        "revoke" => "The grant is revoked",
        _ => "Another request",
    }
}
