//! Token sets: one row a generation. Superseded ones keep their fingerprint and lose their tokens.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Result;

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

/// Adds a generation and takes the tokens of the one before away.
pub async fn supersede(conn: &mut PgConnection, new: &TokenSet) -> Result<()> {
    forget(&mut *conn, new.connection_id, new.obtained_at).await?;
    sqlx::query!(
        "INSERT INTO token_sets (connection_id, generation, sealed_access_token, sealed_refresh_token,
                                 sealed_extras, token_type, fingerprint, obtained_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        new.connection_id,
        new.generation,
        new.sealed_access_token,
        new.sealed_refresh_token,
        new.sealed_extras,
        new.token_type,
        new.fingerprint,
        new.obtained_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes all tokens of a connection away; fingerprints stay.
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
    let ids: Vec<Uuid> = sets.iter().map(|set| set.connection_id).collect();
    let generations: Vec<i64> = sets.iter().map(|set| set.generation).collect();
    let access: Vec<_> = sets.iter().map(|set| set.sealed_access_token.as_deref()).collect();
    let refresh: Vec<_> = sets.iter().map(|set| set.sealed_refresh_token.as_deref()).collect();
    let extras: Vec<_> = sets.iter().map(|set| set.sealed_extras.as_deref()).collect();
    let types: Vec<_> = sets.iter().map(|set| set.token_type.clone()).collect();
    let fingerprints: Vec<_> = sets.iter().map(|set| set.fingerprint.as_deref()).collect();
    let obtained: Vec<_> = sets.iter().map(|set| set.obtained_at).collect();
    sqlx::query!(
        "INSERT INTO token_sets (connection_id, generation, sealed_access_token, sealed_refresh_token,
                                 sealed_extras, token_type, fingerprint, obtained_at)
         SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bytea[], $4::bytea[], $5::bytea[], $6::text[],
                              $7::text[], $8::timestamptz[])",
        &ids,
        &generations,
        &access as &[Option<&[u8]>],
        &refresh as &[Option<&[u8]>],
        &extras as &[Option<&[u8]>],
        &types,
        &fingerprints as &[Option<&str>],
        &obtained
    )
    .execute(conn)
    .await?;
    Ok(())
}
