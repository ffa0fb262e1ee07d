//! Filters by name.

use sqlx::{PgConnection, types::Json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::Result;
use crate::domain::{connection::ConnectionFilter, saved_filter::SavedFilter};

struct SavedFilterRow {
    id: Uuid,
    name: String,
    filter: Json<ConnectionFilter>,
    created_at: OffsetDateTime,
}

impl From<SavedFilterRow> for SavedFilter {
    fn from(row: SavedFilterRow) -> Self {
        Self { id: row.id, name: row.name, filter: row.filter.0, created_at: row.created_at }
    }
}

/// All of an owner, by name.
pub async fn list(conn: &mut PgConnection, owner_id: Uuid) -> Result<Vec<SavedFilter>> {
    let rows = sqlx::query_as!(
        SavedFilterRow,
        r#"SELECT id, name, filter AS "filter: Json<ConnectionFilter>", created_at
           FROM saved_filters WHERE owner_id = $1 ORDER BY lower(name)"#,
        owner_id
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// `false`: the owner has as many as may be.
pub async fn insert(
    conn: &mut PgConnection,
    owner_id: Uuid,
    saved: &SavedFilter,
    most: i64,
) -> Result<bool> {
    let done = sqlx::query!(
        "INSERT INTO saved_filters (id, owner_id, name, filter, created_at)
         SELECT $1, $2, $3, $4, $5 WHERE (SELECT count(*) FROM saved_filters WHERE owner_id = $2) < $6",
        saved.id,
        owner_id,
        saved.name,
        serde_json::to_value(&saved.filter)?,
        saved.created_at,
        most
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// `false`: the owner has no such filter.
pub async fn delete(conn: &mut PgConnection, owner_id: Uuid, id: Uuid) -> Result<bool> {
    let done =
        sqlx::query!("DELETE FROM saved_filters WHERE owner_id = $1 AND id = $2", owner_id, id)
            .execute(conn)
            .await?;
    Ok(done.rows_affected() > 0)
}
