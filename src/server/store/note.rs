//! What forms made, on its way to the pages that follow them.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Result;

pub struct Note<'a> {
    pub id: Uuid,
    pub session_id: &'a str,
    pub kind: &'a str,
    pub about: Option<Uuid>,
    pub sealed_note: &'a [u8],
    pub expires_at: OffsetDateTime,
}

/// Keeps a note in the place of the one before it. Of a session that is over by now nothing is kept.
pub async fn replace(conn: &mut PgConnection, note: &Note<'_>) -> Result<()> {
    sqlx::query!(
        "DELETE FROM notes WHERE session_id = $1 AND kind = $2 AND about IS NOT DISTINCT FROM $3",
        note.session_id,
        note.kind,
        note.about
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "INSERT INTO notes (id, session_id, kind, about, sealed_note, expires_at)
         SELECT $1, id, $3, $4, $5, $6 FROM sessions WHERE id = $2 FOR KEY SHARE",
        note.id,
        note.session_id,
        note.kind,
        note.about,
        note.sealed_note,
        note.expires_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes the newest note of a kind: about one thing, or about anything. Nobody else gets it.
pub async fn take(
    conn: &mut PgConnection,
    session_id: &str,
    kind: &str,
    about: Option<Uuid>,
    now: OffsetDateTime,
) -> Result<Option<(Uuid, Vec<u8>)>> {
    Ok(sqlx::query!(
        "DELETE FROM notes
         WHERE id = (SELECT id FROM notes
                     WHERE session_id = $1 AND kind = $2 AND ($3::uuid IS NULL OR about = $3) AND expires_at > $4
                     ORDER BY id DESC LIMIT 1 FOR UPDATE SKIP LOCKED)
         RETURNING id, sealed_note",
        session_id,
        kind,
        about,
        now
    )
    .fetch_optional(conn)
    .await?
    .map(|row| (row.id, row.sealed_note)))
}

pub async fn delete_expired(conn: &mut PgConnection, now: OffsetDateTime) -> Result<()> {
    sqlx::query!("DELETE FROM notes WHERE expires_at <= $1", now).execute(conn).await?;
    Ok(())
}
