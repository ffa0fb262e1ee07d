//! Keys for programs.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Error, Result};
use crate::domain::{access::Scope, api_key::ApiKey};

struct ApiKeyRow {
    id: Uuid,
    name: String,
    hint: String,
    scopes: Vec<String>,
    created_at: OffsetDateTime,
    last_used_at: Option<OffsetDateTime>,
    revoked_at: Option<OffsetDateTime>,
}

impl TryFrom<ApiKeyRow> for ApiKey {
    type Error = Error;
    fn try_from(row: ApiKeyRow) -> Result<Self> {
        Ok(Self {
            id: row.id,
            name: row.name,
            hint: row.hint,
            scopes: read_scopes(&row.scopes)?,
            created_at: row.created_at,
            last_used_at: row.last_used_at,
            revoked_at: row.revoked_at,
        })
    }
}

pub async fn insert(conn: &mut PgConnection, key: &ApiKey, key_hash: &[u8]) -> Result<()> {
    let scopes: Vec<String> = key.scopes.iter().map(ToString::to_string).collect();
    sqlx::query!(
        "INSERT INTO api_keys (id, name, hint, key_hash, scopes, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
        key.id,
        key.name,
        key.hint,
        key_hash,
        &scopes,
        key.created_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub async fn list(conn: &mut PgConnection) -> Result<Vec<ApiKey>> {
    sqlx::query_as!(
        ApiKeyRow,
        "SELECT id, name, hint, scopes, created_at, last_used_at, revoked_at FROM api_keys ORDER BY id DESC"
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(TryInto::try_into)
    .collect()
}

pub async fn find(conn: &mut PgConnection, id: Uuid) -> Result<Option<ApiKey>> {
    sqlx::query_as!(
        ApiKeyRow,
        "SELECT id, name, hint, scopes, created_at, last_used_at, revoked_at FROM api_keys WHERE id = $1",
        id
    )
    .fetch_optional(conn)
    .await?
    .map(TryInto::try_into)
    .transpose()
}

/// What is known of whoever presents a key.
pub struct LiveKey {
    pub id: Uuid,
    pub name: String,
    pub scopes: Vec<Scope>,
    pub last_used_at: Option<OffsetDateTime>,
}

impl LiveKey {
    pub(super) fn read(
        id: Uuid,
        name: String,
        scopes: &[String],
        last_used_at: Option<OffsetDateTime>,
    ) -> Result<Self> {
        Ok(Self { id, name, scopes: read_scopes(scopes)?, last_used_at })
    }
}

fn read_scopes(scopes: &[String]) -> Result<Vec<Scope>> {
    Ok(scopes.iter().map(|scope| scope.parse()).collect::<std::result::Result<_, _>>()?)
}

/// The key of this hash, unless it was revoked.
pub async fn find_live(conn: &mut PgConnection, key_hash: &[u8]) -> Result<Option<LiveKey>> {
    sqlx::query!(
        "SELECT id, name, scopes, last_used_at FROM api_keys WHERE key_hash = $1 AND revoked_at IS NULL",
        key_hash
    )
    .fetch_optional(conn)
    .await?
    .map(|row| LiveKey::read(row.id, row.name, &row.scopes, row.last_used_at))
    .transpose()
}

/// Notes that the key was used, unless that was noted after `before`.
pub async fn touch(
    conn: &mut PgConnection,
    id: Uuid,
    before: OffsetDateTime,
    now: OffsetDateTime,
) -> Result<()> {
    sqlx::query!(
        "UPDATE api_keys SET last_used_at = $3
         WHERE id = $1 AND (last_used_at IS NULL OR last_used_at <= $2)",
        id,
        before,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// `false`: it was revoked before, or there is none.
pub async fn revoke(conn: &mut PgConnection, id: Uuid, now: OffsetDateTime) -> Result<bool> {
    let done = sqlx::query!(
        "UPDATE api_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL",
        id,
        now
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}
