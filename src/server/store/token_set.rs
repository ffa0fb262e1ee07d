//! Token sets: one row a connection, replaced in place by each generation. The fingerprints of earlier
//! ones stand in the attempts.

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Result;

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

/// Which connection holds the refresh token of this fingerprint now. Two that ask at once wait for
/// each other until their transactions end.
pub async fn find_home(conn: &mut PgConnection, fingerprint: &str) -> Result<Option<Uuid>> {
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtextextended($1, 0)) AS locked", fingerprint)
        .fetch_one(&mut *conn)
        .await?;
    Ok(sqlx::query_scalar!(
        "SELECT connection_id FROM token_sets WHERE fingerprint = $1 AND superseded_at IS NULL LIMIT 1",
        fingerprint
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

/// Which of these fingerprints belong to a refresh token that some connection holds now. Whoever asks
/// for one of them waits until our transaction ends.
pub async fn find_homes(conn: &mut PgConnection, fingerprints: &[String]) -> Result<Vec<String>> {
    // In one order everywhere, so that two that share several don't wait for each other.
    sqlx::query!(
        r#"SELECT pg_advisory_xact_lock(hashtextextended(fingerprint, 0)) AS "locked"
           FROM unnest($1::text[]) AS fingerprint ORDER BY hashtextextended(fingerprint, 0)"#,
        fingerprints
    )
    .fetch_all(&mut *conn)
    .await?;
    Ok(sqlx::query_scalar!(
        r#"SELECT fingerprint AS "fingerprint!" FROM token_sets
           WHERE fingerprint = ANY ($1) AND superseded_at IS NULL"#,
        fingerprints
    )
    .fetch_all(conn)
    .await?)
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

/// The sealed refresh tokens of connections that hold one of this generation, by connection.
pub async fn refresh_tokens(
    conn: &mut PgConnection,
    held: &[(Uuid, i64)],
) -> Result<Vec<(Uuid, Vec<u8>)>> {
    let (ids, generations): (Vec<Uuid>, Vec<i64>) = held.iter().copied().unzip();
    Ok(sqlx::query!(
        r#"SELECT t.connection_id, t.sealed_refresh_token AS "sealed!"
           FROM unnest($1::uuid[], $2::bigint[]) AS h (id, generation)
           JOIN token_sets t ON t.connection_id = h.id AND t.generation = h.generation
           WHERE t.sealed_refresh_token IS NOT NULL"#,
        &ids,
        &generations
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(|row| (row.connection_id, row.sealed))
    .collect())
}
