//! Connections that are alive and have no next refresh, or one that is far off.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    domain::{connection::GrantType, provider::Renewal},
    server::store::{Error, Result},
};

/// One that may be renewable, and its dates.
pub struct Unplanned {
    pub id: Uuid,
    pub grant_type: GrantType,
    pub has_refresh_token: bool,
    pub obtained_at: OffsetDateTime,
    pub access_expires_at: Option<OffsetDateTime>,
}

struct Row {
    id: Uuid,
    grant_type: String,
    has_refresh_token: bool,
    obtained_at: OffsetDateTime,
    access_expires_at: Option<OffsetDateTime>,
}

impl TryFrom<Row> for Unplanned {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: row.id,
            grant_type: row.grant_type.parse()?,
            has_refresh_token: row.has_refresh_token,
            obtained_at: row.obtained_at,
            access_expires_at: row.access_expires_at,
        })
    }
}

/// The next of a client's behind `after` that have something to be renewed with, as `renewal` goes. Nobody else
/// changes them until the transaction ends. What somebody changes or refreshes just now is passed over, and so is
/// what rests.
pub async fn lock(
    conn: &mut PgConnection,
    client_id: Uuid,
    renewal: Renewal,
    after: Uuid,
    limit: i64,
) -> Result<Vec<Unplanned>> {
    sqlx::query_as!(
        Row,
        r#"SELECT id, grant_type, has_refresh_token, obtained_at AS "obtained_at!", access_expires_at
           FROM connections
           WHERE client_id = $1 AND id > $4 AND state = 'active' AND due_at IS NULL AND paused_at IS NULL
             AND lease_id IS NULL AND obtained_at IS NOT NULL
             AND ($2 OR ($3 AND has_refresh_token) OR grant_type = 'client_credentials')
           ORDER BY id LIMIT $5 FOR NO KEY UPDATE SKIP LOCKED"#,
        client_id,
        renewal == Renewal::ClientCredentials,
        renewal == Renewal::RefreshToken,
        after,
        limit
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(TryInto::try_into)
    .collect()
}

/// Like [`lock`], but those whose access token came without an end before `now`, and whose next refresh comes after
/// `beyond`; the last first.
pub async fn lock_far(
    conn: &mut PgConnection,
    client_id: Uuid,
    renewal: Renewal,
    now: OffsetDateTime,
    beyond: OffsetDateTime,
    limit: i64,
) -> Result<Vec<Unplanned>> {
    sqlx::query_as!(
        Row,
        r#"SELECT id, grant_type, has_refresh_token, obtained_at AS "obtained_at!", access_expires_at
           FROM connections
           WHERE client_id = $1 AND due_at > $5 AND state = 'active' AND access_expires_at IS NULL
             AND paused_at IS NULL AND lease_id IS NULL AND obtained_at <= $4
             AND ($2 OR ($3 AND has_refresh_token) OR grant_type = 'client_credentials')
           ORDER BY due_at DESC LIMIT $6 FOR NO KEY UPDATE SKIP LOCKED"#,
        client_id,
        renewal == Renewal::ClientCredentials,
        renewal == Renewal::RefreshToken,
        now,
        beyond,
        limit
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(TryInto::try_into)
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
