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
    /// Whether its file names an account that is not believed. Not stored.
    pub is_unverified: bool,
    /// Stored beside, not in this row.
    pub set: TokenSet,
}

impl Imported {
    /// What it is called, if anything is known.
    pub fn name(&self) -> &str {
        let known = [&self.account_label, &self.account_id, &self.external_id];
        match self.label.as_str() {
            "" => known.into_iter().flatten().next().map_or("", String::as_str),
            label => label,
        }
    }
}

/// A connection of a client with an external id.
pub struct Known {
    pub id: Uuid,
    pub external_id: String,
    pub standing: Standing,
}

/// What an import makes of a connection that is here already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It has, or had, tokens.
    Settled,
    /// Somebody may still consent to it.
    Waiting,
    /// Nobody ever consented to it, and there is no way left on which anybody could.
    Abandoned,
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
    let rows = sqlx::query!(
        r#"SELECT id, external_id AS "external_id!",
                  state = 'pending' AND generation = 0 AS "is_pending!",
                  EXISTS (SELECT FROM flows WHERE connection_id = c.id
                          AND CASE WHEN used_at IS NULL THEN expires_at > $4 ELSE used_at > $3 END)
                  OR EXISTS (SELECT FROM device_codes WHERE connection_id = c.id
                             AND (leased_until > $4 OR due_at IS NOT NULL AND expires_at > $4))
                  OR EXISTS (SELECT FROM relinks WHERE connection_id = c.id
                             AND used_at IS NULL AND expires_at > $4) AS "has_a_way!"
           FROM connections c
           WHERE client_id = $1 AND external_id = ANY ($2)"#,
        client_id,
        external_ids,
        since,
        now
    )
    .fetch_all(conn)
    .await?;
    let known = rows.into_iter().map(|row| Known {
        id: row.id,
        external_id: row.external_id,
        standing: match (row.is_pending, row.has_a_way) {
            (false, _) => Standing::Settled,
            (true, true) => Standing::Waiting,
            (true, false) => Standing::Abandoned,
        },
    });
    Ok(known.collect())
}

/// Keeps connections from changing until the transaction ends, and from getting new ways to consent.
pub async fn lock(conn: &mut PgConnection, ids: &[Uuid]) -> Result<()> {
    sqlx::query!("SELECT FROM connections WHERE id = ANY ($1) ORDER BY id FOR UPDATE", ids)
        .fetch_all(conn)
        .await?;
    Ok(())
}

/// Deletes connections.
pub async fn delete(conn: &mut PgConnection, ids: &[Uuid]) -> Result<()> {
    sqlx::query!("DELETE FROM connections WHERE id = ANY ($1)", ids).execute(conn).await?;
    Ok(())
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
    let granted = |row: &Imported| row.scopes_granted.as_ref().map(|named| named.join(SEPARATOR));
    // Columns of plain values cost PostgreSQL half of what rows in JSON do; a column of lists there is
    // not.
    let stored = sqlx::query_scalar!(
        "INSERT INTO connections (id, client_id, label, external_id, tags, variables, account_id, account_label,
                                  grant_type, state, state_since, generation, scopes_requested, scopes_granted,
                                  scopes_consented, has_refresh_token, consented_at, obtained_at, access_expires_at,
                                  refresh_expires_at, needs_human_by, due_at, created_at, updated_at)
         SELECT id, $1, label, external_id, string_to_array(tags, $2), variables, account_id, account_label,
                'import', 'active', $3, 1, string_to_array(scopes_requested, $2),
                string_to_array(coalesce(scopes_granted, scopes_requested), $2),
                string_to_array(coalesce(scopes_granted, ''), $2), has_refresh_token, obtained_at, obtained_at,
                access_expires_at, refresh_expires_at, needs_human_by, due_at, $3, $3
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
        &column(rows, granted) as &[Option<String>],
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
