//! What stands where there is nothing yet: what would be here, and how to get it.

/// A place that can be empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Empty {
    /// Nothing is set up at all.
    Everything,
    NeedsHuman,
    ClientsInTrouble,
    Expiries,
    Refreshes,
    Connections,
    ConnectionsFound,
    Clients,
    Providers,
    ProvidersFound,
    Attempts,
    Lineage,
    TokenReaders,
    Relinks,
    RelinksSent,
    Users,
    ApiKeys,
    Audit,
    AuditFound,
    Imports,
    Jobs,
    /// No connection was chosen for a job.
    Chosen,
}

impl Empty {
    pub const ALL: [Self; 22] = [
        Self::Everything,
        Self::NeedsHuman,
        Self::ClientsInTrouble,
        Self::Expiries,
        Self::Refreshes,
        Self::Connections,
        Self::ConnectionsFound,
        Self::Clients,
        Self::Providers,
        Self::ProvidersFound,
        Self::Attempts,
        Self::Lineage,
        Self::TokenReaders,
        Self::Relinks,
        Self::RelinksSent,
        Self::Users,
        Self::ApiKeys,
        Self::Audit,
        Self::AuditFound,
        Self::Imports,
        Self::Jobs,
        Self::Chosen,
    ];
}

/// A title and a sentence.
pub fn empty(place: Empty) -> (&'static str, &'static str) {
    match place {
        Empty::Everything => (
            "Nothing is connected yet",
            "Register a client at a provider first: a name and a secret by which the provider \
             knows you. Then connect accounts with it, and Regrant keeps them alive.",
        ),
        Empty::NeedsHuman => (
            "Nothing needs a person",
            "None of the connections that Regrant keeps alive needs one in the next seven days.",
        ),
        Empty::ClientsInTrouble => {
            ("No client is in trouble", "Every provider accepts the clients you registered.")
        }
        Empty::Expiries => {
            ("Nothing expires soon", "What runs out over the time ahead will stand here.")
        }
        Empty::Refreshes => (
            "No refresh within a day",
            "The refreshes of the day behind, how they ended, and those of the day ahead will stand here.",
        ),
        Empty::Connections => (
            "No connections yet",
            "A connection is one account that let you in. Connect one with a consent page, or \
             import a token you have.",
        ),
        Empty::ConnectionsFound => (
            "No connection fits",
            "Nothing matches these filters. Loosen one of them, or clear them all.",
        ),
        Empty::Jobs => (
            "No jobs yet",
            "What you do with many connections at once, and what came of it, will stand here. Choose \
             connections in their list.",
        ),
        Empty::Chosen => (
            "No connection is chosen",
            "Tick connections in their list, or take all that a filter lets through.",
        ),
        Empty::Imports => (
            "No imports yet",
            "Connections that you bring over from another system, and what came of each file, will \
             stand here.",
        ),
        Empty::Clients => (
            "No clients yet",
            "A client is your registration at a provider. Add the first one, and connect accounts \
             with it.",
        ),
        Empty::Providers => (
            "No providers",
            "A provider says how to talk to one service. Add one from its address, or write one.",
        ),
        Empty::ProvidersFound => (
            "No provider fits",
            "None has this name or category. Look for a part of the name, or add the provider from its address.",
        ),
        Empty::Attempts => (
            "Not refreshed yet",
            "Every try to refresh this connection will stand here, with how it ended.",
        ),
        Empty::Lineage => (
            "No later generation yet",
            "Which token came from which will stand here, once this connection is refreshed or authorized again.",
        ),
        Empty::TokenReaders => (
            "Nobody read its token yet",
            "Which API key or person got the token, how often and when last, will stand here.",
        ),
        Empty::Relinks => (
            "No relinks",
            "A relink is a one-time link by which the account's owner brings this connection back.",
        ),
        Empty::RelinksSent => (
            "No links are under way",
            "Find a customer's connection above and create a link. How far they are with it will \
             stand here, while it happens.",
        ),
        Empty::Users => ("Nobody here", "People who may sign in will stand here."),
        Empty::ApiKeys => (
            "No keys yet",
            "A key lets a program use Regrant. Create one and give it no more than it needs.",
        ),
        Empty::Audit => ("Nothing happened yet", "Who did what, and when, will stand here."),
        Empty::AuditFound => {
            ("No entry fits", "Nothing matches these filters. Loosen one of them.")
        }
    }
}
