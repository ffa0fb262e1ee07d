//! People.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Error, Result};
use crate::domain::{access::Role, user::User};

struct UserRow {
    id: Uuid,
    email: String,
    role: String,
    disabled_at: Option<OffsetDateTime>,
    last_login_at: Option<OffsetDateTime>,
    created_at: OffsetDateTime,
}

impl TryFrom<UserRow> for User {
    type Error = Error;
    fn try_from(row: UserRow) -> Result<Self> {
        Ok(Self {
            id: row.id,
            email: row.email,
            role: row.role.parse()?,
            disabled_at: row.disabled_at,
            last_login_at: row.last_login_at,
            created_at: row.created_at,
        })
    }
}

pub struct NewUser<'a> {
    pub id: Uuid,
    pub email: &'a str,
    pub password_hash: &'a str,
    pub role: Role,
    pub created_at: OffsetDateTime,
}

pub async fn insert(conn: &mut PgConnection, new: &NewUser<'_>) -> Result<()> {
    sqlx::query!(
        "INSERT INTO users (id, email, password_hash, role, created_at) VALUES ($1, $2, $3, $4, $5)",
        new.id,
        new.email,
        new.password_hash,
        new.role.as_str(),
        new.created_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub async fn list(conn: &mut PgConnection) -> Result<Vec<User>> {
    sqlx::query_as!(
        UserRow,
        "SELECT id, email, role, disabled_at, last_login_at, created_at FROM users ORDER BY lower(email)"
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(TryInto::try_into)
    .collect()
}

pub async fn find(conn: &mut PgConnection, id: Uuid) -> Result<Option<User>> {
    sqlx::query_as!(
        UserRow,
        "SELECT id, email, role, disabled_at, last_login_at, created_at FROM users WHERE id = $1",
        id
    )
    .fetch_optional(conn)
    .await?
    .map(TryInto::try_into)
    .transpose()
}

/// Like [`find`], and keeps the row from changing until the transaction ends.
pub async fn find_for_update(conn: &mut PgConnection, id: Uuid) -> Result<Option<User>> {
    sqlx::query_as!(
        UserRow,
        "SELECT id, email, role, disabled_at, last_login_at, created_at FROM users WHERE id = $1 FOR UPDATE",
        id
    )
    .fetch_optional(conn)
    .await?
    .map(TryInto::try_into)
    .transpose()
}

/// Like [`find`], with the generation of their credentials: each new password, and being shut out, is
/// another.
pub async fn find_with_generation(
    conn: &mut PgConnection,
    id: Uuid,
) -> Result<Option<(User, i64)>> {
    let row = sqlx::query!(
        "SELECT id, email, role, disabled_at, last_login_at, created_at, credential_generation
         FROM users WHERE id = $1",
        id
    )
    .fetch_optional(conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let user = UserRow {
        id: row.id,
        email: row.email,
        role: row.role,
        disabled_at: row.disabled_at,
        last_login_at: row.last_login_at,
        created_at: row.created_at,
    };
    Ok(Some((user.try_into()?, row.credential_generation)))
}

/// What somebody signs in with.
pub struct Credentials {
    pub password_hash: String,
    pub generation: i64,
}

/// Keeps credentials from changing until the transaction ends.
pub async fn lock_credentials(conn: &mut PgConnection, id: Uuid) -> Result<Option<Credentials>> {
    Ok(sqlx::query_as!(
        Credentials,
        "SELECT password_hash, credential_generation AS generation FROM users WHERE id = $1 FOR UPDATE",
        id
    )
    .fetch_optional(conn)
    .await?)
}

/// Keeps two people from changing, in the order in which everybody does.
pub async fn lock_two(conn: &mut PgConnection, ids: [Uuid; 2]) -> Result<()> {
    sqlx::query!("SELECT id FROM users WHERE id = ANY ($1) ORDER BY id FOR UPDATE", &ids)
        .fetch_all(conn)
        .await?;
    Ok(())
}

/// The id and the password hash that belong to an e-mail address, in any case of letters.
pub async fn find_credentials(
    conn: &mut PgConnection,
    email: &str,
) -> Result<Option<(Uuid, String)>> {
    Ok(sqlx::query!("SELECT id, password_hash FROM users WHERE lower(email) = lower($1)", email)
        .fetch_optional(conn)
        .await?
        .map(|row| (row.id, row.password_hash)))
}

pub async fn password_hash(conn: &mut PgConnection, id: Uuid) -> Result<Option<String>> {
    Ok(sqlx::query_scalar!("SELECT password_hash FROM users WHERE id = $1", id)
        .fetch_optional(conn)
        .await?)
}

/// The generation that the credentials are of by now.
pub async fn set_password(conn: &mut PgConnection, id: Uuid, password_hash: &str) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        "UPDATE users SET password_hash = $2, credential_generation = credential_generation + 1
         WHERE id = $1 RETURNING credential_generation",
        id,
        password_hash
    )
    .fetch_one(conn)
    .await?)
}

pub async fn set_role(conn: &mut PgConnection, id: Uuid, role: Role) -> Result<()> {
    sqlx::query!("UPDATE users SET role = $2 WHERE id = $1", id, role.as_str())
        .execute(conn)
        .await?;
    Ok(())
}

pub async fn set_disabled(
    conn: &mut PgConnection,
    id: Uuid,
    disabled_at: Option<OffsetDateTime>,
) -> Result<()> {
    sqlx::query!(
        "UPDATE users SET disabled_at = $2, credential_generation = credential_generation + 1 WHERE id = $1",
        id,
        disabled_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub async fn touch_login(conn: &mut PgConnection, id: Uuid, now: OffsetDateTime) -> Result<()> {
    sqlx::query!("UPDATE users SET last_login_at = $2 WHERE id = $1", id, now)
        .execute(conn)
        .await?;
    Ok(())
}

/// How many admins can sign in. Locks them, so that two of them can't remove each other at once.
pub async fn count_active_admins(conn: &mut PgConnection) -> Result<usize> {
    Ok(sqlx::query_scalar!(
        "SELECT id FROM users WHERE role = 'admin' AND disabled_at IS NULL ORDER BY id FOR UPDATE"
    )
    .fetch_all(conn)
    .await?
    .len())
}

pub async fn any(conn: &mut PgConnection) -> Result<bool> {
    Ok(sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM users) AS "any!""#)
        .fetch_one(conn)
        .await?)
}
