//! Many connections in one statement.

use std::collections::BTreeMap;

use serde::Serialize;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::server::store::{Error, Result, token_set::TokenSet};

/// An imported connection with its first token set.
#[derive(Serialize)]
pub struct Imported {
    pub id: Uuid,
    pub label: String,
    pub external_id: Option<String>,
    pub tags: Vec<String>,
    pub variables: BTreeMap<String, String>,
    pub account_id: Option<String>,
    pub account_label: Option<String>,
    pub scopes_requested: Vec<String>,
    pub scopes_granted: Option<Vec<String>>,
    pub has_refresh_token: bool,
    #[serde(with = "time::serde::rfc3339")]
    pub obtained_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    pub access_expires_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub refresh_expires_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub needs_human_by: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub due_at: Option<OffsetDateTime>,
    /// Stored beside, not in this row.
    #[serde(skip)]
    pub set: TokenSet,
}

/// Which of these external ids a client has.
pub async fn known_external_ids(
    conn: &mut PgConnection,
    client_id: Uuid,
    external_ids: &[String],
) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar!(
        r#"SELECT external_id AS "external_id!" FROM connections
           WHERE client_id = $1 AND external_id = ANY ($2)"#,
        client_id,
        external_ids
    )
    .fetch_all(conn)
    .await?)
}

/// Adds connections, alive from the start. One whose external id the client got meanwhile is left
/// out; gives the ids of those that are in.
pub async fn insert_imported(
    conn: &mut PgConnection,
    client_id: Uuid,
    rows: &[Imported],
    now: OffsetDateTime,
) -> Result<Vec<Uuid>> {
    let json = serde_json::to_value(rows).map_err(|error| Error::Unreadable(error.to_string()))?;
    let stored = sqlx::query_scalar!(
        "INSERT INTO connections (id, client_id, label, external_id, tags, variables, account_id, account_label,
                                  grant_type, state, state_since, generation, scopes_requested, scopes_granted,
                                  has_refresh_token, consented_at, obtained_at, access_expires_at,
                                  refresh_expires_at, needs_human_by, due_at, created_at, updated_at)
         SELECT id, $2, label, external_id, tags, variables, account_id, account_label, 'import', 'active',
                $3, 1, scopes_requested, coalesce(scopes_granted, scopes_requested), has_refresh_token, obtained_at,
                obtained_at, access_expires_at, refresh_expires_at, needs_human_by, due_at, $3, $3
         FROM jsonb_to_recordset($1) AS row (
                id uuid, label text, external_id text, tags text[], variables jsonb, account_id text,
                account_label text, scopes_requested text[], scopes_granted text[], has_refresh_token boolean,
                obtained_at timestamptz, access_expires_at timestamptz, refresh_expires_at timestamptz,
                needs_human_by timestamptz, due_at timestamptz)
         ON CONFLICT (client_id, external_id) WHERE external_id IS NOT NULL DO NOTHING
         RETURNING id",
        json,
        client_id,
        now
    )
    .fetch_all(conn)
    .await?;
    Ok(stored)
}
