//! All that a filter lets through, for a job to work on.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Found;
use crate::{
    domain::{
        campaign::SecretShare,
        client,
        connection::{GrantType, SOON, Standing, StateName},
    },
    server::store::{Error, Result},
};

/// Some connections of one client that stand alike.
pub struct Alike {
    pub client_id: Uuid,
    pub client: String,
    pub client_state: client::StateName,
    /// The provider's slug.
    pub provider: String,
    pub count: i64,
    /// Another one when others are chosen.
    pub mark: i64,
    pub state: StateName,
    pub standing: Standing,
    pub grant_type: GrantType,
    pub has_refresh_token: bool,
    /// Paused one by one; the dead among them do not rest (`Connection::rests`), and can be resumed.
    pub rests: bool,
    /// Whether consent of another account is refused.
    pub is_bound: bool,
    /// Whether nobody knows whose they are.
    pub is_unknown: bool,
    /// They had nothing that could be renewed, or were imported with what has never worked here.
    pub never_renewed: bool,
}

struct AlikeRow {
    client_id: Uuid,
    client: String,
    client_state: String,
    provider: String,
    count: i64,
    mark: i64,
    state: String,
    standing: String,
    grant_type: String,
    has_refresh_token: bool,
    rests: bool,
    is_bound: bool,
    is_unknown: bool,
    never_renewed: bool,
}

impl TryFrom<AlikeRow> for Alike {
    type Error = Error;

    fn try_from(row: AlikeRow) -> Result<Self> {
        Ok(Self {
            client_id: row.client_id,
            client: row.client,
            client_state: row.client_state.parse()?,
            provider: row.provider,
            count: row.count,
            mark: row.mark,
            state: row.state.parse()?,
            standing: row.standing.parse()?,
            grant_type: row.grant_type.parse()?,
            has_refresh_token: row.has_refresh_token,
            rests: row.rests,
            is_bound: row.is_bound,
            is_unknown: row.is_unknown,
            never_renewed: row.never_renewed,
        })
    }
}

macro_rules! execute {
    ($first:literal $(+ $more:literal)* $(, $argument:expr)*) => {
        sqlx::query!($first $(+ $more)* $(, $argument)*)
    };
}

macro_rules! rows {
    ($first:literal $(+ $more:literal)* $(, $argument:expr)*) => {
        sqlx::query_as!(AlikeRow, $first $(+ $more)* $(, $argument)*)
    };
}

/// Asks for connections `n` of clients `c` by how they stand. Where they come from is for `$then`, which is given
/// what is asked for. The rule of `Connection::standing` stands here for rows.
macro_rules! alike {
    ($then:ident, $now:literal, $soon:literal $(, $rest:ident)*) => {
        $then!(
            r#"SELECT c.id AS client_id, c.name AS client, c.state AS client_state, c.provider,
                  count(*) AS "count!", bit_xor(uuid_hash_extended(n.id, 0)) AS "mark!", n.state,
                  CASE WHEN n.state = 'disconnected' THEN 'disconnected'
                       WHEN c.state = 'disabled' OR (n.paused_at IS NOT NULL AND n.state <> 'needs_reauth')
                            THEN 'paused'
                       WHEN c.state <> 'ready' THEN 'client-refused'
                       WHEN n.state IN ('active', 'retrying', 'in_doubt') AND c.paused_until > "#
                + $now
                + r#"
                            AND n.due_at < c.paused_until THEN 'paused'
                       WHEN n.state = 'pending' THEN 'pending'
                       WHEN n.state = 'needs_reauth' THEN 'needs-person'
                       WHEN n.state <> 'active' THEN 'retrying'
                       WHEN n.needs_human_by <= "#
                + $soon
                + r#" THEN 'soon'
                       ELSE 'alive' END AS "standing!",
                  n.grant_type, n.has_refresh_token, n.paused_at IS NOT NULL AS "rests!",
                  n.account_id IS NOT NULL AS "is_bound!",
                  coalesce(n.account_label, n.account_id) IS NULL AS "is_unknown!",
                  coalesce(n.reason = 'no_refresh_token', false)
                      OR (n.grant_type = 'import' AND n.generation = 1) AS "never_renewed!""#
            $(, $rest)*
        )
    };
}

macro_rules! of_filter {
    ($first:literal $(+ $more:literal)*, $wanted:ident) => {
        filtered!(
            rows,
            $wanted,
            i64::MAX,
            $first $(+ $more)* + " FROM connections n JOIN clients c ON c.id = n.client_id WHERE ",
            " GROUP BY c.id, n.state, 8, n.grant_type, n.has_refresh_token, 11, 12, 13, 14 LIMIT $17"
        )
    };
}

macro_rules! of_stragglers {
    ($first:literal $(+ $more:literal)*, $job:ident, $now:ident, $soon:ident) => {
        rows!(
            $first $(+ $more)* + " FROM job_customers($1, $2) AS s
             JOIN connections n ON n.id = s.connection_id
             JOIN clients c ON c.id = n.client_id
             WHERE s.stage <> 'done' AND NOT s.is_busy
             GROUP BY c.id, n.state, 8, n.grant_type, n.has_refresh_token, 11, 12, 13, 14",
            $job,
            $now,
            $soon
        )
    };
}

/// How many of each client's stand how. Asked within a transaction.
pub async fn alike(conn: &mut PgConnection, found: &Found) -> Result<Vec<Alike>> {
    let wanted = &found.wanted;
    let_sort(conn, false).await?;
    let rows = alike!(of_filter, "$20", "$19", wanted).fetch_all(&mut *conn).await?;
    let_sort(conn, true).await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// The same of those who would get a new link instead of the one that a job made them.
pub async fn alike_stragglers(
    conn: &mut PgConnection,
    job: Uuid,
    now: OffsetDateTime,
) -> Result<Vec<Alike>> {
    let soon = now + SOON;
    let_sort(conn, false).await?;
    let rows = alike!(of_stragglers, "$2", "$3", job, now, soon).fetch_all(&mut *conn).await?;
    let_sort(conn, true).await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// Whether what follows in the transaction may sort. What stands alike makes a few groups; the planner takes them
/// for nearly as many as there are rows, and would sort all of these on disk rather than count as it goes.
async fn let_sort(conn: &mut PgConnection, may: bool) -> Result<()> {
    let value = if may { "on" } else { "off" };
    sqlx::query!("SELECT set_config('enable_sort', $1, true) AS sorts", value)
        .fetch_one(conn)
        .await?;
    Ok(())
}

/// How many connections each of some clients has, and how many of them came to need a person around the time at
/// which its secret was replaced, if that was after `recent`; where most did comes first. A secret is replaced at
/// the provider before it is here: a day before counts too.
pub async fn shares_by_secret(
    conn: &mut PgConnection,
    clients: &[Uuid],
    recent: OffsetDateTime,
) -> Result<Vec<SecretShare>> {
    Ok(sqlx::query_as!(
        SecretShare,
        r#"SELECT c.id AS client_id, c.name AS client, every.count AS "count!", r.replaced_at, s.since,
                  dead.count AS "dead!"
           FROM clients c
           CROSS JOIN LATERAL (
               SELECT CASE WHEN c.secret_generation > 1 THEN c.secret_set_at END AS replaced_at) r
           CROSS JOIN LATERAL (
               SELECT CASE WHEN r.replaced_at >= $2 THEN r.replaced_at - interval '1 day' END AS since) s
           CROSS JOIN LATERAL (SELECT count(*) FROM connections WHERE client_id = c.id) every
           CROSS JOIN LATERAL (
               SELECT count(*) FROM connections
               WHERE client_id = c.id AND state = 'needs_reauth' AND state_since >= s.since) dead
           WHERE c.id = ANY ($1) AND every.count > 0
           ORDER BY dead.count DESC, every.count DESC, lower(c.name)"#,
        clients,
        recent
    )
    .fetch_all(conn)
    .await?)
}

/// Takes them into a job, the oldest first. How many there are.
pub async fn insert_items(conn: &mut PgConnection, job_id: Uuid, found: &Found) -> Result<i64> {
    let done = filtered!(
        execute,
        found.wanted,
        i64::MAX,
        "INSERT INTO job_items (job_id, number, connection_id, label, client, client_id)
         SELECT $28::uuid, row_number() OVER (ORDER BY n.id), n.id,
                coalesce(nullif(n.label, ''), n.account_label, n.account_id, n.external_id, ''), c.name, c.id
         FROM connections n JOIN clients c ON c.id = n.client_id WHERE ",
        " LIMIT $17",
        job_id
    )
    .execute(conn)
    .await?;
    Ok(i64::try_from(done.rows_affected()).unwrap_or(i64::MAX))
}
