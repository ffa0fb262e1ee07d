//! Connections that are alive and have no next refresh.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{domain::connection::GrantType, server::store::Result};

/// One that may be renewable, and its dates.
pub struct Unplanned {
    pub id: Uuid,
    pub grant_type: GrantType,
    pub has_refresh_token: bool,
    pub obtained_at: OffsetDateTime,
    pub access_expires_at: Option<OffsetDateTime>,
}

/// The next of a client's behind `after` that have something to be renewed with; `by_client`: its own credentials
/// are that. Nobody else changes them until the transaction ends. What somebody changes or refreshes just now is
/// passed over, and so is what rests.
pub async fn lock(
    conn: &mut PgConnection,
    client_id: Uuid,
    by_client: bool,
    after: Uuid,
    limit: i64,
) -> Result<Vec<Unplanned>> {
    sqlx::query!(
        r#"SELECT id, grant_type, has_refresh_token, obtained_at AS "obtained_at!", access_expires_at
           FROM connections
           WHERE client_id = $1 AND id > $3 AND state = 'active' AND due_at IS NULL AND paused_at IS NULL
             AND lease_id IS NULL AND obtained_at IS NOT NULL
             AND ($2 OR has_refresh_token OR grant_type = 'client_credentials')
           ORDER BY id LIMIT $4 FOR NO KEY UPDATE SKIP LOCKED"#,
        client_id,
        by_client,
        after,
        limit
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(|row| {
        Ok(Unplanned {
            id: row.id,
            grant_type: row.grant_type.parse()?,
            has_refresh_token: row.has_refresh_token,
            obtained_at: row.obtained_at,
            access_expires_at: row.access_expires_at,
        })
    })
    .collect()
}

/// Sets when each is refreshed next.
pub async fn plan(conn: &mut PgConnection, ids: &[Uuid], due_at: &[OffsetDateTime]) -> Result<()> {
    sqlx::query!(
        "UPDATE connections n SET due_at = p.due_at
         FROM unnest($1::uuid[], $2::timestamptz[]) AS p (id, due_at) WHERE n.id = p.id",
        ids,
        due_at
    )
    .execute(conn)
    .await?;
    Ok(())
}
