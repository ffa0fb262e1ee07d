//! How a visit to a provider's consent page ended, for the staff.

use crate::domain::{audit::AuditEntry, introspection::Liveness};

/// A title and a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    pub title: &'static str,
    pub text: &'static str,
    /// Whether things are well now.
    pub well: bool,
}

/// What stands above what can't be kept up to date just now.
pub fn stale() -> &'static str {
    "Not live just now: Regrant can't be heard. What stands here may be old; it is tried again."
}

/// What is said of a value that somebody wants to take elsewhere.
pub const COPIED: &str = "Copied.";
pub const NOT_COPIED: &str =
    "The browser does not let it be copied. It is selected: copy it with the keyboard.";

/// What is said while the database is away.
pub const AWAY: &str = "Regrant can't reach its database just now. Try again in a moment.";

/// What is added where it is certain.
pub const UNDONE: &str = "Nothing was done.";

/// What a part of a page says that would show something else by now.
pub fn held() -> &'static str {
    "Something has changed meanwhile. It is shown here once you are done with what you chose or typed."
}

/// What stands above a form that somebody is about to leave.
pub fn unsaved() -> &'static str {
    "What you changed here is not saved. Go on below, or leave it."
}

/// What stands below a form whose fields say themselves what is wrong with them.
pub fn see_fields() -> &'static str {
    "Nothing was changed yet. See the marked fields."
}

/// A message above a connection's page: what the provider's page, or the form before, came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    Connected,
    /// Consent was given, and what came of it is not stored yet.
    BeingStored,
    Denied,
    WrongAccount,
    MissingScope,
    AlreadyConnected,
    ClientRefused,
    Failed,
    Expired,
    UnreadableExpiry,
    /// What the provider says of the tokens.
    Said(Liveness),
}

impl Notice {
    pub const ALL: [Self; 14] = [
        Self::Said(Liveness::Alive),
        Self::Said(Liveness::Renewable),
        Self::Said(Liveness::LastOne),
        Self::Said(Liveness::Dead),
        Self::Connected,
        Self::BeingStored,
        Self::Denied,
        Self::WrongAccount,
        Self::MissingScope,
        Self::AlreadyConnected,
        Self::ClientRefused,
        Self::Failed,
        Self::Expired,
        Self::UnreadableExpiry,
    ];

    /// Reads the `problem` of an address.
    pub fn of_problem(value: &str) -> Self {
        match value {
            "being_stored" => Self::BeingStored,
            "denied" => Self::Denied,
            "wrong_account" => Self::WrongAccount,
            "missing_scope" => Self::MissingScope,
            "already_connected" => Self::AlreadyConnected,
            "client_refused" => Self::ClientRefused,
            "expired" => Self::Expired,
            "unreadable_expiry" => Self::UnreadableExpiry,
            _ => Self::Failed,
        }
    }
}

/// That consent was given, and by whom.
pub fn connected(account: Option<&str>) -> String {
    match account {
        Some(account) => format!("Consent was given and the connection is alive, as {account}."),
        None => {
            "Consent was given and the connection is alive. Whose account it is, is not known yet."
                .into()
        }
    }
}

/// What came back in the place of consent, as the newest entries of the audit log tell.
pub fn consent_failed(done: &[AuditEntry]) -> Option<String> {
    let newest = done.iter().find(|entry| entry.action == "connection.consent_failed")?;
    let why = newest.detail.get("why")?.as_str()?;
    (!why.is_empty()).then(|| why.to_owned())
}

/// Whether what came back says that the provider does not know the client by this name or secret (RFC 6749,
/// section 5.2; GitHub and Slack have codes of their own).
pub fn is_clients_fault(came_back: &str) -> bool {
    let mut words = came_back.split(|c: char| !c.is_alphanumeric() && c != '_');
    words.any(|word| {
        ["invalid_client", "incorrect_client_credentials", "bad_client_secret"].contains(&word)
    })
}

/// The way to where it is mended.
pub const REPLACE_SECRET: &str = "Replace the client's secret";
/// The way to what consent is asked for.
pub const OTHER_SCOPES: &str = "Ask for other scopes";

/// A title, a sentence, and whether things are well.
pub fn notice(notice: Notice) -> Page {
    let (title, text, well) = match notice {
        Notice::Connected => ("Connected", "Consent was given and the connection is alive.", true),
        Notice::BeingStored => (
            "Consent was given",
            "The provider gave its tokens, and storing them takes longer than usual. It goes on by \
             itself and shows here in a moment; nobody has to consent again.",
            true,
        ),
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
        Notice::AlreadyConnected => (
            "This account is connected already",
            "Consent was given, but the provider gave the refresh token that another connection \
             holds. Sent from two, it might be taken from both; so nothing was changed here or there. \
             Use the other connection. To have the account here, disconnect that one without revoking, \
             and authorize this one again.",
            false,
        ),
        Notice::ClientRefused => (
            "The provider refuses the client",
            "It does not take the client's name or secret, or lets it do less than this asks for; so \
             nothing was changed. Put that right, and then try again.",
            false,
        ),
        Notice::Failed => (
            "It did not work this time",
            "No tokens could be taken from the provider, so nothing was changed. If it goes on failing, \
             see what came back, and what the client and the connection ask for.",
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
             not know, or says 0 and holds no refresh token. What Regrant goes by instead stands below. \
             If that is wrong, correct the response or the profile, delete this connection and import it \
             again.",
            false,
        ),
    };
    Page { title, text, well }
}
