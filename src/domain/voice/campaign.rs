//! What is said of campaigns: links for many, and how far the customers are.

use time::OffsetDateTime;

use super::{grouped, no_relink, relink};
use crate::domain::{
    campaign::{Concern, Progress, StageCount},
    client::StateName,
    connection::Connection,
    relink::{RelinkEntry, Stage},
};

fn customers(count: i64) -> String {
    match count {
        1 => "1 customer".into(),
        many => format!("{} customers", grouped(many)),
    }
}

/// What a campaign is.
pub const CAMPAIGN: &str = "A campaign makes a one-time link for each of many customers, and shows who is \
                            not done yet and what to say to them. You send the links; Regrant sends \
                            nothing by itself.";

/// How far the customers are.
pub fn campaign(progress: &Progress) -> String {
    match (progress.total, progress.done) {
        (0, _) => "Nobody has a link yet.".into(),
        (1, 1) => "The one customer is done.".into(),
        (total, done) if total == done => format!("All {} are done.", customers(total)),
        (total, done) => format!("{} of {} done.", grouped(done), customers(total)),
    }
}

/// What the file of e-mails is.
pub const CAMPAIGN_MAILS: &str = "One e-mail for each whose link works, with its subject and its text, for a mail \
                                  program that sends many. Who is not done and has no such link stands there \
                                  without an address, with the reason in the column left_out. Whoever has such \
                                  a link can use it: keep the file to yourself.";

/// Why the e-mails leave out one who is not done.
pub fn no_mail(entry: &RelinkEntry, connection: &Connection, as_of: OffsetDateTime) -> String {
    let stops = matches!(entry.client_state, StateName::CredentialsRejected | StateName::Disabled);
    if let Some(why) = no_relink(connection).filter(|_| stops) {
        return why;
    }
    if entry.stage.is_over() {
        return relink(&entry.relink, None, &entry.service, as_of).happened;
    }
    "Their newest link was made by itself and not by a job: only whoever made it has its address. New links for \
     the stragglers take its place."
        .into()
}

/// How many are at a stage.
pub fn stage_count(one: &StageCount) -> String {
    let word = match one.stage {
        Stage::Denied => "said no",
        stage => super::relink_word(stage),
    };
    format!("{} {word}", grouped(one.count))
}

/// What new links for the stragglers mean.
pub fn stragglers_again() -> &'static str {
    "Everyone who is not done gets a new link, and the old one stops working; also where it had expired \
     or was called off. Whoever is at the provider just now is left alone."
}

/// What it means to ask for what the client asks for today.
pub fn client_scopes() -> &'static str {
    "Ask for the scopes that the client asks for today, too. Otherwise each link asks for what its \
     connection asked for so far."
}

/// Why a campaign may be needed, in the words of its occasion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    Drift,
    Outage,
    Secret,
}

/// What happened, and what links do about it.
pub fn occasion(occasion: Occasion) -> &'static str {
    match occasion {
        Occasion::Drift => {
            "These accounts were connected before their client asked for all it asks for today. Those that \
             work do so with less. A link asks their owner for the rest."
        }
        Occasion::Outage => {
            "These came to need a person since then, and still do. After a provider's outage that is \
             everyone whom it threw out, and whoever came to it for another reason; each gets a link to come \
             back by."
        }
        Occasion::Secret => {
            "The providers of these clients end every connection of a client when its secret is replaced, \
             and all its customers have to come back. A secret is replaced at the provider first, so whoever \
             came to need a person since the day before it was replaced here gets a link, for 30 days. Where \
             no secret was replaced the connections work and need none; whom an older one threw out stands \
             under the outage."
        }
    }
}

/// What is to be minded of those whom an occasion concerns, beside how many they are.
pub fn concern(occasion: Occasion, concern: &Concern) -> Vec<String> {
    let mut told = Vec::new();
    let mut tell = |count: i64, one: &str, many: &str| {
        if count > 0 {
            let text = if count == 1 { one } else { many };
            told.push(format!("{} {text}", grouped(count)));
        }
    };
    if occasion == Occasion::Drift {
        tell(concern.needs_person, "needs a person anyway", "need a person anyway");
    }
    if occasion == Occasion::Outage {
        let text = "had no refresh token, or one that never worked here, outage or not";
        tell(concern.never_renewed, text, text);
    }
    tell(concern.count - concern.possible, "can get no link now", "can get no link now");
    tell(
        concern.unknown_accounts,
        "is of an account that nobody knows: whoever gives consent becomes it",
        "are of accounts that nobody knows: whoever gives consent becomes it",
    );
    told
}

/// What stands where an occasion concerns nobody.
pub fn no_occasion(occasion: Occasion) -> &'static str {
    match occasion {
        Occasion::Drift => {
            "The owner of every connection was asked for all that its client asks for today."
        }
        Occasion::Outage => "No connection came to need a person since then.",
        Occasion::Secret => {
            "No connection is at a provider that is known to end them all when a client's secret is replaced."
        }
    }
}

/// What a campaign is called unless somebody says otherwise.
pub fn occasion_name(occasion: Occasion) -> &'static str {
    match occasion {
        Occasion::Drift => "Scope drift",
        Occasion::Outage => "After an outage",
        Occasion::Secret => "New client secret",
    }
}
