//! What a form made, sealed on its way to the page that follows it and shown there once.

use secrecy::ExposeSecret;
use time::Duration;
use uuid::Uuid;

use super::{Actor, App, Result, keys, session::stored_id};
use crate::server::{
    secret::seal::Place,
    store::{self, note::Note},
};

/// The page follows at once; whoever comes later asks again.
const KEPT: Duration = Duration::minutes(10);

/// What a note is, and of what.
#[derive(Clone, Copy, Debug)]
pub struct Name<'a> {
    pub kind: &'a str,
    /// `None`: it is the only one of its kind; or, to take one, whichever there is.
    pub about: Option<Uuid>,
}

impl Name<'_> {
    pub fn of(kind: &str, about: Uuid) -> Name<'_> {
        Name { kind, about: Some(about) }
    }

    pub fn any(kind: &str) -> Name<'_> {
        Name { kind, about: None }
    }
}

/// Keeps a note for the next page of a session, in the place of the one that has the same name.
pub async fn put(
    app: &App,
    actor: &Actor,
    session: &str,
    name: Name<'_>,
    note: &serde_json::Value,
) -> Result<()> {
    actor.user_id()?;
    let (id, now) = (app.new_id(), app.now());
    let sealed = app.keyring().seal(app.rng(), place(id), note.to_string().as_bytes())?;
    let mut tx = app.begin().await?;
    let note = Note {
        id,
        session_id: &stored_id(session),
        kind: name.kind,
        about: name.about,
        sealed_note: &sealed,
        expires_at: now + KEPT,
    };
    store::note::replace(&mut tx, &note).await?;
    tx.commit().await?;
    Ok(())
}

/// Takes what [`put`] kept; nobody gets it twice.
pub async fn take(
    app: &App,
    actor: &Actor,
    session: &str,
    name: Name<'_>,
) -> Result<Option<serde_json::Value>> {
    actor.user_id()?;
    let (session, mut conn) = (stored_id(session), app.pool().acquire().await?);
    let taken = store::note::take(&mut conn, &session, name.kind, name.about, app.now()).await?;
    let Some((id, sealed)) = taken else { return Ok(None) };
    let text = keys::open_text(app, &mut conn, place(id), &sealed).await?;
    Ok(Some(serde_json::from_str(text.expose_secret())?))
}

fn place(row: Uuid) -> Place {
    Place { table: "notes", column: "sealed_note", row, generation: 0 }
}
