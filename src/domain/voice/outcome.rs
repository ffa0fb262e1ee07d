//! How a visit to a provider's consent page ended, for staff and for the account's owner.

use std::str::FromStr;

use time::OffsetDateTime;

use super::relative;
use crate::domain::{
    access::Unknown,
    introspection::Liveness,
    relink::{Invitation, Relink},
};

/// A short page for somebody who is not signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    pub title: &'static str,
    pub text: &'static str,
    /// Whether things are well now.
    pub well: bool,
}

/// How a relink ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    WrongAccount,
    Denied,
    MissingScope,
    Failed,
    Expired,
}

impl Outcome {
    pub const ALL: [Self; 6] = [
        Self::Done,
        Self::WrongAccount,
        Self::Denied,
        Self::MissingScope,
        Self::Failed,
        Self::Expired,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::WrongAccount => "wrong_account",
            Self::Denied => "denied",
            Self::MissingScope => "missing_scope",
            Self::Failed => "failed",
            Self::Expired => "expired",
        }
    }
}

impl FromStr for Outcome {
    type Err = Unknown;
    fn from_str(value: &str) -> Result<Self, Unknown> {
        Self::ALL
            .into_iter()
            .find(|outcome| outcome.as_str() == value)
            .ok_or_else(|| Unknown { noun: "outcome", value: value.into() })
    }
}

pub fn outcome(outcome: Outcome) -> Page {
    let (title, text, well) = match outcome {
        Outcome::Done => (
            "It worked",
            "The connection is alive again. You can close this page; nothing more is needed from \
             you.",
            true,
        ),
        Outcome::WrongAccount => (
            "That was another account",
            "You signed in with a different account than the one this connection belongs to, so \
             nothing was changed. Sign out of that service, open the link again and choose the \
             account that the page names.",
            false,
        ),
        Outcome::Denied => (
            "Access was not given",
            "The service says that access was declined, so nothing was changed. If that was a slip, \
             open the link again and accept. If you may not accept, ask whoever manages the \
             account.",
            false,
        ),
        Outcome::MissingScope => (
            "A permission is missing",
            "You let us in, but without one of the permissions that the connection needs, so \
             nothing was changed. Open the link again and leave every permission ticked.",
            false,
        ),
        Outcome::Failed => (
            "It did not work this time",
            "The service could not finish the request. Nothing was changed. Open the link again in \
             a few minutes; if it goes on failing, tell whoever sent you the link.",
            false,
        ),
        Outcome::Expired => (
            "It took too long",
            "The time for giving consent ran out, or the page was opened in another browser. \
             Nothing was changed. Open the link again, in one browser.",
            false,
        ),
    };
    Page { title, text, well }
}

/// What whoever opens a link that cannot be used is told; `None` for one that can.
pub fn invitation(invitation: &Invitation) -> Option<Page> {
    let (title, text, well) = match invitation {
        Invitation::Open { .. } => return None,
        Invitation::Done => return Some(outcome(Outcome::Done)),
        Invitation::Used => (
            "This link has been used",
            "Each link works once. If the connection was brought back, nothing more is needed from \
             you. If not, ask whoever sent it for another one.",
            true,
        ),
        Invitation::Expired => (
            "This link has expired",
            "Links work for a few days only. Ask whoever sent it for another one.",
            false,
        ),
        Invitation::Unknown => (
            "This link is not known",
            "It may have been cut off when it was copied. Copy the whole link again, or ask whoever \
             sent it for another one.",
            false,
        ),
    };
    Some(Page { title, text, well })
}

/// Where a relink stands, for the staff who sent it.
pub fn relink_standing(relink: &Relink, as_of: OffsetDateTime) -> (&'static str, String) {
    let when = |at| relative(at, as_of);
    if let Some(at) = relink.used_at {
        ("used", format!("Used {}.", when(at)))
    } else if relink.expires_at <= as_of {
        ("expired", format!("Expired {} and can't be used any more.", when(relink.expires_at)))
    } else if let Some(at) = relink.opened_at {
        ("opened", format!("Opened {}; consent has not come yet.", when(at)))
    } else {
        ("sent", format!("Not opened yet. It expires {}.", when(relink.expires_at)))
    }
}

/// What stands below a form whose fields say themselves what is wrong with them.
pub fn see_fields() -> &'static str {
    "Nothing was changed yet. See the marked fields."
}

/// A message above a connection's page: what the provider's page, or the form before, came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    Connected,
    Denied,
    WrongAccount,
    MissingScope,
    Failed,
    Expired,
    UnreadableExpiry,
    /// What the provider says of the tokens.
    Said(Liveness),
}

impl Notice {
    pub const ALL: [Self; 11] = [
        Self::Said(Liveness::Alive),
        Self::Said(Liveness::Renewable),
        Self::Said(Liveness::LastOne),
        Self::Said(Liveness::Dead),
        Self::Connected,
        Self::Denied,
        Self::WrongAccount,
        Self::MissingScope,
        Self::Failed,
        Self::Expired,
        Self::UnreadableExpiry,
    ];

    /// Reads the `problem` of an address.
    pub fn of_problem(value: &str) -> Self {
        match value {
            "denied" => Self::Denied,
            "wrong_account" => Self::WrongAccount,
            "missing_scope" => Self::MissingScope,
            "expired" => Self::Expired,
            "unreadable_expiry" => Self::UnreadableExpiry,
            _ => Self::Failed,
        }
    }
}

/// A title, a sentence, and whether things are well.
pub fn notice(notice: Notice) -> Page {
    let (title, text, well) = match notice {
        Notice::Connected => ("Connected", "Consent was given and the connection is alive.", true),
        Notice::Denied => (
            "Consent was declined",
            "Whoever was asked said no, so nothing was changed. Try again, or send a relink to the \
             account's owner.",
            false,
        ),
        Notice::WrongAccount => (
            "That was another account",
            "Consent was given by a different account than the one this connection belongs to, so \
             nothing was changed. Sign out at the provider and try again with the right account.",
            false,
        ),
        Notice::MissingScope => (
            "A permission is missing",
            "Consent was given without a permission that the client asks for, so nothing was \
             changed. Try again and leave every permission ticked.",
            false,
        ),
        Notice::Failed => (
            "It did not work this time",
            "The provider could not finish the request, so nothing was changed. What it said, if \
             anything, is below. Try again.",
            false,
        ),
        Notice::Expired => (
            "It took too long",
            "The time for giving consent ran out, or the page came back to another browser. Nothing \
             was changed. Try again.",
            false,
        ),
        Notice::Said(Liveness::Alive) => {
            ("The provider says: alive", "It knows the tokens and takes them.", true)
        }
        Notice::Said(Liveness::Renewable) => (
            "The provider says: it can be refreshed",
            "The access token works no more there, but the refresh token does. Refresh it now to have \
             a new one.",
            true,
        ),
        Notice::Said(Liveness::LastOne) => (
            "The provider says: not for long",
            "The access token still works there, but the refresh token does not. A person will be \
             needed when it ends; create a relink in time. Only a refresh proves it.",
            false,
        ),
        Notice::Said(Liveness::Dead) => (
            "The provider says: no longer",
            "It does not take the tokens any more. Nothing was changed here: refresh it now to be \
             certain, and then send a relink to the account's owner.",
            false,
        ),
        Notice::UnreadableExpiry => (
            "Imported, but an expiry can't be read",
            "The token response says when a token ends in a way that this provider's profile does \
             not know. What Regrant goes by instead stands below. If that is wrong, correct the \
             response or the profile, delete this connection and import it again.",
            false,
        ),
    };
    Page { title, text, well }
}
