//! Many connections in one statement.

use std::collections::BTreeMap;

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::server::store::{Result, token_set::TokenSet};

/// An imported connection with its first token set.
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
    pub obtained_at: OffsetDateTime,
    pub access_expires_at: Option<OffsetDateTime>,
    pub refresh_expires_at: Option<OffsetDateTime>,
    pub needs_human_by: Option<OffsetDateTime>,
    pub due_at: Option<OffsetDateTime>,
    /// Stored beside, not in this row.
    pub set: TokenSet,
}

/// A connection of a client with an external id.
pub struct Known {
    pub id: Uuid,
    pub external_id: String,
    /// Nobody consented to it, and nobody's consent is on its way.
    pub is_abandoned: bool,
}

/// Which of these external ids a client has. `since`: a code that was used later may be being
/// redeemed.
pub async fn known_external_ids(
    conn: &mut PgConnection,
    client_id: Uuid,
    external_ids: &[String],
    since: OffsetDateTime,
    now: OffsetDateTime,
) -> Result<Vec<Known>> {
    Ok(sqlx::query_as!(
        Known,
        r#"SELECT id, external_id AS "external_id!",
                  state = 'pending' AND generation = 0
                  AND NOT EXISTS (SELECT FROM flows WHERE connection_id = c.id AND used_at > $3)
                  AND NOT EXISTS (SELECT FROM device_codes
                                  WHERE connection_id = c.id AND leased_until > $4) AS "is_abandoned!"
           FROM connections c
           WHERE client_id = $1 AND external_id = ANY ($2)"#,
        client_id,
        external_ids,
        since,
        now
    )
    .fetch_all(conn)
    .await?)
}

/// Deletes connections that nobody consented to, but those to which somebody's consent is on its way
/// by now; gives the ids of those that are gone.
pub async fn delete_abandoned(
    conn: &mut PgConnection,
    ids: &[Uuid],
    since: OffsetDateTime,
    now: OffsetDateTime,
) -> Result<Vec<Uuid>> {
    let ids = sqlx::query_scalar!(
        "SELECT id FROM connections
         WHERE id = ANY ($1) AND state = 'pending' AND generation = 0 ORDER BY id FOR UPDATE",
        ids
    )
    .fetch_all(&mut *conn)
    .await?;
    // First what is idle, row by row: what is used while we wait for its row stays, and its
    // connection with it.
    sqlx::query!(
        "DELETE FROM flows WHERE connection_id = ANY ($1) AND (used_at IS NULL OR used_at <= $2)",
        &ids,
        since
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "DELETE FROM device_codes
         WHERE connection_id = ANY ($1) AND (leased_until IS NULL OR leased_until <= $2)",
        &ids,
        now
    )
    .execute(&mut *conn)
    .await?;
    Ok(sqlx::query_scalar!(
        "DELETE FROM connections c
         WHERE id = ANY ($1) AND NOT EXISTS (SELECT FROM flows WHERE connection_id = c.id)
           AND NOT EXISTS (SELECT FROM device_codes WHERE connection_id = c.id)
         RETURNING id",
        &ids
    )
    .fetch_all(conn)
    .await?)
}

/// One value of each row.
fn column<'a, T>(rows: &'a [Imported], value: impl Fn(&'a Imported) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}

/// Between the words of a list; no word holds it, because no word holds a control character.
const SEPARATOR: &str = "\u{1f}";

/// Adds connections, alive from the start. One whose external id the client got meanwhile is left
/// out; gives the ids of those that are in.
pub async fn insert_imported(
    conn: &mut PgConnection,
    client_id: Uuid,
    rows: &[Imported],
    now: OffsetDateTime,
) -> Result<Vec<Uuid>> {
    let granted = |row: &Imported| {
        row.scopes_granted.as_ref().unwrap_or(&row.scopes_requested).join(SEPARATOR)
    };
    // Columns of plain values cost PostgreSQL half of what rows in JSON do; a column of lists there is
    // not.
    let stored = sqlx::query_scalar!(
        "INSERT INTO connections (id, client_id, label, external_id, tags, variables, account_id, account_label,
                                  grant_type, state, state_since, generation, scopes_requested, scopes_granted,
                                  has_refresh_token, consented_at, obtained_at, access_expires_at,
                                  refresh_expires_at, needs_human_by, due_at, created_at, updated_at)
         SELECT id, $1, label, external_id, string_to_array(tags, $2), variables, account_id, account_label,
                'import', 'active', $3, 1, string_to_array(scopes_requested, $2), string_to_array(scopes_granted, $2),
                has_refresh_token, obtained_at, obtained_at, access_expires_at, refresh_expires_at,
                needs_human_by, due_at, $3, $3
         FROM unnest($4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[],
                     $11::text[], $12::boolean[], $13::timestamptz[], $14::timestamptz[],
                     $15::timestamptz[], $16::timestamptz[], $17::timestamptz[], $18::jsonb[])
              AS row (id, label, external_id, tags, account_id, account_label, scopes_requested,
                      scopes_granted, has_refresh_token, obtained_at, access_expires_at,
                      refresh_expires_at, needs_human_by, due_at, variables)
         ON CONFLICT (client_id, external_id) WHERE external_id IS NOT NULL DO NOTHING
         RETURNING id",
        client_id,
        SEPARATOR,
        now,
        &column(rows, |row| row.id),
        &column(rows, |row| row.label.as_str()) as &[&str],
        &column(rows, |row| row.external_id.as_deref()) as &[Option<&str>],
        &column(rows, |row| row.tags.join(SEPARATOR)),
        &column(rows, |row| row.account_id.as_deref()) as &[Option<&str>],
        &column(rows, |row| row.account_label.as_deref()) as &[Option<&str>],
        &column(rows, |row| row.scopes_requested.join(SEPARATOR)),
        &column(rows, granted),
        &column(rows, |row| row.has_refresh_token),
        &column(rows, |row| row.obtained_at),
        &column(rows, |row| row.access_expires_at) as &[Option<OffsetDateTime>],
        &column(rows, |row| row.refresh_expires_at) as &[Option<OffsetDateTime>],
        &column(rows, |row| row.needs_human_by) as &[Option<OffsetDateTime>],
        &column(rows, |row| row.due_at) as &[Option<OffsetDateTime>],
        &column(rows, |row| serde_json::json!(row.variables))
    )
    .fetch_all(conn)
    .await?;
    Ok(stored)
}
