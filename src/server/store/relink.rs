//! One-time links.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Error, Result};
use crate::domain::{
    client,
    relink::{Ended, Outcome, Relink},
};

struct RelinkRow {
    id: Uuid,
    connection_id: Uuid,
    created_by: String,
    created_at: OffsetDateTime,
    expires_at: OffsetDateTime,
    opened_at: Option<OffsetDateTime>,
    left_at: Option<OffsetDateTime>,
    returned_at: Option<OffsetDateTime>,
    used_at: Option<OffsetDateTime>,
    outcome: Option<String>,
    detail: Option<String>,
    ended: Option<String>,
    connection: String,
    account: Option<String>,
    external_id: Option<String>,
    client: String,
    client_state: String,
    provider: String,
}

impl TryFrom<RelinkRow> for Relink {
    type Error = Error;
    fn try_from(row: RelinkRow) -> Result<Self> {
        Ok(Self {
            id: row.id,
            connection_id: row.connection_id,
            created_by: row.created_by,
            created_at: row.created_at,
            expires_at: row.expires_at,
            opened_at: row.opened_at,
            left_at: row.left_at,
            returned_at: row.returned_at,
            used_at: row.used_at,
            outcome: row.outcome.map(|outcome| outcome.parse()).transpose()?,
            detail: row.detail,
            ended: row.ended.map(|ended| ended.parse()).transpose()?,
        })
    }
}

/// A relink and what it is for.
pub struct Listed {
    pub relink: Relink,
    /// The connection's name.
    pub connection: String,
    /// Of a link that was used: who gave consent by it. Where somebody gave it anew since, that is not known any more.
    pub account: Option<String>,
    pub external_id: Option<String>,
    /// The client's name.
    pub client: String,
    pub client_state: client::StateName,
    /// The provider's slug.
    pub provider: String,
}

impl TryFrom<RelinkRow> for Listed {
    type Error = Error;
    fn try_from(mut row: RelinkRow) -> Result<Self> {
        Ok(Self {
            connection: std::mem::take(&mut row.connection),
            account: row.account.take(),
            external_id: row.external_id.take(),
            client: std::mem::take(&mut row.client),
            client_state: row.client_state.parse()?,
            provider: std::mem::take(&mut row.provider),
            relink: row.try_into()?,
        })
    }
}

macro_rules! select {
    ($tail:literal $(, $argument:expr)*) => {
        sqlx::query_as!(
            RelinkRow,
            r#"SELECT r.id, r.connection_id, r.created_by, r.created_at, r.expires_at, r.opened_at,
                      r.left_at, r.returned_at, r.used_at, r.outcome, r.detail, r.ended,
                      coalesce(nullif(n.label, ''), n.account_label, n.account_id, n.external_id, '(no name yet)')
                          AS "connection!",
                      CASE WHEN r.used_at IS NULL OR coalesce(n.consented_at <= r.used_at, true)
                           THEN coalesce(n.account_label, n.account_id) END AS account, n.external_id,
                      c.name AS client, c.state AS client_state, c.provider
               FROM relinks r JOIN connections n ON n.id = r.connection_id
               JOIN clients c ON c.id = n.client_id "# + $tail
            $(, $argument)*
        )
    };
}

/// `scopes`: what it asks for, where that is not what its connection does.
pub async fn insert(
    conn: &mut PgConnection,
    relink: &Relink,
    token_hash: &[u8],
    scopes: Option<&[String]>,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO relinks (id, connection_id, token_hash, created_by, created_at, expires_at, scopes)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        relink.id,
        relink.connection_id,
        token_hash,
        relink.created_by,
        relink.created_at,
        relink.expires_at,
        scopes
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What a link asks for, where that is not what its connection does.
pub async fn scopes(conn: &mut PgConnection, id: Uuid) -> Result<Option<Vec<String>>> {
    Ok(sqlx::query_scalar!("SELECT scopes FROM relinks WHERE id = $1", id)
        .fetch_optional(conn)
        .await?
        .flatten())
}

/// Whether the connection's newest link asked for more than the connection does, and was neither used
/// nor called off.
pub async fn newest_asks_for_more(conn: &mut PgConnection, connection_id: Uuid) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"SELECT scopes IS NOT NULL AND used_at IS NULL AND ended IS DISTINCT FROM 'revoked' AS "more!"
           FROM relinks WHERE connection_id = $1 ORDER BY id DESC LIMIT 1"#,
        connection_id
    )
    .fetch_optional(conn)
    .await?
    .unwrap_or_default())
}

/// Whether somebody is at the provider's page with the connection's newest link (which waits for half an
/// hour), or has just come back from there.
pub async fn newest_is_busy(
    conn: &mut PgConnection,
    connection_id: Uuid,
    now: OffsetDateTime,
) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"SELECT used_at IS NULL AND expires_at > $2 AND outcome IS NULL
                  AND coalesce(returned_at > $2 - interval '2 minutes',
                               left_at > $2 - interval '30 minutes', false) AS "busy!"
           FROM relinks WHERE connection_id = $1 ORDER BY id DESC LIMIT 1"#,
        connection_id,
        now
    )
    .fetch_optional(conn)
    .await?
    .unwrap_or_default())
}

pub async fn find_by_token(conn: &mut PgConnection, token_hash: &[u8]) -> Result<Option<Relink>> {
    let row = select!("WHERE r.token_hash = $1", token_hash).fetch_optional(conn).await?;
    row.map(TryInto::try_into).transpose()
}

pub async fn find(conn: &mut PgConnection, id: Uuid) -> Result<Option<Listed>> {
    let row = select!("WHERE r.id = $1", id).fetch_optional(conn).await?;
    row.map(TryInto::try_into).transpose()
}

/// These, in no order.
pub async fn list_of(conn: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<Listed>> {
    let rows = select!("WHERE r.id = ANY ($1)", ids).fetch_all(conn).await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// A connection's, the newest first.
pub async fn list(conn: &mut PgConnection, connection_id: Uuid) -> Result<Vec<Relink>> {
    let rows =
        select!("WHERE r.connection_id = $1 ORDER BY r.created_at DESC LIMIT 20", connection_id)
            .fetch_all(conn)
            .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// Those of all connections that end after a moment (`None`: all of them), the newest first.
pub async fn list_ending(
    conn: &mut PgConnection,
    since: Option<OffsetDateTime>,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Listed>> {
    let rows = match since {
        Some(since) => {
            select!(
                "WHERE coalesce(r.used_at, r.expires_at) > $1 AND ($2::uuid IS NULL OR r.id < $2)
                 ORDER BY r.id DESC LIMIT $3",
                since,
                before,
                limit
            )
            .fetch_all(conn)
            .await?
        }
        None => {
            select!(
                "WHERE $1::uuid IS NULL OR r.id < $1 ORDER BY r.id DESC LIMIT $2",
                before,
                limit
            )
            .fetch_all(conn)
            .await?
        }
    };
    rows.into_iter().map(TryInto::try_into).collect()
}

pub async fn mark_opened(conn: &mut PgConnection, id: Uuid, now: OffsetDateTime) -> Result<()> {
    sqlx::query!("UPDATE relinks SET opened_at = $2 WHERE id = $1 AND opened_at IS NULL", id, now)
        .execute(conn)
        .await?;
    Ok(())
}

/// Its visitor leaves for the provider; what an earlier try came to is over.
pub async fn mark_left(conn: &mut PgConnection, id: Uuid, now: OffsetDateTime) -> Result<()> {
    sqlx::query!(
        "UPDATE relinks SET left_at = $2, returned_at = NULL, outcome = NULL, detail = NULL
         WHERE id = $1 AND used_at IS NULL",
        id,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Its visitor came back.
pub async fn mark_returned(conn: &mut PgConnection, id: Uuid, now: OffsetDateTime) -> Result<()> {
    sqlx::query!(
        "UPDATE relinks SET returned_at = $2, outcome = NULL, detail = NULL
         WHERE id = $1 AND used_at IS NULL",
        id,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What a try came to that changed nothing.
pub async fn note_failure(
    conn: &mut PgConnection,
    id: Uuid,
    outcome: Outcome,
    detail: &str,
    now: OffsetDateTime,
) -> Result<()> {
    sqlx::query!(
        "UPDATE relinks SET returned_at = $4, outcome = $2, detail = nullif($3, '')
         WHERE id = $1 AND used_at IS NULL",
        id,
        outcome.as_str(),
        detail,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether the link can still be used.
pub async fn is_open(conn: &mut PgConnection, id: Uuid, now: OffsetDateTime) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM relinks
                          WHERE id = $1 AND used_at IS NULL AND expires_at > $2) AS "open!""#,
        id,
        now
    )
    .fetch_one(conn)
    .await?)
}

/// Counts a code that is about to be asked for by a link. `false`: there were `most` of them.
pub async fn count_code(conn: &mut PgConnection, id: Uuid, most: i32) -> Result<bool> {
    let done =
        sqlx::query!("UPDATE relinks SET codes = codes + 1 WHERE id = $1 AND codes < $2", id, most)
            .execute(conn)
            .await?;
    Ok(done.rows_affected() > 0)
}

/// Uses a link up that was open at `open_at`. `false`: it was used before, or its time was over.
pub async fn take(
    conn: &mut PgConnection,
    id: Uuid,
    open_at: OffsetDateTime,
    now: OffsetDateTime,
) -> Result<bool> {
    let done = sqlx::query!(
        "UPDATE relinks
         SET used_at = $3, returned_at = coalesce(returned_at, $3), outcome = 'done', detail = NULL,
             ended = NULL
         WHERE id = $1 AND used_at IS NULL AND expires_at > $2",
        id,
        open_at,
        now
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Ends the links of a connection that nobody has used.
pub async fn end_open(
    conn: &mut PgConnection,
    connection_id: Uuid,
    ended: Ended,
    now: OffsetDateTime,
) -> Result<()> {
    sqlx::query!(
        "UPDATE relinks SET expires_at = $2, ended = $3
         WHERE connection_id = $1 AND used_at IS NULL AND expires_at > $2",
        connection_id,
        now,
        ended.as_str()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Calls a link off. `false`: it was over.
pub async fn revoke(conn: &mut PgConnection, id: Uuid, now: OffsetDateTime) -> Result<bool> {
    let done = sqlx::query!(
        "UPDATE relinks SET expires_at = $2, ended = 'revoked'
         WHERE id = $1 AND used_at IS NULL AND expires_at > $2",
        id,
        now
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}
