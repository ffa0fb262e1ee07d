//! What the desk is told of a relink while its visitor is on the way, and what to say to them.

use time::OffsetDateTime;

use super::{ago, relative};
use crate::domain::{
    client::StateName,
    connection::{Connection, State},
    relink::{Relink, RelinkShow, Stage},
};

/// What happened, and what to tell the customer.
pub struct Advice {
    pub happened: String,
    pub say: &'static str,
    /// Whether things are well; `None`: nothing is wrong, and nothing is done yet.
    pub well: Option<bool>,
}

/// A stage in a word or three.
pub fn relink_word(stage: Stage) -> &'static str {
    match stage {
        Stage::Sent => "not opened",
        Stage::Opened => "opened",
        Stage::Away => "at the provider",
        Stage::Consented => "consented",
        Stage::Done => "done",
        Stage::WrongAccount => "wrong account",
        Stage::Denied => "declined",
        Stage::MissingScope => "permission missing",
        Stage::AlreadyConnected => "connected already",
        Stage::ClientRefused => "client refused",
        Stage::Failed => "failed",
        Stage::TookTooLong => "took too long",
        Stage::Expired => "expired",
        Stage::Replaced => "replaced",
        Stage::Revoked => "revoked",
    }
}

pub fn relink_show(show: RelinkShow) -> &'static str {
    match show {
        RelinkShow::Open => "that still work",
        RelinkShow::Recent => "of the last day",
        RelinkShow::All => "all",
    }
}

/// What a refresh did to the refresh token, as its fingerprints tell.
pub fn renewed(before: Option<&str>, after: Option<&str>) -> &'static str {
    match (before, after) {
        (_, None) => "without a refresh token",
        (Some(before), Some(after)) if before == after => "the refresh token went on",
        (_, Some(_)) => "with a new refresh token",
    }
}

/// What stands below a search that found more than it shows.
pub fn more_found() -> &'static str {
    "There are more. Type more of the name, the account or the external id."
}

/// Where the brand is seen.
pub fn brand() -> &'static str {
    "What your customers see on the page behind a relink"
}

/// What it means to do without a logo.
pub const DROP_LOGO: &str =
    "The page behind a relink shows the name alone from then on. The picture is not kept.";

/// How well the letters on the brand's colour are read.
pub fn brand_contrast(ratio: f64) -> String {
    format!("The letters on this colour have a contrast of {ratio:.1} to 1; 4.5 is needed.")
}

/// What calling a link off means.
pub fn relink_revoke() -> &'static str {
    "The link stops working at once, also for whoever has opened it. The connection stays as it is."
}

/// What is to be minded with a link of a connection whose account is not known.
pub const UNKNOWN_ACCOUNT: &str = "Regrant does not know whose account this is: whoever gives consent by the link becomes it. Send it to the \
     owner and nobody else, and look afterwards who it was.";

/// The same before a link is made. `None`: the account is known, or no link is made.
pub fn unknown_account(connection: &Connection) -> Option<&'static str> {
    (connection.account().is_none() && no_relink(connection).is_none()).then_some(UNKNOWN_ACCOUNT)
}

/// The same in a line of a list.
pub const UNKNOWN_ACCOUNT_SHORT: &str = "account not known: whoever gives consent becomes it";

/// The same of consent that is given by whoever is at the page. A first consent has no account to be another than.
/// `sends`: it was said of a link already.
pub fn unknown_account_here(connection: &Connection, sends: bool) -> Option<&'static str> {
    (connection.account().is_none() && connection.state != State::Pending).then_some(match sends {
        true => "So it is with consent that you give yourself: sign in there as the owner.",
        false => {
            "Regrant does not know whose account this is: whoever gives consent becomes it. Authorize it again \
             only as its owner, and look afterwards who it was."
        }
    })
}

/// That the account which gave consent has other connections of the client.
pub fn twins(account: &str, count: usize) -> String {
    match count {
        1 => format!("{account} has another connection of the same client:"),
        many => format!("{account} has {many} other connections of the same client:"),
    }
}

/// Where a relink stands, for the staff who sent it. `account`: the connection's, where that is known.
pub fn relink(
    relink: &Relink,
    account: Option<&str>,
    service: &str,
    as_of: OffsetDateTime,
) -> Advice {
    let when = |at: Option<OffsetDateTime>| {
        at.map(|at| format!(" {}", ago(at, as_of))).unwrap_or_default()
    };
    let stage = Stage::of(relink, as_of);
    let back = when(relink.returned_at.or(relink.left_at));
    let happened = match stage {
        Stage::Sent => format!(
            "Nobody has opened the link yet. It expires {}.",
            relative(relink.expires_at, as_of)
        ),
        Stage::Opened => format!("The page behind the link was opened{}.", when(relink.opened_at)),
        Stage::Away => format!("They went on to {service}{}.", when(relink.left_at)),
        Stage::Consented => {
            format!("They gave consent at {service}, and it is being made good.")
        }
        Stage::Done => {
            let who = account.map(|account| format!(", as {account}")).unwrap_or_default();
            format!("The connection was linked{}{who}.", when(relink.used_at))
        }
        Stage::WrongAccount => {
            format!("They came back{back} with another account. Nothing was changed.")
        }
        Stage::Denied => format!("They said no at {service}{back}. Nothing was changed."),
        Stage::MissingScope => format!(
            "They gave consent{back}, but without a permission that the connection had. Nothing \
             was changed."
        ),
        Stage::AlreadyConnected => format!(
            "They gave consent{back}, but {service} gave the refresh token that another connection \
             holds. Nothing was changed here or there."
        ),
        Stage::ClientRefused => {
            format!("{service} refused the client{back}, not them. Nothing was changed.")
        }
        Stage::Failed => {
            format!("{service} could not finish it{back}. Nothing was changed.")
        }
        Stage::TookTooLong => {
            format!("The time for giving consent at {service} ran out{back}. Nothing was changed.")
        }
        Stage::Expired => {
            format!("The link expired {} and works no longer.", ago(relink.expires_at, as_of))
        }
        Stage::Replaced => {
            format!("A newer link took its place {}.", ago(relink.expires_at, as_of))
        }
        Stage::Revoked => format!("It was called off {}.", ago(relink.expires_at, as_of)),
    };
    let well = match stage {
        Stage::Done => Some(true),
        Stage::Sent | Stage::Opened | Stage::Away | Stage::Consented => None,
        _ => Some(false),
    };
    Advice { happened, say: say(stage), well }
}

/// What to say while no link of a client's connections can work, whatever became of one.
pub fn relink_refused(state: StateName, client: &str) -> Option<String> {
    let (why, remedy) = match state {
        StateName::CredentialsRejected => ("is refused by its provider", "replace its secret"),
        StateName::Disabled => ("is switched off", "switch it on"),
        StateName::Ready | StateName::Incident => return None,
    };
    Some(format!(
        "“Something has to be put right on our side first. I will tell you when.” The client “{client}” \
         {why}: an admin has to {remedy}, and no link works before that."
    ))
}

/// Why the desk offers no link for a connection that it found. `None`: it may be sent one.
pub fn no_relink(connection: &Connection) -> Option<String> {
    let client = &connection.client_name;
    Some(match (connection.client_state, &connection.state) {
        (_, State::Disconnected) => {
            "Disconnected on purpose; no link brings it back. It has to be connected anew, by an admin."
                .into()
        }
        _ if !connection.can_reauthorize() => {
            "It belongs to the client itself; no person's consent is needed.".into()
        }
        (StateName::CredentialsRejected, _) => format!(
            "The provider refuses the client “{client}”, so no link would work. An admin has to replace its \
             secret first."
        ),
        (StateName::Disabled, _) => {
            format!("The client “{client}” is switched off. An admin has to switch it on first.")
        }
        _ if connection.account_id.is_none() && !connection.takes_any_account() => {
            "It is alive, and nobody knows whose account it is: a link could put another in its place."
                .into()
        }
        _ => return None,
    })
}

fn say(stage: Stage) -> &'static str {
    match stage {
        Stage::Sent => {
            "“I have sent you a link. Please open it on a device on which you can sign in there. If \
             the e-mail is not there, look among the unwanted ones.” Regrant sends nothing by itself: \
             the link is yours to send."
        }
        Stage::Opened => {
            "“You should see a page with one button. Press it, and sign in there.” If they see no \
             such page, their mail program may have opened the link to check it."
        }
        Stage::Away => {
            "“Sign in with the account that our page named, and allow everything it asks for.” The \
             page there waits for half an hour at most."
        }
        Stage::Consented => "“One moment, it is nearly done.”",
        Stage::Done => "“It works again. You can close the page.”",
        Stage::WrongAccount => {
            "“You were signed in there with another account. Sign out there, open the link again, \
             and sign in with the account that our page names.” A private window helps where the \
             service signs them in by itself."
        }
        Stage::Denied => {
            "“There you chose not to allow it. Open the link again and choose to allow.” If they \
             have no right to, ask who manages the account and send the link to them."
        }
        Stage::MissingScope => {
            "“One of the boxes was not ticked. Open the link again and leave all of them ticked.”"
        }
        Stage::AlreadyConnected => {
            "“This account is connected already; you need do nothing more.” Use the connection that \
             is named here. To have the account in this one, disconnect the other without revoking, \
             and send the link again."
        }
        Stage::ClientRefused => {
            "“Something has to be put right on our side first. I will tell you when.” An admin has to replace \
             the client's secret; then the link works."
        }
        Stage::Failed => {
            "“That was not your fault. Please wait a minute and open the link again.” If it fails \
             again, ask an admin to look at the connection's page."
        }
        Stage::TookTooLong => {
            "“It took too long there. Open the link again, and go through it in one go.”"
        }
        Stage::Expired => "“That link is too old. I am sending you a new one.” Create it below.",
        Stage::Replaced => "“Please use the newest link I sent; the older ones work no longer.”",
        Stage::Revoked => "“That link was called off.” Create a new one if it was a slip.",
    }
}
