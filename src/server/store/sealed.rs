//! What is sealed for good, tokens and client secrets, so that a data key can be retired. What is sealed for
//! a while (codes, flows, notes, links) is gone within weeks.
//!
//! Bytes 2 to 5 of a sealed value name its key (see `secret::seal`).

use sqlx::PgConnection;
use uuid::Uuid;

use super::Result;

/// A row with values that an older key sealed.
pub struct TokenSetRow {
    pub connection_id: Uuid,
    pub generation: i64,
    pub sealed_access_token: Option<Vec<u8>>,
    pub sealed_refresh_token: Option<Vec<u8>>,
    pub sealed_extras: Option<Vec<u8>>,
}

/// How many rows hold values that were not sealed by the key whose id is `current`, big-endian; those of
/// some connections and clients apart.
pub async fn count_stale(conn: &mut PgConnection, current: &[u8], without: &[Uuid]) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        r#"SELECT (SELECT count(*) FROM token_sets
                   WHERE superseded_at IS NULL AND connection_id <> ALL ($2::uuid[])
                     AND (substring(sealed_access_token FROM 2 FOR 4) <> $1
                          OR substring(sealed_refresh_token FROM 2 FOR 4) <> $1
                          OR substring(sealed_extras FROM 2 FOR 4) <> $1))
                + (SELECT count(*) FROM clients
                   WHERE id <> ALL ($2::uuid[])
                     AND (substring(sealed_client_secret FROM 2 FOR 4) <> $1
                          OR substring(sealed_next_secret FROM 2 FOR 4) <> $1)) AS "count!""#,
        current,
        without
    )
    .fetch_one(conn)
    .await?)
}

/// Locks and gives some token sets that were not sealed by the key whose id is `current`; those of some
/// connections apart.
pub async fn stale_token_sets(
    conn: &mut PgConnection,
    current: &[u8],
    without: &[Uuid],
    limit: i64,
) -> Result<Vec<TokenSetRow>> {
    Ok(sqlx::query_as!(
        TokenSetRow,
        "SELECT connection_id, generation, sealed_access_token, sealed_refresh_token, sealed_extras
         FROM token_sets
         WHERE superseded_at IS NULL
           AND (substring(sealed_access_token FROM 2 FOR 4) <> $1
                OR substring(sealed_refresh_token FROM 2 FOR 4) <> $1
                OR substring(sealed_extras FROM 2 FOR 4) <> $1)
           AND connection_id <> ALL ($2::uuid[])
         LIMIT $3 FOR UPDATE SKIP LOCKED",
        current,
        without,
        limit
    )
    .fetch_all(conn)
    .await?)
}

pub async fn reseal_token_set(conn: &mut PgConnection, row: &TokenSetRow) -> Result<()> {
    sqlx::query!(
        "UPDATE token_sets SET sealed_access_token = $3, sealed_refresh_token = $4, sealed_extras = $5
         WHERE connection_id = $1 AND generation = $2 AND superseded_at IS NULL",
        row.connection_id,
        row.generation,
        row.sealed_access_token,
        row.sealed_refresh_token,
        row.sealed_extras
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub struct SecretRow {
    pub id: Uuid,
    pub secret_generation: i64,
    pub sealed_client_secret: Option<Vec<u8>>,
    pub next_secret_generation: i64,
    pub sealed_next_secret: Option<Vec<u8>>,
}

/// Locks and gives some client secrets that were not sealed by the key whose id is `current`; those of some
/// clients apart.
pub async fn stale_client_secrets(
    conn: &mut PgConnection,
    current: &[u8],
    without: &[Uuid],
    limit: i64,
) -> Result<Vec<SecretRow>> {
    Ok(sqlx::query_as!(
        SecretRow,
        "SELECT id, secret_generation, sealed_client_secret, next_secret_generation, sealed_next_secret
         FROM clients
         WHERE (substring(sealed_client_secret FROM 2 FOR 4) <> $1
                OR substring(sealed_next_secret FROM 2 FOR 4) <> $1)
           AND id <> ALL ($2::uuid[])
         LIMIT $3 FOR UPDATE SKIP LOCKED",
        current,
        without,
        limit
    )
    .fetch_all(conn)
    .await?)
}

pub async fn reseal_client_secrets(conn: &mut PgConnection, row: &SecretRow) -> Result<()> {
    sqlx::query!(
        "UPDATE clients SET sealed_client_secret = $2, sealed_next_secret = $3 WHERE id = $1",
        row.id,
        row.sealed_client_secret,
        row.sealed_next_secret
    )
    .execute(conn)
    .await?;
    Ok(())
}
