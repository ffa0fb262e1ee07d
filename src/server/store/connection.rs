//! Connections: reading and changing them. Lists are in [`list`], leases in [`lease`], what refreshes
//! came to in [`outcome`].

pub mod bulk;
pub mod lease;
pub mod make;
pub mod outcome;
pub mod pause;
pub mod unplanned;

use sqlx::{PgConnection, postgres::PgListener};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Error, Result};
use crate::domain::connection::{Connection, LastError, State, StateName};

struct ConnectionRow {
    id: Uuid,
    client_id: Uuid,
    client_name: String,
    client_state: String,
    client_paused_until: Option<OffsetDateTime>,
    provider: String,
    label: String,
    external_id: Option<String>,
    tags: Vec<String>,
    variables: serde_json::Value,
    account_id: Option<String>,
    account_label: Option<String>,
    grant_type: String,
    state: String,
    state_since: OffsetDateTime,
    reason: Option<String>,
    failures: i32,
    doubtful_attempt_id: Option<Uuid>,
    last_error: Option<serde_json::Value>,
    generation: i64,
    scopes_requested: Vec<String>,
    scopes_granted: Vec<String>,
    has_refresh_token: bool,
    obtained_at: Option<OffsetDateTime>,
    access_expires_at: Option<OffsetDateTime>,
    refresh_expires_at: Option<OffsetDateTime>,
    needs_human_by: Option<OffsetDateTime>,
    due_at: Option<OffsetDateTime>,
    paused_at: Option<OffsetDateTime>,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
}

impl TryFrom<ConnectionRow> for Connection {
    type Error = Error;
    fn try_from(row: ConnectionRow) -> Result<Self> {
        let last_error: Option<LastError> =
            row.last_error.map(serde_json::from_value).transpose()?;
        let state = match row.state.parse()? {
            StateName::Pending => State::Pending,
            StateName::Active => State::Active,
            StateName::Retrying => State::Retrying {
                attempts: u32::try_from(row.failures).unwrap_or_default(),
                next_at: row.due_at.unwrap_or(row.state_since),
                last_error: last_error
                    .as_ref()
                    .map_or(crate::domain::refusal::ErrorClass::Transient, |error| error.class),
            },
            StateName::InDoubt => State::InDoubt {
                attempt_id: row
                    .doubtful_attempt_id
                    .ok_or_else(|| Error::Unreadable("in doubt about no attempt".into()))?,
            },
            StateName::NeedsReauth => State::NeedsReauth {
                reason: row
                    .reason
                    .ok_or_else(|| Error::Unreadable("needs a person for no reason".into()))?
                    .parse()?,
                since: row.state_since,
            },
            StateName::Disconnected => State::Disconnected,
        };
        Ok(Self {
            id: row.id,
            client_id: row.client_id,
            client_name: row.client_name,
            client_state: row.client_state.parse()?,
            client_paused_until: row.client_paused_until,
            provider: row.provider,
            label: row.label,
            external_id: row.external_id,
            tags: row.tags,
            variables: serde_json::from_value(row.variables)?,
            account_id: row.account_id,
            account_label: row.account_label,
            grant_type: row.grant_type.parse()?,
            state,
            generation: row.generation,
            scopes_requested: row.scopes_requested,
            scopes_granted: row.scopes_granted,
            has_refresh_token: row.has_refresh_token,
            obtained_at: row.obtained_at,
            access_expires_at: row.access_expires_at,
            refresh_expires_at: row.refresh_expires_at,
            due_at: row.due_at,
            paused_at: row.paused_at,
            needs_human_by: row.needs_human_by,
            last_error,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

macro_rules! select {
    ($tail:literal $(+ $more:literal)* $(, $argument:expr)*) => {
        sqlx::query_as!(
            ConnectionRow,
            "SELECT n.id, n.client_id, c.name AS client_name, c.state AS client_state,
                    c.paused_until AS client_paused_until, c.provider, n.label, n.external_id,
                    n.tags, n.variables, n.account_id, n.account_label, n.grant_type, n.state, n.state_since,
                    n.reason, n.failures, n.doubtful_attempt_id, n.last_error, n.generation,
                    n.scopes_requested, n.scopes_granted, n.has_refresh_token, n.obtained_at,
                    n.access_expires_at, n.refresh_expires_at, n.needs_human_by, n.due_at,
                    n.paused_at, n.created_at, n.updated_at
             FROM connections n JOIN clients c ON c.id = n.client_id " + $tail $(+ $more)*
            $(, $argument)*
        )
    };
}

pub mod list;

pub async fn find(conn: &mut PgConnection, id: Uuid) -> Result<Option<Connection>> {
    select!("WHERE n.id = $1", id).fetch_optional(conn).await?.map(TryInto::try_into).transpose()
}

/// Like [`find`], and keeps the row from changing until the transaction ends.
pub async fn find_for_update(conn: &mut PgConnection, id: Uuid) -> Result<Option<Connection>> {
    select!("WHERE n.id = $1 FOR UPDATE OF n", id)
        .fetch_optional(conn)
        .await?
        .map(TryInto::try_into)
        .transpose()
}

/// Says whose account it is, where that was not known with the token set of `obtained_at`. `false`: it is known,
/// or the token set is another.
pub async fn name_account(
    conn: &mut PgConnection,
    id: Uuid,
    obtained_at: OffsetDateTime,
    account_id: &str,
    account_label: Option<&str>,
) -> Result<bool> {
    let done = sqlx::query!(
        "UPDATE connections SET account_id = $3, account_label = $4
         WHERE id = $1 AND obtained_at = $2 AND account_id IS NULL",
        id,
        obtained_at,
        account_id,
        account_label
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Writes what people may change.
pub async fn update(
    conn: &mut PgConnection,
    connection: &Connection,
    now: OffsetDateTime,
) -> Result<()> {
    sqlx::query!(
        "UPDATE connections SET label = $2, external_id = $3, tags = $4, variables = $5, updated_at = $6
         WHERE id = $1",
        connection.id,
        connection.label,
        connection.external_id,
        &connection.tags,
        serde_json::to_value(&connection.variables)?,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends a connection's life; nothing is due any more, and no answer under way may change that.
pub async fn disconnect(conn: &mut PgConnection, id: Uuid, now: OffsetDateTime) -> Result<()> {
    sqlx::query!(
        "UPDATE connections
         SET state = 'disconnected', state_since = $2, reason = NULL, due_at = NULL, needs_human_by = NULL,
             access_expires_at = NULL, refresh_expires_at = NULL, has_refresh_token = false,
             doubtful_attempt_id = NULL, failures = 0, lease_id = NULL, leased_until = NULL,
             paused_at = NULL, resume_at = NULL, updated_at = $2
         WHERE id = $1",
        id,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub async fn delete(conn: &mut PgConnection, id: Uuid) -> Result<()> {
    sqlx::query!(
        "WITH history AS (DELETE FROM attempts WHERE connection_id = $1)
         DELETE FROM connections WHERE id = $1",
        id
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes the disconnected connections of a client, so that it can be deleted.
pub async fn delete_disconnected(conn: &mut PgConnection, client_id: Uuid) -> Result<u64> {
    Ok(sqlx::query!(
        "WITH gone AS (SELECT id FROM connections WHERE client_id = $1 AND state = 'disconnected'),
              history AS (DELETE FROM attempts WHERE connection_id IN (SELECT id FROM gone))
         DELETE FROM connections WHERE id IN (SELECT id FROM gone)",
        client_id
    )
    .execute(conn)
    .await?
    .rows_affected())
}

/// When a person last consented.
pub async fn scopes_consented(conn: &mut PgConnection, id: Uuid) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar!("SELECT scopes_consented FROM connections WHERE id = $1", id)
        .fetch_one(conn)
        .await?)
}

pub async fn consented_at(conn: &mut PgConnection, id: Uuid) -> Result<Option<OffsetDateTime>> {
    Ok(sqlx::query_scalar!("SELECT consented_at FROM connections WHERE id = $1", id)
        .fetch_optional(conn)
        .await?
        .flatten())
}

/// Begins to hear what [`announce`] says.
pub async fn listen(pool: &sqlx::PgPool) -> Result<PgListener> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    Ok(listener)
}

/// Of which connections something became; waits until it is said. After a broken connection some may be
/// missing.
pub async fn heard(listener: &mut PgListener) -> Result<Vec<Uuid>> {
    let said = listener.recv().await?;
    Ok(named(said.payload()))
}

/// The connections that are named on [`CHANNEL`].
pub fn named(payload: &str) -> Vec<Uuid> {
    payload.split(' ').filter_map(|id| id.parse().ok()).collect()
}

/// The channel on which it is said that something became of connections. Triggers speak on it too.
pub const CHANNEL: &str = "regrant_connections";

/// Tells all replicas that something became of these connections, once the transaction commits. A hint,
/// which may be lost.
pub async fn announce(conn: &mut PgConnection, ids: &[Uuid]) -> Result<()> {
    // A payload holds less than 8000 bytes.
    for ids in ids.chunks(200) {
        let payload: Vec<String> = ids.iter().map(|id| id.simple().to_string()).collect();
        sqlx::query!("SELECT pg_notify($1, $2)", CHANNEL, payload.join(" "))
            .fetch_one(&mut *conn)
            .await?;
    }
    Ok(())
}
