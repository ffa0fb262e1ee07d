//! How many connections a filter lets through, found out before any of them is listed.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{rest, wanted::Wanted};
use crate::{
    domain::connection::{ConnectionFilter, Standing},
    server::store::{self, Result},
};

/// How far is counted.
pub const COUNTED: i64 = 2_000;

/// How many connections are asked for, and how they are found.
pub struct Found {
    pub(super) wanted: Wanted,
    /// `None`: more than [`COUNTED`].
    pub count: Option<i64>,
}

impl Found {
    /// These, whatever they are.
    pub fn of(ids: &[Uuid], now: OffsetDateTime) -> Self {
        let mut wanted = Wanted::of(&ConnectionFilter::default(), None, now);
        wanted.ids = Some(ids.to_vec());
        Self { wanted, count: i64::try_from(ids.len()).ok() }
    }
}

/// Finds out how many connections a filter lets through now. `clients`: those that are asked for.
pub async fn count(
    conn: &mut PgConnection,
    filter: &ConnectionFilter,
    clients: Option<Vec<Uuid>>,
    now: OffsetDateTime,
) -> Result<Found> {
    let mut wanted = Wanted::of(filter, clients, now);
    if filter.standing == Some(Standing::Paused) {
        wanted.rest = Some(rest::find(conn, now).await?);
    }
    let ran = match filter.import {
        Some(import) => Some(store::import::ran(conn, import).await?),
        None => None,
    };
    if let Some(external_id) = &filter.external_id {
        wanted.ids = Some(named(conn, external_id, wanted.clients.as_deref()).await?);
    } else if wanted.is_searched() {
        let ids = search(conn, &wanted).await?;
        let found = i64::try_from(ids.len()).ok().filter(|found| *found <= COUNTED);
        let only = wanted.is_only_searched() && ran.is_none();
        if found.is_some() {
            wanted.ids = Some(ids);
            (wanted.patterns, wanted.tags) = Default::default();
            (wanted.label, wanted.owner) = Default::default();
        }
        if only {
            return Ok(Found { wanted, count: found });
        }
    }
    if let Some(ran) = ran {
        let ids = match &ran {
            Some(ran) => store::import::brought(conn, ran, COUNTED + 1).await?,
            None => Vec::new(),
        };
        match i64::try_from(ids.len()).is_ok_and(|found| found <= COUNTED) {
            true => wanted.narrow(ids),
            false => wanted.import = ran,
        }
    }
    if wanted.drift {
        let ids = drifted(conn, &wanted).await?;
        if i64::try_from(ids.len()).is_ok_and(|found| found <= COUNTED) {
            wanted.ids = Some(ids);
            wanted.drift = false;
        }
    }
    if wanted.unseen {
        let ids = unseen(conn, &wanted).await?;
        if i64::try_from(ids.len()).is_ok_and(|found| found <= COUNTED) {
            wanted.ids = Some(ids);
            wanted.unseen = false;
        }
    }
    // What is common is looked for in each row that is listed, but counted by its index: beside another filter a
    // few thousand of a million may be what is searched.
    let pattern = wanted.patterns[0].take();
    let count = filtered!(
        scalar,
        wanted,
        COUNTED + 1,
        "SELECT count(*) FROM (SELECT FROM connections n
         WHERE ($28::text IS NULL OR EXISTS (SELECT FROM connection_search s
                                             WHERE s.connection_id = n.id AND s.text LIKE lower($28)))
           AND ",
        " LIMIT $17) AS few",
        pattern.as_deref()
    )
    .fetch_one(conn)
    .await?
    .unwrap_or_default();
    wanted.patterns[0] = pattern;
    Ok(Found { wanted, count: (count <= COUNTED).then_some(count) })
}

/// What has an external id: at most one of each of these clients, or of all.
async fn named(
    conn: &mut PgConnection,
    external_id: &str,
    clients: Option<&[Uuid]>,
) -> Result<Vec<Uuid>> {
    // By the index of each client's external ids.
    Ok(sqlx::query_scalar!(
        "SELECT id FROM connections
         WHERE external_id = $1 AND client_id = ANY (coalesce($2::uuid[], ARRAY (SELECT id FROM clients)))",
        external_id,
        clients
    )
    .fetch_all(conn)
    .await?)
}

/// What was asked for less than its client asks for now, up to one more than is counted; among those that were
/// found before, and of the clients that are asked for.
async fn drifted(conn: &mut PgConnection, wanted: &Wanted) -> Result<Vec<Uuid>> {
    Ok(sqlx::query_scalar!(
        "SELECT n.id
         FROM clients c JOIN scopes_asked a ON a.client_id = c.id AND NOT a.scopes @> c.scopes
         JOIN connections n ON n.client_id = c.id AND n.scopes_requested = a.scopes
         WHERE n.state NOT IN ('pending', 'disconnected') AND n.grant_type <> 'client_credentials'
           AND ($1::uuid[] IS NULL OR c.id = ANY ($1)) AND ($2::uuid[] IS NULL OR n.id = ANY ($2))
         LIMIT $3",
        wanted.clients.as_deref(),
        wanted.ids.as_deref(),
        COUNTED + 1
    )
    .fetch_all(conn)
    .await?)
}

/// What may be over before anybody is told, up to one more than is counted; among those that were found before, and of
/// the clients that are asked for. Each client's is found by an index that holds nothing else.
async fn unseen(conn: &mut PgConnection, wanted: &Wanted) -> Result<Vec<Uuid>> {
    Ok(sqlx::query_scalar!(
        "SELECT few.id
         FROM clients c CROSS JOIN LATERAL (
             SELECT n.id FROM connections n
             WHERE n.client_id = c.id
               AND ends_unseen(n.state, n.access_expires_at, n.has_refresh_token, n.grant_type)
               AND ($2::uuid[] IS NULL OR n.id = ANY ($2))
             ORDER BY n.id LIMIT $3) few
         WHERE $1::uuid[] IS NULL OR c.id = ANY ($1)
         LIMIT $3",
        wanted.clients.as_deref(),
        wanted.ids.as_deref(),
        COUNTED + 1
    )
    .fetch_all(conn)
    .await?)
}

/// What holds the texts where they are looked for, and the tags, up to one more than is counted. Labels and owners are
/// part of the text, so what holds a word there mostly was meant. The planner takes the two for unrelated, and so for
/// much rarer together; it is told that the second leaves nothing out (a CASE that is not null), and where a quarter of
/// all rows match reads the first few thousand instead of an index of them all.
async fn search(conn: &mut PgConnection, wanted: &Wanted) -> Result<Vec<Uuid>> {
    let [one, two, three] = &wanted.patterns;
    Ok(sqlx::query_scalar!(
        "SELECT connection_id FROM connection_search
         WHERE ($1::text IS NULL OR text LIKE lower($1))
           AND ($2::text IS NULL OR (text LIKE lower($2)
                AND CASE WHEN label LIKE lower($2) THEN 1 END IS NOT NULL))
           AND ($3::text IS NULL OR (text LIKE lower($3)
                AND CASE WHEN owner LIKE lower($3) THEN 1 END IS NOT NULL))
           AND ($4::text[] IS NULL OR tags @> $4)
         LIMIT $5",
        one.as_deref(),
        two.as_deref(),
        three.as_deref(),
        wanted.tags.as_deref(),
        COUNTED + 1
    )
    .fetch_all(conn)
    .await?)
}
