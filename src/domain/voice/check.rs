//! What a provider says of a client's credentials.

use crate::domain::{
    check::{CredentialCheck, Doubt, Finding, Way},
    client::StateName,
};

/// A title, what it means and what to do, and whether things are well; `None`: nobody knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub title: &'static str,
    pub text: String,
    pub well: Option<bool>,
}

/// What is said of the button that checks.
pub fn checking(provider: &str) -> String {
    format!(
        "{provider} is asked whether it takes the client's credentials. No account and no connection \
         is touched."
    )
}

/// What was found, of a client in this state.
pub fn check(found: &CredentialCheck, provider: &str, state: StateName) -> Told {
    match found.finding {
        Finding::Accepted => Told {
            title: "The credentials are accepted",
            text: format!("{} {}", accepted(found, provider), accepted_next(state)),
            well: Some(true),
        },
        Finding::Refused => Told {
            title: "The credentials are refused",
            text: refused(found, provider),
            well: Some(false),
        },
        Finding::Unknown => Told {
            title: "It can't be told here",
            text: match found.doubt.unwrap_or(Doubt::NoWay) {
                Doubt::Unanswered => {
                    unanswered(found.said.as_ref().and_then(|said| said.status), provider)
                }
                known => doubt(known, provider),
            },
            well: None,
        },
    }
}

fn accepted(found: &CredentialCheck, provider: &str) -> String {
    match found.with_secret {
        true => format!("{provider} takes this client id with this secret."),
        false => format!("{provider} knows this client id, and asks for no secret."),
    }
}

fn accepted_next(state: StateName) -> &'static str {
    match state {
        StateName::Ready | StateName::Incident => "A consent or a refresh does not fail for them.",
        StateName::CredentialsRejected => {
            "It refused them before. Enter the same secret once more under “Replace the secret”, and \
             the connections that wait go on."
        }
        StateName::Disabled => "The client is switched off here all the same.",
    }
}

fn refused(found: &CredentialCheck, provider: &str) -> String {
    match found.with_secret {
        true => format!(
            "{provider} does not take this client id with this secret. Compare both with what \
             {provider} shows: mostly one was cut short, belongs to another environment, or was \
             replaced there. Correct the id under “Edit”, or replace the secret. Nothing was changed."
        ),
        false => format!(
            "{provider} does not know this client id, or wants a secret with it. Compare it with what \
             {provider} shows, and correct it under “Edit”. Nothing was changed."
        ),
    }
}

fn doubt(doubt: Doubt, provider: &str) -> String {
    const SHOWN: &str = "The first consent will show it.";
    match doubt {
        Doubt::NoWay => {
            format!("{provider} can't be asked about them without an account's consent. {SHOWN}")
        }
        Doubt::InUse => format!(
            "The one way to ask {provider} is for another token of the client's own, which could end \
             those that its connections hold. Refresh one of the connections: that shows it."
        ),
        Doubt::PerConnection => format!(
            "Where {provider} is asked is known only once a connection fills it in. {SHOWN}"
        ),
        Doubt::Unsent => {
            "No question could be put with what stands here, and nothing was sent. Below it is said \
             why; the provider's profile or the secret has to be corrected."
                .to_owned()
        }
        Doubt::Indifferent => format!(
            "{provider} answered made-up credentials just as it answered these, so its answer proves \
             nothing. {SHOWN}"
        ),
        Doubt::NoTurn => format!(
            "{provider} answered, but the limits that are kept towards it left no turn for the question \
             that would prove the answer. Check again when the client is quiet; else the first consent \
             will show it."
        ),
        Doubt::Unclear => format!(
            "{provider} answered, but said neither yes nor no. Its own words may help; else the first \
             consent will show it."
        ),
        Doubt::Unanswered => unanswered(None, provider),
    }
}

/// What is said of no answer, or of one with this status.
fn unanswered(status: Option<u16>, provider: &str) -> String {
    match status {
        None => format!(
            "{provider} could not be reached, or did not answer, so nothing is known. Check again in a few \
             minutes; if it stays so, look whether the address that was asked is right."
        ),
        Some(429) => format!(
            "{provider} asked for a pause, so nothing is known. Check again in a few minutes."
        ),
        Some(status) => format!(
            "{provider} has trouble of its own (it answered with status {status}), so nothing is known. \
             Check again in a few minutes."
        ),
    }
}

/// Stands where a client would stand as well, after a check that refused it.
pub const NOT_MET_YET: &str = "No refresh has met that refusal yet. The next one will, and its connections \
                               wait from then on, unless this is corrected.";

/// What was asked.
pub fn check_way(way: Way) -> &'static str {
    match way {
        Way::ClientCredentials => "asked for a token of the client's own, to be thrown away",
        Way::Introspection => "asked about a made-up token",
        Way::Revocation => "told that a made-up token is over",
        Way::Code => "given a made-up code to redeem",
        Way::RefreshToken => "asked for a refresh with a made-up token",
    }
}
