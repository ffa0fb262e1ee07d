//! How the house shows itself: one row at most.

use sqlx::PgConnection;
use time::OffsetDateTime;

use super::Result;
use crate::domain::brand::{Brand, NewBrand};

pub async fn find(conn: &mut PgConnection) -> Result<Option<Brand>> {
    let row = sqlx::query!(
        r#"SELECT name, color, contact, logo IS NOT NULL AS "has_logo!", updated_at FROM brand"#
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Brand {
        name: row.name,
        color: row.color,
        contact: row.contact,
        has_logo: row.has_logo,
        version: (row.updated_at.unix_timestamp_nanos() / 1000).to_string(),
    }))
}

pub async fn update(conn: &mut PgConnection, new: &NewBrand, now: OffsetDateTime) -> Result<()> {
    sqlx::query!(
        "INSERT INTO brand (name, color, contact, updated_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (one) DO UPDATE SET name = $1, color = $2, contact = $3, updated_at = $4",
        new.name,
        new.color,
        new.contact,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The logo and its media type.
pub async fn find_logo(conn: &mut PgConnection) -> Result<Option<(Vec<u8>, String)>> {
    let row = sqlx::query!(
        r#"SELECT logo AS "logo!", logo_type AS "logo_type!" FROM brand WHERE logo IS NOT NULL"#
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| (row.logo, row.logo_type)))
}

/// Puts a logo in place, or takes it away. `name` is the house's, where nothing was said of it yet.
pub async fn set_logo(
    conn: &mut PgConnection,
    name: &str,
    logo: Option<(&[u8], &str)>,
    now: OffsetDateTime,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO brand (name, logo, logo_type, updated_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (one) DO UPDATE SET logo = $2, logo_type = $3, updated_at = $4",
        name,
        logo.map(|(bytes, _)| bytes),
        logo.map(|(_, kind)| kind),
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}
