//! Who asks for a refresh, and what the audit log says of it. Where that is written once there is an attempt, it is
//! written with the intent: whoever asked may be gone when the answer comes, and the provider was asked. What came
//! of it is an entry of its own, since nothing that stands in the log is changed.

use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    domain::{
        attempt::{Attempt, Trigger, Verdict},
        connection::Connection,
    },
    server::app::{
        Actor, App, Error, Result,
        audit::{self, Party, Subject, Who},
        error::Conflict,
    },
};

/// Who asks.
pub struct Ask {
    pub trigger: Trigger,
    pub actor: String,
    noted: Option<Noted>,
}

struct Noted {
    who: Party,
    id: Uuid,
    label: String,
}

impl Noted {
    fn of(actor: &Actor, connection: &Connection) -> Self {
        Self { who: actor.into(), id: connection.id, label: connection.name().to_owned() }
    }
}

/// What a refresh that was asked for came to.
pub struct Came {
    pub attempt: Attempt,
    /// Somebody else made it, and it was waited for.
    pub(super) is_joined: bool,
}

impl Came {
    pub(super) fn own(attempt: Attempt) -> Self {
        Self { attempt, is_joined: false }
    }

    pub(super) fn joined(attempt: Attempt) -> Self {
        Self { attempt, is_joined: true }
    }
}

/// Whom a refresh that was asked for is to be answered to.
pub struct Asker {
    noted: Noted,
    /// It is one of many, and what has no turn is asked for again.
    in_turn: bool,
}

impl Asker {
    pub fn of(actor: &Actor, connection: &Connection) -> Self {
        Self { noted: Noted::of(actor, connection), in_turn: false }
    }

    pub fn in_turn(actor: &Actor, connection: &Connection) -> Self {
        Self { in_turn: true, ..Self::of(actor, connection) }
    }

    /// The action and the detail by which the log tells what came of it. `None`: nothing is to be told.
    pub(super) fn told(&self, came: &Result<Came>) -> Option<(&'static str, Value)> {
        let error = match came {
            Ok(Came { attempt, is_joined }) => {
                let Attempt { verdict, error_code, .. } = attempt;
                return Some(match verdict {
                    Some(Verdict::Refreshed) if !is_joined => {
                        (REFRESHED, json!({ "outcome": verdict }))
                    }
                    // What somebody else's token set took the place of was refreshed by them.
                    Some(Verdict::Refreshed | Verdict::Superseded) => {
                        (JOINED, json!({ "outcome": verdict }))
                    }
                    _ => (FAILED, json!({ "outcome": verdict, "provider_said": error_code })),
                });
            }
            Err(error) => error,
        };
        let problem = error.problem();
        let detail = match error {
            Error::Conflict(Conflict { obstacle, .. }) => {
                json!({ "outcome": obstacle, "why": problem.message })
            }
            Error::ReauthRequired(reason) => {
                json!({ "outcome": problem.code, "reason": reason, "why": problem.message })
            }
            _ if self.in_turn => return None,
            _ => json!({ "outcome": problem.code, "why": problem.message }),
        };
        Some((FAILED, detail))
    }

    /// Writes it.
    pub(super) async fn note(
        &self,
        app: &App,
        (action, detail): (&'static str, Value),
    ) -> Result<()> {
        let mut conn = app.pool().acquire().await?;
        let Noted { who, id, label } = &self.noted;
        audit::record(app, &mut conn, who, action, Subject::new(id, label), detail).await
    }
}

const REFRESHED: &str = "connection.refreshed";
const JOINED: &str = "connection.refresh_joined";
const FAILED: &str = "connection.refresh_failed";

impl Ask {
    /// Of this nothing is written, or it was before.
    pub fn new(trigger: Trigger, actor: &Actor) -> Self {
        Self { trigger, actor: actor.label().to_owned(), noted: None }
    }

    /// One of many, which may have no turn for long: it is written once there is an attempt.
    pub fn in_turn(actor: &Actor, connection: &Connection) -> Self {
        let noted = Some(Noted::of(actor, connection));
        Self { noted, ..Self::new(Trigger::Manual, actor) }
    }

    pub(super) async fn note(&self, app: &App, conn: &mut PgConnection) -> Result<()> {
        let Some(Noted { who, id, label }) = &self.noted else { return Ok(()) };
        note(app, conn, who, Subject::new(id, label), false).await
    }

    /// [`Ask::note`], where somebody else's attempt is the answer.
    pub(super) async fn note_joined(&self, app: &App) -> Result<()> {
        if self.noted.is_none() {
            return Ok(());
        }
        let mut conn = app.pool().acquire().await?;
        self.note(app, &mut conn).await
    }
}

/// Writes that somebody asked for a refresh.
pub(in crate::server::app) async fn note<'a>(
    app: &App,
    conn: &mut PgConnection,
    who: impl Into<Who<'a>>,
    subject: Subject<'_>,
    force: bool,
) -> Result<()> {
    audit::record(app, conn, who, "connection.refresh", subject, json!({ "force": force })).await
}
