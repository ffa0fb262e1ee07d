//! Connections that come into being, and that come alive by a token set that someone brought.

use std::collections::BTreeMap;

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{domain::connection::GrantType, server::store::Result};

pub struct NewRow<'a> {
    pub id: Uuid,
    pub client_id: Uuid,
    pub label: &'a str,
    pub external_id: Option<&'a str>,
    pub tags: &'a [String],
    pub variables: &'a BTreeMap<String, String>,
    pub grant_type: GrantType,
    pub scopes_requested: &'a [String],
    pub now: OffsetDateTime,
}

/// Adds a connection that waits for its first token set.
pub async fn insert(conn: &mut PgConnection, new: &NewRow<'_>) -> Result<()> {
    sqlx::query!(
        "INSERT INTO connections (id, client_id, label, external_id, tags, variables, grant_type,
                                  scopes_requested, state, state_since, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'pending', $9, $9, $9)",
        new.id,
        new.client_id,
        new.label,
        new.external_id,
        new.tags,
        serde_json::to_value(new.variables)?,
        new.grant_type.as_str(),
        new.scopes_requested,
        new.now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Which connection of a client has this external id and waits for its first consent. Keeps it from
/// changing until the transaction ends.
pub async fn find_waiting(
    conn: &mut PgConnection,
    client_id: Uuid,
    external_id: &str,
) -> Result<Option<Uuid>> {
    Ok(sqlx::query_scalar!(
        "SELECT id FROM connections
         WHERE client_id = $1 AND external_id = $2 AND state = 'pending' AND generation = 0 FOR UPDATE",
        client_id,
        external_id
    )
    .fetch_optional(conn)
    .await?)
}

/// The connection of a client with an external id, and whether it waits for its first consent.
pub async fn find_by_external_id(
    conn: &mut PgConnection,
    client_id: Uuid,
    external_id: &str,
) -> Result<Option<(Uuid, bool)>> {
    let row = sqlx::query!(
        r#"SELECT id, state = 'pending' AND generation = 0 AS "is_waiting!"
           FROM connections WHERE client_id = $1 AND external_id = $2"#,
        client_id,
        external_id
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| (row.id, row.is_waiting)))
}

/// Makes a connection that waits for its first token set what `new` says.
pub async fn begin_anew(conn: &mut PgConnection, new: &NewRow<'_>) -> Result<()> {
    sqlx::query!(
        "UPDATE connections
         SET label = $2, tags = $3, variables = $4, grant_type = $5, scopes_requested = $6,
             state_since = $7, updated_at = $7
         WHERE id = $1",
        new.id,
        new.label,
        new.tags,
        serde_json::to_value(new.variables)?,
        new.grant_type.as_str(),
        new.scopes_requested,
        new.now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// From now on these scopes are asked for.
pub async fn ask_for(conn: &mut PgConnection, id: Uuid, scopes: &[String]) -> Result<()> {
    sqlx::query!("UPDATE connections SET scopes_requested = $2 WHERE id = $1", id, scopes)
        .execute(conn)
        .await?;
    Ok(())
}

/// What a token set says of its connection.
pub struct TokenFacts<'a> {
    pub generation: i64,
    pub scopes_granted: Option<&'a [String]>,
    pub has_refresh_token: bool,
    /// The refresh token is the one we had, and what was in doubt about it still is.
    pub keeps_refresh_token: bool,
    /// An attempt with it whose holder never came back.
    pub lost_attempt_id: Option<Uuid>,
    pub obtained_at: OffsetDateTime,
    pub access_expires_at: Option<OffsetDateTime>,
    pub refresh_expires_at: Option<OffsetDateTime>,
    pub needs_human_by: Option<OffsetDateTime>,
    pub due_at: Option<OffsetDateTime>,
    /// Set when a person consented anew.
    pub consented_at: Option<OffsetDateTime>,
    pub account_id: Option<&'a str>,
    pub account_label: Option<&'a str>,
}

/// Makes a connection active with a token set that a person, or an import, brought: whatever was
/// going on before is over, and its lease with it; so is the pause of one that was dead, which kept nothing from
/// being refreshed. `false`: the generation has moved.
pub async fn activate(
    conn: &mut PgConnection,
    id: Uuid,
    facts: &TokenFacts<'_>,
    now: OffsetDateTime,
) -> Result<bool> {
    let done = sqlx::query!(
        "UPDATE connections
         SET state = 'active', state_since = $3, reason = NULL, failures = 0,
             doubtful_attempt_id = CASE WHEN $14 THEN coalesce(doubtful_attempt_id, $15) END,
             last_error = NULL, generation = $2, scopes_granted = coalesce($4, scopes_requested),
             scopes_consented = coalesce($4, CASE WHEN grant_type = 'import' THEN '{}' ELSE scopes_requested END),
             has_refresh_token = $5, obtained_at = $6, access_expires_at = $7, refresh_expires_at = $8,
             needs_human_by = $9, due_at = $10, consented_at = coalesce($11, consented_at),
             account_id = coalesce($12, account_id), account_label = coalesce($13, account_label),
             paused_at = CASE WHEN state = 'needs_reauth' THEN NULL ELSE paused_at END,
             resume_at = CASE WHEN state = 'needs_reauth' THEN NULL ELSE resume_at END,
             lease_id = NULL, leased_until = NULL, updated_at = $3
         WHERE id = $1 AND generation = $2::bigint - 1",
        id,
        facts.generation,
        now,
        facts.scopes_granted as Option<&[String]>,
        facts.has_refresh_token,
        facts.obtained_at,
        facts.access_expires_at,
        facts.refresh_expires_at,
        facts.needs_human_by,
        facts.due_at,
        facts.consented_at,
        facts.account_id,
        facts.account_label,
        facts.keeps_refresh_token,
        facts.lost_attempt_id
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}
