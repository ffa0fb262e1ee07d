//! A campaign: a job of relinks, watched until the customers are done and not only until the links are
//! made. Of a customer's links the newest counts, whichever job or person made it.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};
use uuid::Uuid;

use super::{
    job::Job,
    page::Page,
    relink::{RelinkEntry, Stage},
};

/// How many customers are at one stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "ssr", schema(as = RelinkStageCount))]
pub struct StageCount {
    pub stage: Stage,
    pub count: i64,
}

/// How far the customers of a job are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "ssr", schema(as = CampaignProgress))]
pub struct Progress {
    /// How many were given a link.
    pub total: i64,
    /// How many of them are done.
    pub done: i64,
    /// How many are at which stage; those at which somebody is, from the end of the way to its
    /// beginning, and then those who left it.
    pub stages: Vec<StageCount>,
}

impl Progress {
    pub fn of(counted: impl IntoIterator<Item = StageCount>) -> Self {
        let mut stages: Vec<_> = counted.into_iter().filter(|one| one.count > 0).collect();
        stages.sort_by_key(|one| ORDER.iter().position(|stage| *stage == one.stage));
        let mut progress =
            Self { total: stages.iter().map(|one| one.count).sum(), done: 0, stages };
        progress.done = progress.count(Stage::Done);
        progress
    }

    pub fn count(&self, stage: Stage) -> i64 {
        self.stages.iter().find(|one| one.stage == stage).map_or(0, |one| one.count)
    }

    /// Whether anybody has a link that works.
    pub fn has_links(&self) -> bool {
        self.stages.iter().any(|one| one.stage != Stage::Done && !one.stage.is_over())
    }

    /// How many are not done.
    pub fn stragglers(&self) -> i64 {
        self.total - self.done
    }
}

/// The stages in the order of a bar that fills from its beginning.
const ORDER: [Stage; 15] = [
    Stage::Done,
    Stage::Consented,
    Stage::Away,
    Stage::Opened,
    Stage::Sent,
    Stage::WrongAccount,
    Stage::Denied,
    Stage::MissingScope,
    Stage::AlreadyConnected,
    Stage::ClientRefused,
    Stage::Failed,
    Stage::TookTooLong,
    Stage::Expired,
    Stage::Replaced,
    Stage::Revoked,
];

/// A customer who was given a link and is not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Straggler {
    /// Their number in the job.
    pub number: i64,
    /// Their newest link, and how far they are with it.
    pub entry: RelinkEntry,
    /// What to say to them.
    pub say: String,
    /// The link's address, while it works and was made by a job, for whoever may make one.
    pub link: Option<String>,
}

/// The e-mail by which one of them is sent their link.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// Their number in the job.
    pub number: i64,
    pub connection_id: Uuid,
    /// The connection's name.
    pub label: String,
    pub account: Option<String>,
    /// Your own key for the connection.
    pub external_id: Option<String>,
    /// The link's address.
    pub link: String,
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
    pub subject: String,
    pub text: String,
    /// Why there is no e-mail. Then nothing stands here that it could be sent to, or with.
    pub left_out: Option<String>,
}

/// A page of stragglers, how far all are, and the moment it was true.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Customers {
    #[serde(with = "time::serde::rfc3339")]
    pub as_of: OffsetDateTime,
    pub progress: Progress,
    pub stragglers: Page<Straggler>,
}

/// A job of relinks that is not over, and how far its customers are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Campaign {
    pub job: Job,
    pub progress: Progress,
}

/// Reasons to begin a campaign, and whom each concerns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Occasions {
    /// Connections that were granted less than their client asks for today.
    pub drift: Vec<Concern>,
    /// Those that came to need a person since the moment that was asked for.
    pub dead: Vec<Concern>,
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
    /// Clients of providers that end every grant when the secret is replaced.
    pub secrets: Vec<SecretShare>,
}

/// Whom an occasion concerns, of one client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Concern {
    pub client_id: Uuid,
    pub client: String,
    pub count: i64,
    /// How many of them can be sent a link.
    pub possible: i64,
    /// Of how many of those nobody knows whose account it is.
    pub unknown_accounts: i64,
    /// How many need a person, whatever the occasion.
    pub needs_person: i64,
    /// How many had nothing that could be renewed, or were imported with what has never worked here.
    pub never_renewed: i64,
}

/// A secret is new for so long.
pub const NEW_SECRET: Duration = Duration::days(30);

/// A client whose connections end with its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretShare {
    pub client_id: Uuid,
    pub client: String,
    /// How many connections it has.
    pub count: i64,
    /// When its secret took the place of another.
    #[serde(with = "time::serde::rfc3339::option")]
    pub replaced_at: Option<OffsetDateTime>,
    /// From when on connections ended with it: a while before, for it is replaced at the provider first. Nothing:
    /// what ended since it was replaced has long had other causes.
    #[serde(with = "time::serde::rfc3339::option")]
    pub since: Option<OffsetDateTime>,
    /// How many of them came to need a person since then, and do still.
    pub dead: i64,
}

/// Since when: `day` and `week` are those just past, else it is a date. A week unless said.
pub fn since(text: Option<&str>, now: OffsetDateTime) -> OffsetDateTime {
    let date = |text: &str| OffsetDateTime::parse(&format!("{text}T00:00:00Z"), &Rfc3339).ok();
    match text {
        Some("day") => now - Duration::days(1),
        Some(text) => date(text).unwrap_or(now - Duration::days(7)),
        None => now - Duration::days(7),
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_time_is_a_day_a_week_or_a_date() {
        let now = datetime!(2026-03-08 12:00 UTC);
        for (text, moment) in [
            (Some("day"), datetime!(2026-03-07 12:00 UTC)),
            (Some("week"), datetime!(2026-03-01 12:00 UTC)),
            (None, datetime!(2026-03-01 12:00 UTC)),
            (Some("2026-02-03"), datetime!(2026-02-03 0:00 UTC)),
            (Some("tomorrow"), datetime!(2026-03-01 12:00 UTC)),
        ] {
            assert_eq!(since(text, now), moment, "{text:?}");
        }
    }

    #[test]
    fn progress_adds_up_and_leaves_out_what_nobody_is_at() {
        let at = |stage, count| StageCount { stage, count };
        let progress = Progress::of([
            at(Stage::Expired, 2),
            at(Stage::Sent, 0),
            at(Stage::Done, 3),
            at(Stage::Opened, 1),
        ]);
        assert_eq!((progress.total, progress.done, progress.stragglers()), (6, 3, 3));
        let order: Vec<_> = progress.stages.iter().map(|one| one.stage).collect();
        assert_eq!(order, [Stage::Done, Stage::Opened, Stage::Expired]);
        let all = Stage::ALL.into_iter().map(|stage| at(stage, 1));
        assert_eq!(Progress::of(all).stages.len(), ORDER.len());
    }
}
