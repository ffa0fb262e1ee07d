//! Where what rests is, so that it is found without a look at all the rest.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::server::store::Result;

/// The clients of which connections rest that were not switched off themselves: an index leads from these to
/// what is theirs.
#[derive(Clone, Debug, Default)]
pub struct Rest {
    /// Switched off, with all that is theirs.
    pub off: Vec<Uuid>,
    /// Left alone for a while, as their providers asked: what is due before the last of these whiles is over.
    pub waiting: Vec<Uuid>,
    pub until: Option<OffsetDateTime>,
}

/// Which clients' connections rest now.
pub async fn find(conn: &mut PgConnection, now: OffsetDateTime) -> Result<Rest> {
    let rows = sqlx::query!(
        r#"SELECT id, state = 'disabled' AS "is_off!", paused_until FROM clients
           WHERE state = 'disabled' OR (state = 'ready' AND paused_until > $1)"#,
        now
    )
    .fetch_all(conn)
    .await?;
    let mut rest = Rest::default();
    for row in rows {
        if row.is_off {
            rest.off.push(row.id);
        } else {
            rest.waiting.push(row.id);
            rest.until = rest.until.max(row.paused_until);
        }
    }
    Ok(rest)
}
