//! Client registrations.

use std::collections::BTreeMap;

use sqlx::{PgConnection, types::Json};
use time::OffsetDateTime;
use uuid::Uuid;

mod held;
pub mod limit;
pub mod next_secret;

pub use held::{holds_tokens, is_lived_by, names_with_secrets};
pub use limit::Limit;

use super::{Error, Result};
use crate::domain::{
    client::{Client, ClientName, StateName},
    incident::Incident,
    rehearsal::NextSecret,
};

/// A client as it is stored: with its sealed secret, without what is computed.
#[derive(Clone, Debug)]
pub struct Stored {
    pub id: Uuid,
    pub provider: String,
    pub name: String,
    pub oauth_client_id: String,
    pub sealed_client_secret: Option<Vec<u8>>,
    pub secret_generation: i64,
    pub secret_set_at: Option<OffsetDateTime>,
    pub sealed_next_secret: Option<Vec<u8>>,
    pub next_secret_generation: i64,
    pub next_secret: Option<NextSecret>,
    pub scopes: Vec<String>,
    pub variables: BTreeMap<String, String>,
    pub state: StateName,
    pub state_since: OffsetDateTime,
    pub state_detail: Option<String>,
    pub incident: Option<Incident>,
    pub paused_until: Option<OffsetDateTime>,
    pub connections: i64,
    pub created_at: OffsetDateTime,
    pub updated_at: OffsetDateTime,
}

impl Stored {
    /// The client as people see it.
    pub fn seen(self, redirect_uri: String, now: OffsetDateTime) -> Client {
        Client {
            id: self.id,
            name: self.name,
            provider: self.provider,
            oauth_client_id: self.oauth_client_id,
            has_secret: self.sealed_client_secret.is_some(),
            secret_set_at: self.secret_set_at,
            next_secret: self.next_secret,
            scopes: self.scopes,
            variables: self.variables,
            state: self.state,
            state_since: self.state_since,
            state_detail: self.state_detail,
            incident: self.incident,
            paused_until: self.paused_until.filter(|until| *until > now),
            redirect_uri,
            connections: self.connections,
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }
}

struct ClientRow {
    id: Uuid,
    provider: String,
    name: String,
    oauth_client_id: String,
    sealed_client_secret: Option<Vec<u8>>,
    secret_generation: i64,
    secret_set_at: Option<OffsetDateTime>,
    sealed_next_secret: Option<Vec<u8>>,
    next_secret_generation: i64,
    next_secret_set_at: Option<OffsetDateTime>,
    rehearsals: i32,
    next_secret_detail: Option<String>,
    rehearsal_at: Option<OffsetDateTime>,
    scopes: Vec<String>,
    variables: serde_json::Value,
    state: String,
    state_since: OffsetDateTime,
    state_detail: Option<String>,
    incident: Option<Json<Incident>>,
    paused_until: Option<OffsetDateTime>,
    connections: i64,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
}

impl TryFrom<ClientRow> for Stored {
    type Error = Error;
    fn try_from(row: ClientRow) -> Result<Self> {
        Ok(Self {
            id: row.id,
            provider: row.provider,
            name: row.name,
            oauth_client_id: row.oauth_client_id,
            sealed_client_secret: row.sealed_client_secret,
            secret_generation: row.secret_generation,
            secret_set_at: row.secret_set_at,
            next_secret: row.next_secret_set_at.filter(|_| row.sealed_next_secret.is_some()).map(
                |set_at| NextSecret {
                    set_at,
                    tried: row.rehearsals,
                    try_at: row.rehearsal_at,
                    refused: row.next_secret_detail,
                },
            ),
            sealed_next_secret: row.sealed_next_secret,
            next_secret_generation: row.next_secret_generation,
            scopes: row.scopes,
            variables: serde_json::from_value(row.variables)?,
            state: row.state.parse()?,
            state_since: row.state_since,
            state_detail: row.state_detail,
            incident: row.incident.map(|incident| incident.0),
            paused_until: row.paused_until,
            connections: row.connections,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

macro_rules! select {
    ($tail:literal $(, $argument:expr)*) => {
        sqlx::query_as!(
            ClientRow,
            r#"SELECT id, provider, name, oauth_client_id, sealed_client_secret, secret_generation,
                      secret_set_at, sealed_next_secret, next_secret_generation, next_secret_set_at, rehearsals,
                      next_secret_detail, rehearsal_at, scopes, variables, state, state_since, state_detail,
                      (SELECT jsonb_build_object(
                           'began_at', began_at, 'refused', refused, 'refreshed', refreshed,
                           'window_seconds', window_seconds, 'tried', tried, 'confirmed', confirmed,
                           'canary_at', canary_at,
                           'held', (SELECT count(*) FROM suspects s
                                    WHERE s.client_id = clients.id AND s.standing = 'held'))
                       FROM incidents WHERE incidents.client_id = clients.id) AS "incident: Json<Incident>",
                      paused_until,
                      (SELECT count(*) FROM connections
                        WHERE connections.client_id = clients.id AND connections.state <> 'disconnected') AS "connections!",
                      created_at, updated_at
               FROM clients "# + $tail
            $(, $argument)*
        )
    };
}

/// [`select`], without counting: neither connections nor what an incident holds.
macro_rules! bare {
    ($tail:literal $(, $argument:expr)*) => {
        sqlx::query_as!(
            ClientRow,
            r#"SELECT id, provider, name, oauth_client_id, sealed_client_secret, secret_generation,
                      secret_set_at, sealed_next_secret, next_secret_generation, next_secret_set_at, rehearsals,
                      next_secret_detail, rehearsal_at, scopes, variables, state, state_since, state_detail,
                      NULL AS "incident: Json<Incident>", paused_until, 0::bigint AS "connections!",
                      created_at, updated_at
               FROM clients "# + $tail
            $(, $argument)*
        )
    };
}

mod state;

pub use state::{ids_in_trouble, list_in_trouble, list_refused, reject_credentials, set_state};

pub async fn list(conn: &mut PgConnection) -> Result<Vec<Stored>> {
    select!("ORDER BY lower(name)")
        .fetch_all(conn)
        .await?
        .into_iter()
        .map(TryInto::try_into)
        .collect()
}

/// What every client is called.
pub async fn names(conn: &mut PgConnection) -> Result<Vec<ClientName>> {
    Ok(sqlx::query_as!(ClientName, "SELECT id, name, provider FROM clients ORDER BY lower(name)")
        .fetch_all(conn)
        .await?)
}

/// The clients of a provider.
pub async fn ids_of_provider(conn: &mut PgConnection, provider: &str) -> Result<Vec<Uuid>> {
    Ok(sqlx::query_scalar!("SELECT id FROM clients WHERE provider = $1", provider)
        .fetch_all(conn)
        .await?)
}

/// Every client and its provider.
pub async fn providers(conn: &mut PgConnection) -> Result<Vec<(Uuid, String)>> {
    Ok(sqlx::query!("SELECT id, provider FROM clients")
        .fetch_all(conn)
        .await?
        .into_iter()
        .map(|row| (row.id, row.provider))
        .collect())
}

/// The clients of which some connections may be over before anybody is told, and their providers.
pub async fn with_unseen_ends(conn: &mut PgConnection) -> Result<Vec<(Uuid, String)>> {
    Ok(sqlx::query!(
        "SELECT id, provider FROM clients c
         WHERE EXISTS (SELECT FROM connections n
                       WHERE n.client_id = c.id
                         AND ends_unseen(n.state, n.access_expires_at, n.has_refresh_token, n.grant_type))"
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(|row| (row.id, row.provider))
    .collect())
}

pub async fn find(conn: &mut PgConnection, id: Uuid) -> Result<Option<Stored>> {
    select!("WHERE id = $1", id).fetch_optional(conn).await?.map(TryInto::try_into).transpose()
}

/// Like [`find`], and keeps the row from changing until the transaction ends.
pub async fn find_for_update(conn: &mut PgConnection, id: Uuid) -> Result<Option<Stored>> {
    select!("WHERE id = $1 FOR UPDATE OF clients", id)
        .fetch_optional(conn)
        .await?
        .map(TryInto::try_into)
        .transpose()
}

/// Like [`find_for_update`], for whoever only needs it to stay as it is.
pub async fn find_for_share(conn: &mut PgConnection, id: Uuid) -> Result<Option<Stored>> {
    select!("WHERE id = $1 FOR SHARE OF clients", id)
        .fetch_optional(conn)
        .await?
        .map(TryInto::try_into)
        .transpose()
}

/// Keeps a client from being changed by people until the transaction ends, as adding a connection to
/// it does.
pub async fn keep(conn: &mut PgConnection, id: Uuid) -> Result<()> {
    sqlx::query!("SELECT FROM clients WHERE id = $1 FOR KEY SHARE", id)
        .fetch_optional(conn)
        .await?;
    Ok(())
}

pub async fn insert(conn: &mut PgConnection, client: &Stored) -> Result<()> {
    sqlx::query!(
        "INSERT INTO clients (id, provider, name, oauth_client_id, sealed_client_secret, secret_generation,
                              secret_set_at, scopes, variables, state, state_since, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12)",
        client.id,
        client.provider,
        client.name,
        client.oauth_client_id,
        client.sealed_client_secret,
        client.secret_generation,
        client.secret_set_at,
        &client.scopes,
        serde_json::to_value(&client.variables)?,
        client.state.as_str(),
        client.state_since,
        client.created_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes all that can change.
pub async fn update(conn: &mut PgConnection, client: &Stored) -> Result<()> {
    sqlx::query!(
        "UPDATE clients SET name = $2, oauth_client_id = $3, sealed_client_secret = $4, secret_generation = $5,
                            secret_set_at = $6, scopes = $7, variables = $8, state = $9, state_since = $10,
                            state_detail = $11, updated_at = $12
         WHERE id = $1",
        client.id,
        client.name,
        client.oauth_client_id,
        client.sealed_client_secret,
        client.secret_generation,
        client.secret_set_at,
        &client.scopes,
        serde_json::to_value(&client.variables)?,
        client.state.as_str(),
        client.state_since,
        client.state_detail,
        client.updated_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Keeps clients from changing until the transaction ends.
pub async fn lock(conn: &mut PgConnection, ids: &[Uuid]) -> Result<()> {
    sqlx::query!("SELECT FROM clients WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE", ids)
        .fetch_all(conn)
        .await?;
    Ok(())
}

pub async fn delete(conn: &mut PgConnection, id: Uuid) -> Result<()> {
    sqlx::query!("DELETE FROM clients WHERE id = $1", id).execute(conn).await?;
    Ok(())
}

/// How many clients each provider has.
pub async fn count_by_provider(conn: &mut PgConnection) -> Result<BTreeMap<String, i64>> {
    Ok(sqlx::query!(r#"SELECT provider, count(*) AS "count!" FROM clients GROUP BY provider"#)
        .fetch_all(conn)
        .await?
        .into_iter()
        .map(|row| (row.provider, row.count))
        .collect())
}

/// The clients of a provider.
pub async fn names_of_provider(conn: &mut PgConnection, provider: &str) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar!(
        "SELECT name FROM clients WHERE provider = $1 ORDER BY lower(name)",
        provider
    )
    .fetch_all(conn)
    .await?)
}

/// Clients that are ready and have something due, or a lease that ran out, and whose overdue connections
/// are spread. Their connections are not counted.
pub async fn list_due(conn: &mut PgConnection, now: Option<OffsetDateTime>) -> Result<Vec<Stored>> {
    bare!(
        "c
           WHERE state = 'ready' AND resuming_since IS NULL
             AND (paused_until IS NULL OR paused_until <= coalesce($1::timestamptz, statement_timestamp()))
             AND EXISTS (SELECT FROM connections n
                         WHERE n.client_id = c.id AND n.due_at <= coalesce($1::timestamptz, statement_timestamp())
                           AND (n.leased_until IS NULL
                                OR lease_is_over(n.leased_until, coalesce($1::timestamptz, statement_timestamp()))))",
        now
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(TryInto::try_into)
    .collect()
}

/// Locks those of `ids` that may be asked for something: [`list_due`] and [`limit::lock`] in one, for when it
/// is known who has something due.
pub async fn lock_ready(
    conn: &mut PgConnection,
    ids: &[Uuid],
    now: Option<OffsetDateTime>,
) -> Result<Vec<Stored>> {
    bare!(
        "WHERE id = ANY ($1) AND state = 'ready' AND resuming_since IS NULL
             AND (paused_until IS NULL OR paused_until <= coalesce($2::timestamptz, statement_timestamp()))
           ORDER BY id FOR NO KEY UPDATE SKIP LOCKED",
        ids,
        now
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(TryInto::try_into)
    .collect()
}

/// [`find`], without counting the client's connections.
pub async fn find_bare(conn: &mut PgConnection, id: Uuid) -> Result<Option<Stored>> {
    bare!("WHERE id = $1", id).fetch_optional(conn).await?.map(TryInto::try_into).transpose()
}
