//! Who asks for a refresh, and what the audit log says of it. Where that is written once there is an attempt, it is
//! written with the intent: whoever asked may be gone when the answer comes, and the provider was asked.

use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    domain::{attempt::Trigger, connection::Connection},
    server::app::{
        Actor, App, Result,
        audit::{self, Party, Subject, Who},
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

impl Ask {
    /// Of this nothing is written, or it was before.
    pub fn new(trigger: Trigger, actor: &Actor) -> Self {
        Self { trigger, actor: actor.label().to_owned(), noted: None }
    }

    /// One of many, which may have no turn for long: it is written once there is an attempt.
    pub fn in_turn(actor: &Actor, connection: &Connection) -> Self {
        let (id, label) = (connection.id, connection.name().to_owned());
        let noted = Some(Noted { who: actor.into(), id, label });
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
