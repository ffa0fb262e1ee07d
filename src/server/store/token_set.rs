//! Token sets: one row a connection, replaced in place by each generation. The fingerprints of earlier
//! ones stand in the attempts.

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Error, Result, api_key::LiveKey};
use crate::domain::connection::{Reason, StateName};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TokenSet {
    pub connection_id: Uuid,
    pub generation: i64,
    pub sealed_access_token: Option<Vec<u8>>,
    pub sealed_refresh_token: Option<Vec<u8>>,
    pub sealed_extras: Option<Vec<u8>>,
    pub token_type: String,
    pub fingerprint: Option<String>,
    pub obtained_at: OffsetDateTime,
}

/// Puts token sets in the place of the ones before.
pub async fn replace(conn: &mut PgConnection, sets: &[&TokenSet]) -> Result<()> {
    let column = Columns::of(sets);
    sqlx::query!(
        "INSERT INTO token_sets (connection_id, generation, sealed_access_token, sealed_refresh_token,
                                 sealed_extras, token_type, fingerprint, obtained_at)
         SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bytea[], $4::bytea[], $5::bytea[], $6::text[],
                              $7::text[], $8::timestamptz[])
         ON CONFLICT (connection_id) DO UPDATE
         SET generation = excluded.generation, sealed_access_token = excluded.sealed_access_token,
             sealed_refresh_token = excluded.sealed_refresh_token, sealed_extras = excluded.sealed_extras,
             token_type = excluded.token_type, fingerprint = excluded.fingerprint,
             obtained_at = excluded.obtained_at, superseded_at = NULL",
        &column.ids,
        &column.generations,
        &column.access as &[Option<&[u8]>],
        &column.refresh as &[Option<&[u8]>],
        &column.extras as &[Option<&[u8]>],
        &column.types,
        &column.fingerprints as &[Option<&str>],
        &column.obtained
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes all tokens of a connection away; the fingerprint stays.
pub async fn forget(
    conn: &mut PgConnection,
    connection_id: Uuid,
    now: OffsetDateTime,
) -> Result<()> {
    sqlx::query!(
        "UPDATE token_sets SET sealed_access_token = NULL, sealed_refresh_token = NULL, sealed_extras = NULL,
                               superseded_at = $2
         WHERE connection_id = $1 AND superseded_at IS NULL",
        connection_id,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Which connection holds the refresh token of this fingerprint now; `own`, if it does. Whoever asks
/// holds the fingerprint ([`hold_fingerprints`]).
pub async fn find_home(
    conn: &mut PgConnection,
    fingerprint: &str,
    own: Uuid,
) -> Result<Option<Uuid>> {
    Ok(sqlx::query_scalar!(
        "SELECT connection_id FROM token_sets WHERE fingerprint = $1 AND superseded_at IS NULL
         ORDER BY connection_id <> $2 LIMIT 1",
        fingerprint,
        own
    )
    .fetch_optional(conn)
    .await?)
}

pub async fn find(
    conn: &mut PgConnection,
    connection_id: Uuid,
    generation: i64,
) -> Result<Option<TokenSet>> {
    Ok(sqlx::query_as!(
        TokenSet,
        "SELECT connection_id, generation, sealed_access_token, sealed_refresh_token, sealed_extras,
                token_type, fingerprint, obtained_at
         FROM token_sets WHERE connection_id = $1 AND generation = $2",
        connection_id,
        generation
    )
    .fetch_optional(conn)
    .await?)
}

/// What decides whether a reader gets the access token that a connection holds, and that token.
pub struct Held {
    pub connection_id: Uuid,
    pub generation: i64,
    pub state: StateName,
    pub reason: Option<Reason>,
    pub obtained_at: Option<OffsetDateTime>,
    pub access_expires_at: Option<OffsetDateTime>,
    pub due_at: Option<OffsetDateTime>,
    pub scopes_granted: Vec<String>,
    pub token_type: Option<String>,
    pub sealed_access_token: Option<Vec<u8>>,
    pub sealed_extras: Option<Vec<u8>>,
}

/// The connection's part of [`Held`], with its key if that was asked for.
struct HeldRow {
    connection_id: Uuid,
    generation: i64,
    state: String,
    reason: Option<String>,
    obtained_at: Option<OffsetDateTime>,
    access_expires_at: Option<OffsetDateTime>,
    due_at: Option<OffsetDateTime>,
    scopes_granted: Vec<String>,
    token_type: Option<String>,
    sealed_access_token: Option<Vec<u8>>,
    sealed_extras: Option<Vec<u8>>,
}

impl TryFrom<HeldRow> for Held {
    type Error = Error;
    fn try_from(row: HeldRow) -> Result<Self> {
        Ok(Self {
            connection_id: row.connection_id,
            generation: row.generation,
            state: row.state.parse()?,
            reason: row.reason.map(|reason| reason.parse()).transpose()?,
            obtained_at: row.obtained_at,
            access_expires_at: row.access_expires_at,
            due_at: row.due_at,
            scopes_granted: row.scopes_granted,
            token_type: row.token_type,
            sealed_access_token: row.sealed_access_token,
            sealed_extras: row.sealed_extras,
        })
    }
}

pub async fn find_held(conn: &mut PgConnection, id: Uuid) -> Result<Option<Held>> {
    sqlx::query_as!(
        HeldRow,
        r#"SELECT n.id AS connection_id, n.generation, n.state, n.reason, n.obtained_at, n.access_expires_at,
                  n.due_at, n.scopes_granted, t.token_type AS "token_type?", t.sealed_access_token,
                  t.sealed_extras
           FROM connections n
           LEFT JOIN token_sets t ON t.connection_id = n.id AND t.generation = n.generation
           WHERE n.id = $1"#,
        id
    )
    .fetch_optional(conn)
    .await?
    .map(TryInto::try_into)
    .transpose()
}

/// [`find_held`] of many, each with the API key of a hash. `None`: there is no such key, or it was
/// revoked.
pub async fn find_held_for_keys(
    conn: &mut PgConnection,
    asked: &[(&[u8], Uuid)],
) -> Result<Vec<Option<(LiveKey, Option<Held>)>>> {
    let (hashes, ids): (Vec<&[u8]>, Vec<Uuid>) = asked.iter().copied().unzip();
    let rows = sqlx::query!(
        r#"SELECT a.place AS "place!", k.id AS key_id, k.name, k.scopes, k.last_used_at,
                  n.id AS "connection_id?", n.generation AS "generation?", n.state AS "state?", n.reason,
                  n.obtained_at, n.access_expires_at, n.due_at, n.scopes_granted AS "scopes_granted?",
                  t.token_type AS "token_type?", t.sealed_access_token,
                  t.sealed_extras
           FROM unnest($1::bytea[], $2::uuid[]) WITH ORDINALITY AS a (key_hash, id, place)
           JOIN api_keys k ON k.key_hash = a.key_hash AND k.revoked_at IS NULL
           LEFT JOIN connections n ON n.id = a.id
           LEFT JOIN token_sets t ON t.connection_id = n.id AND t.generation = n.generation"#,
        &hashes as &[&[u8]],
        &ids
    )
    .fetch_all(conn)
    .await?;
    let mut found: Vec<_> = asked.iter().map(|_| None).collect();
    for row in rows {
        let key = LiveKey::read(row.key_id, row.name, &row.scopes, row.last_used_at)?;
        let held = match (row.connection_id, row.generation, row.state, row.scopes_granted) {
            (Some(connection_id), Some(generation), Some(state), Some(scopes_granted)) => {
                Some(Held::try_from(HeldRow {
                    connection_id,
                    generation,
                    state,
                    reason: row.reason,
                    obtained_at: row.obtained_at,
                    access_expires_at: row.access_expires_at,
                    due_at: row.due_at,
                    scopes_granted,
                    token_type: row.token_type,
                    sealed_access_token: row.sealed_access_token,
                    sealed_extras: row.sealed_extras,
                })?)
            }
            _ => None,
        };
        let place = usize::try_from(row.place - 1).ok().and_then(|place| found.get_mut(place));
        if let Some(place) = place {
            *place = Some((key, held));
        }
    }
    Ok(found)
}

/// Of two that ask about one fingerprint at once the second waits until the first one's transaction ends:
/// nobody may hold a row while they ask.
pub async fn hold_fingerprints(conn: &mut PgConnection, fingerprints: &[String]) -> Result<()> {
    // In one order everywhere, so that two that share several don't wait for each other.
    sqlx::query!(
        r#"SELECT pg_advisory_xact_lock(hashtextextended(fingerprint, 0)) AS "locked"
           FROM unnest($1::text[]) AS fingerprint ORDER BY hashtextextended(fingerprint, 0)"#,
        fingerprints
    )
    .fetch_all(conn)
    .await?;
    Ok(())
}

/// A query with the condition that a connection `n` is dead and loses its refresh token to whoever brings it anew.
/// Those that an answer which comes late would bring back keep theirs.
macro_rules! ask_of_losers {
    ($ask:ident!($($row:ty,)? $begin:literal, $end:literal), $argument:expr) => {
        sqlx::$ask!(
            $($row,)?
            $begin
                + "(n.state = 'needs_reauth' AND n.reason NOT IN ('rotation_lost', 'refresh_token_expired'))"
                + $end,
            $argument
        )
    };
}

/// Takes refresh tokens of these fingerprints from dead connections, which send them no more: whoever
/// brings one anew may have it. Else the end of a dead one would revoke what lives elsewhere. What was taken
/// waits for no incident's end.
pub async fn take_from_dead(conn: &mut PgConnection, fingerprints: &[String]) -> Result<()> {
    ask_of_losers!(
        query!(
            "WITH taken AS (
                 UPDATE token_sets s SET sealed_refresh_token = NULL, fingerprint = NULL
                 FROM connections n
                 WHERE s.fingerprint = ANY ($1) AND s.superseded_at IS NULL AND n.id = s.connection_id
                   AND ",
            " RETURNING s.connection_id
             )
             DELETE FROM suspects WHERE connection_id IN (SELECT connection_id FROM taken)"
        ),
        fingerprints
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Where a refresh token is.
pub struct Home {
    pub fingerprint: String,
    /// [`take_from_dead`] would take it.
    pub is_dead: bool,
}

/// [`find_home`], of many: where those of these fingerprints are that are somewhere.
pub async fn find_homes(conn: &mut PgConnection, fingerprints: &[String]) -> Result<Vec<Home>> {
    Ok(ask_of_losers!(
        query_as!(
            Home,
            r#"SELECT s.fingerprint AS "fingerprint!", "#,
            r#" AS "is_dead!"
               FROM token_sets s JOIN connections n ON n.id = s.connection_id
               WHERE s.fingerprint = ANY ($1) AND s.superseded_at IS NULL"#
        ),
        fingerprints
    )
    .fetch_all(conn)
    .await?)
}

/// Which refresh tokens of these fingerprints were replaced in connections that live, as (fingerprint, connection).
pub async fn find_spent(
    conn: &mut PgConnection,
    fingerprints: &[String],
) -> Result<Vec<(String, Uuid)>> {
    let rows = sqlx::query!(
        r#"SELECT DISTINCT ON (1) a.fingerprint_before AS "fingerprint!", a.connection_id
           FROM attempts a JOIN connections n ON n.id = a.connection_id
           WHERE a.fingerprint_before = ANY ($1) AND a.verdict = 'refreshed'
             AND a.fingerprint_after <> a.fingerprint_before
             AND n.state IN ('active', 'retrying', 'in_doubt')"#,
        fingerprints
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.fingerprint, row.connection_id)).collect())
}

/// Adds first generations.
pub async fn insert_many(conn: &mut PgConnection, sets: &[&TokenSet]) -> Result<()> {
    let column = Columns::of(sets);
    sqlx::query!(
        "INSERT INTO token_sets (connection_id, generation, sealed_access_token, sealed_refresh_token,
                                 sealed_extras, token_type, fingerprint, obtained_at)
         SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bytea[], $4::bytea[], $5::bytea[], $6::text[],
                              $7::text[], $8::timestamptz[])",
        &column.ids,
        &column.generations,
        &column.access as &[Option<&[u8]>],
        &column.refresh as &[Option<&[u8]>],
        &column.extras as &[Option<&[u8]>],
        &column.types,
        &column.fingerprints as &[Option<&str>],
        &column.obtained
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Token sets as the columns that `unnest` takes.
struct Columns<'a> {
    ids: Vec<Uuid>,
    generations: Vec<i64>,
    access: Vec<Option<&'a [u8]>>,
    refresh: Vec<Option<&'a [u8]>>,
    extras: Vec<Option<&'a [u8]>>,
    types: Vec<String>,
    fingerprints: Vec<Option<&'a str>>,
    obtained: Vec<OffsetDateTime>,
}

impl<'a> Columns<'a> {
    fn of(sets: &[&'a TokenSet]) -> Self {
        Self {
            ids: sets.iter().map(|set| set.connection_id).collect(),
            generations: sets.iter().map(|set| set.generation).collect(),
            access: sets.iter().map(|set| set.sealed_access_token.as_deref()).collect(),
            refresh: sets.iter().map(|set| set.sealed_refresh_token.as_deref()).collect(),
            extras: sets.iter().map(|set| set.sealed_extras.as_deref()).collect(),
            types: sets.iter().map(|set| set.token_type.clone()).collect(),
            fingerprints: sets.iter().map(|set| set.fingerprint.as_deref()).collect(),
            obtained: sets.iter().map(|set| set.obtained_at).collect(),
        }
    }
}

/// What the generation after these may keep of them.
pub struct Kept {
    pub connection_id: Uuid,
    pub sealed_refresh_token: Option<Vec<u8>>,
    pub sealed_extras: Option<Vec<u8>>,
}
