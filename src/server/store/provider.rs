//! Custom providers.

use sqlx::PgConnection;
use time::OffsetDateTime;

use super::Result;
use crate::domain::provider::Profile;

pub async fn list(conn: &mut PgConnection) -> Result<Vec<Profile>> {
    sqlx::query_scalar!("SELECT profile FROM providers ORDER BY slug")
        .fetch_all(conn)
        .await?
        .into_iter()
        .map(|profile| Ok(serde_json::from_value(profile)?))
        .collect()
}

pub async fn find(conn: &mut PgConnection, slug: &str) -> Result<Option<Profile>> {
    sqlx::query_scalar!("SELECT profile FROM providers WHERE slug = $1", slug)
        .fetch_optional(conn)
        .await?
        .map(|profile| Ok(serde_json::from_value(profile)?))
        .transpose()
}

/// Like [`find`], and keeps the row from changing until the transaction ends.
pub async fn find_for_share(conn: &mut PgConnection, slug: &str) -> Result<Option<Profile>> {
    sqlx::query_scalar!("SELECT profile FROM providers WHERE slug = $1 FOR SHARE", slug)
        .fetch_optional(conn)
        .await?
        .map(|profile| Ok(serde_json::from_value(profile)?))
        .transpose()
}

/// Like [`find_for_share`], for whoever is about to change it.
pub async fn find_for_update(conn: &mut PgConnection, slug: &str) -> Result<Option<Profile>> {
    sqlx::query_scalar!("SELECT profile FROM providers WHERE slug = $1 FOR UPDATE", slug)
        .fetch_optional(conn)
        .await?
        .map(|profile| Ok(serde_json::from_value(profile)?))
        .transpose()
}

pub async fn insert(conn: &mut PgConnection, profile: &Profile, now: OffsetDateTime) -> Result<()> {
    sqlx::query!(
        "INSERT INTO providers (slug, profile, created_at, updated_at) VALUES ($1, $2, $3, $3)",
        profile.slug,
        serde_json::to_value(profile)?,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// `false`: there is none of this slug.
pub async fn update(
    conn: &mut PgConnection,
    profile: &Profile,
    now: OffsetDateTime,
) -> Result<bool> {
    let done = sqlx::query!(
        "UPDATE providers SET profile = $2, version = version + 1, updated_at = $3 WHERE slug = $1",
        profile.slug,
        serde_json::to_value(profile)?,
        now
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

pub async fn delete(conn: &mut PgConnection, slug: &str) -> Result<bool> {
    let done = sqlx::query!("DELETE FROM providers WHERE slug = $1", slug).execute(conn).await?;
    Ok(done.rows_affected() > 0)
}
