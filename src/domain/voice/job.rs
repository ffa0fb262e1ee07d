//! What is said of jobs: before, while and after they are carried out.

use time::OffsetDateTime;

use super::{Tone, connections, exact, grouped};
use crate::domain::{
    connection::Standing,
    job::{Action, Job, JobOutcome, JobState, Outcome, Selection, StandingCount},
    page::Count,
    relink::Stage,
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

/// On the button that begins it, where it can be done for so many.
pub fn job_press(action: Action, count: i64) -> String {
    match (action, count) {
        (action, 0) => job_action(action).into(),
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

/// How those that are chosen stand.
pub fn job_standings(standings: &[StandingCount]) -> String {
    let told = |one: &StandingCount| {
        let word = match one.standing {
            Standing::NeedsPerson if one.count != 1 => "need a person",
            standing => standing.word(),
        };
        format!("{} {word}", grouped(one.count))
    };
    format!("How they stand: {}.", standings.iter().map(told).collect::<Vec<_>>().join(", "))
}

/// For how many it can be done, where that is not all.
pub fn job_possible(action: Action, selection: &Selection) -> Option<String> {
    let (can, others) = (selection.possible, selection.total - selection.possible);
    if others <= 0 {
        return None;
    }
    let can = grouped(can);
    let (left, is, rest, need, was) = match others {
        1 => ("The other one is left out".to_owned(), "is", "rests", "needs", "was"),
        many => {
            (format!("The other {} are left out", grouped(many)), "are", "rest", "need", "were")
        }
    };
    let others = grouped(others);
    Some(match (action, selection.possible) {
        (Action::Relink, 0) => {
            "No link can be made for any of them as they stand now. The job tells of each why."
                .into()
        }
        (Action::Relink, _) => format!(
            "A link can be made for {can} of them as they stand now. {left}; the job tells of each why."
        ),
        (Action::Refresh, 0) => {
            "None of them can be refreshed as they stand now. The job tells of each why.".into()
        }
        (Action::Refresh, _) => format!(
            "As they stand now, {can} of them can be refreshed. {left}; the job tells of each why."
        ),
        (Action::Pause, _) => {
            format!("{others} of them {rest} already, {need} a person, or {is} disconnected.")
        }
        (Action::Resume, _) => format!("{others} of them {was} not paused."),
        _ => format!("{others} of them {is} disconnected already."),
    })
}

/// That some of those who are to get a link would live without.
pub fn job_alive(standings: &[StandingCount]) -> Option<String> {
    let alive = standings.iter().find(|one| one.standing == Standing::Alive)?.count;
    Some(match alive {
        1 => "1 of them is alive: its owner is asked for consent all the same.".into(),
        many => format!(
            "{} of them are alive: their owners are asked for consent all the same.",
            grouped(many)
        ),
    })
}

/// That nobody knows whose some accounts are that get a link.
pub fn job_unknown_accounts(count: i64) -> String {
    format!(
        "For {} of the links Regrant does not know whose account it is: whoever gives consent by such a link \
         becomes it, and it could be another one than before. Send these to the owners and nobody else, and \
         look afterwards who it was.",
        grouped(count)
    )
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
pub fn job(job: &Job) -> (Tone, String) {
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
        let left = match (job.action, job.skipped) {
            (Action::Refresh | Action::Relink, 1) => "was left out",
            (Action::Refresh | Action::Relink, _) => "were left out",
            _ => "had nothing to do",
        };
        text.push_str(&format!(", {} {left}", count(job.skipped)));
    }
    if job.failed > 0 {
        text.push_str(&format!(", {} could not be done", count(job.failed)));
    }
    text.push('.');
    let nothing_came = job.done == 0 && matches!(job.action, Action::Refresh | Action::Relink);
    let tone = match job.state {
        JobState::Stopped => Tone::Ill,
        _ if job.failed > 0 && job.done + job.skipped == 0 => Tone::Ill,
        _ if job.failed > 0 || nothing_came => Tone::Unsure,
        _ => Tone::Well,
    };
    (tone, text)
}

/// What came of one. Nothing was to be done only where it stood already as it was to; what was left out for
/// another reason may still need somebody.
pub fn job_outcome(one: &JobOutcome) -> &'static str {
    let stood_so = one.detail.as_deref() == Some(job_nothing_to_do());
    match one.outcome {
        None => "Not yet",
        Some(Outcome::Done) => "Done",
        Some(Outcome::Skipped) if stood_so => "Nothing to do",
        Some(Outcome::Skipped) => "Left out",
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

/// What became of a link that a job made, once it works no longer.
pub fn job_link_over(stage: Stage) -> Option<&'static str> {
    match stage {
        Stage::Done => Some("A link was made and used: the connection was linked by it."),
        Stage::Replaced => Some("A link was made. A newer one has taken its place since."),
        Stage::Revoked => Some("A link was made. It was called off since."),
        Stage::Expired => Some("A link was made. It expired before it was used."),
        _ => None,
    }
}

/// Of a link whose customer has come back without it.
pub fn job_link_needless() -> &'static str {
    "A link was made, and is not needed any more: consent was given another way since."
}

/// Of what is dead, where it was to be paused.
pub fn job_nothing_rests() -> &'static str {
    "It needs a person, and nothing is refreshed until then: there is nothing to pause."
}

/// The same, where it was to go on.
pub fn job_still_dead() -> &'static str {
    "It is paused no more. It still needs a person before it is kept alive again."
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

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn over(action: Action, [done, skipped, failed]: [i64; 3]) -> Tone {
        let of = Job {
            id: Uuid::nil(),
            action,
            name: None,
            tag: None,
            revoke: false,
            client_scopes: false,
            stragglers_of: None,
            state: JobState::Done,
            total: done + skipped + failed,
            done,
            skipped,
            failed,
            detail: None,
            created_by: String::new(),
            created_at: OffsetDateTime::UNIX_EPOCH,
            ended_at: None,
        };
        job(&of).0
    }

    #[test]
    fn a_job_is_ill_where_nothing_came_of_it_and_not_where_a_few_failed() {
        assert_eq!(over(Action::Refresh, [6, 8, 1]), Tone::Unsure);
        assert_eq!(over(Action::Refresh, [0, 0, 3]), Tone::Ill);
        assert_eq!(over(Action::Refresh, [0, 3, 0]), Tone::Unsure);
        assert_eq!(over(Action::Relink, [4, 2, 0]), Tone::Well);
        assert_eq!(over(Action::Pause, [0, 3, 0]), Tone::Well);
    }
}
