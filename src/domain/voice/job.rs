//! What is said of jobs: before, while and after they are carried out.

use time::OffsetDateTime;

use super::{connections, exact, grouped};
use crate::domain::{
    job::{Action, Job, JobState, Outcome, Selection},
    page::Count,
};

/// The verb on a button.
pub fn job_action(action: Action) -> &'static str {
    match action {
        Action::Refresh => "Refresh",
        Action::Relink => "Create relinks",
        Action::Pause => "Pause",
        Action::Resume => "Resume",
        Action::Tag => "Tag",
        Action::Untag => "Untag",
        Action::Disconnect => "Disconnect",
    }
}

/// On the button that begins it with so many connections.
pub fn job_press(action: Action, count: i64) -> String {
    match (action, count) {
        (Action::Relink, 1) => "Create 1 relink".into(),
        (Action::Relink, many) => format!("Create {} relinks", grouped(many)),
        (action, many) => format!("{} {}", job_action(action), grouped(many)),
    }
}

/// What a job is called.
pub fn job_name(job: &Job) -> String {
    job.name.clone().unwrap_or_else(|| job_deed(job))
}

/// What a job does, whatever it is called.
pub fn job_deed(job: &Job) -> String {
    match &job.tag {
        Some(tag) => format!("{}: {tag}", job_action(job.action)),
        None => job_action(job.action).to_owned(),
    }
}

/// What the action means for each of the connections.
pub fn job_meaning(action: Action) -> &'static str {
    match action {
        Action::Refresh => {
            "Regrant asks the provider for a new token for each, within the provider's limits."
        }
        Action::Relink => {
            "Each that its owner can bring back gets a one-time link, and its earlier links stop \
             working. The links stand in the outcomes, which you can download and send: \
             Regrant sends nothing by itself."
        }
        Action::Pause => {
            "They are no longer refreshed by themselves until somebody resumes them. Tokens that \
             live stay good for as long as they live."
        }
        Action::Resume => "They are kept alive again. What is overdue is refreshed within minutes.",
        Action::Tag => "Each gets the tag. Those that have it stay as they are.",
        Action::Untag => "Each loses the tag. Those without it stay as they are.",
        Action::Disconnect => {
            "Regrant forgets their tokens and no longer keeps them alive. This can't be taken \
             back: each has to be connected anew. Their history stays."
        }
    }
}

/// How many, of how many clients.
pub fn job_selection(selection: &Selection) -> String {
    let clients = match selection.clients.len() {
        1 => "1 client".to_owned(),
        many => format!("{many} clients"),
    };
    format!("{} of {clients}", connections(Count::Exactly(selection.total)))
}

/// Why no job was made on what is chosen now.
pub fn job_changed(total: i64) -> String {
    format!(
        "Nothing was done, because the choice has changed since it was shown to you: it is {} now. Look \
         at what it is, and confirm that.",
        connections(Count::Exactly(total)).to_lowercase()
    )
}

/// Why no job was made with a key that made another one.
pub fn job_key_used() -> &'static str {
    "Nothing was done, because a job was made from this form already, and now it asks for another one. Look \
     at what it is, and confirm that."
}

/// What it means to stop a job.
pub fn job_stop(job: &Job) -> String {
    format!(
        "The {} that are left stay as they are. What was done stays done, and the job can't go on \
         afterwards.",
        grouped((job.total - job.worked()).max(0))
    )
}

/// That some clients' connections get no links.
pub fn job_refused(clients: &[String]) -> String {
    let named = clients.iter().map(|name| format!("“{name}”")).collect::<Vec<_>>().join(", ");
    format!(
        "No links are made for {named}: the client is refused by its provider or switched off, and consent \
         would come to nothing. Mend that first."
    )
}

/// How a job stands, and whether all is well.
pub fn job(job: &Job) -> (bool, String) {
    let count = |number: i64| grouped(number);
    let begin = match job.state {
        JobState::Running if job.worked() == 0 => "It begins in a moment: ".to_owned(),
        JobState::Running => "Under way: ".to_owned(),
        JobState::Done => "Done: ".to_owned(),
        JobState::Stopped => {
            let why = job.detail.as_deref().unwrap_or("somebody stopped it");
            format!("Stopped: {why}. What was done stays. ")
        }
    };
    // Whether the customers are done is told beside it.
    let done = if job.action == Action::Relink { "links made" } else { "done" };
    let mut text = format!("{begin}{} of {} {done}", count(job.done), count(job.total));
    if job.skipped > 0 {
        text.push_str(&format!(", {} had nothing to do", count(job.skipped)));
    }
    if job.failed > 0 {
        text.push_str(&format!(", {} could not be done", count(job.failed)));
    }
    text.push('.');
    (job.state != JobState::Stopped && job.failed == 0, text)
}

pub fn job_outcome(outcome: Option<Outcome>) -> &'static str {
    match outcome {
        None => "Not yet",
        Some(Outcome::Done) => "Done",
        Some(Outcome::Skipped) => "Nothing to do",
        Some(Outcome::Failed) => "Could not be done",
    }
}

/// What was done with one connection.
pub fn job_done(action: Action) -> &'static str {
    match action {
        Action::Refresh => "It was refreshed.",
        Action::Relink => "A link was made.",
        Action::Pause => "It rests.",
        Action::Resume => "It is kept alive again.",
        Action::Tag => "It has the tag.",
        Action::Untag => "The tag is gone.",
        Action::Disconnect => "It is disconnected. The provider was not told.",
    }
}

pub fn job_revoked() -> &'static str {
    "It is disconnected, and the provider revoked its tokens."
}

pub fn job_relink(until: OffsetDateTime) -> String {
    format!("A link was made. It works once, until {}.", exact(until))
}

pub fn job_gone() -> &'static str {
    "It was deleted meanwhile."
}

pub fn job_broke_off() -> &'static str {
    "Something went wrong in Regrant. It was logged."
}

pub fn job_customer_busy() -> &'static str {
    "They are at the provider just now, with the link they have."
}

pub fn job_disconnected() -> &'static str {
    "It is disconnected."
}

pub fn job_nothing_to_do() -> &'static str {
    "It stood so already."
}

/// Why a job does not go on.
pub fn job_not_allowed() -> &'static str {
    "whoever asked for it may not do this any more"
}
