//! Lists of connections, whatever is asked for.
//!
//! What a filter lets through is counted first, up to [`COUNTED`]. If it is less, it is all gathered and
//! put in order; else the index of the order is walked until the page is full, which is soon, since much
//! of what is passed belongs on it. So no page costs more with more connections, and the planner is not
//! left to guess how rare a thing is.

use sqlx::PgConnection;
use time::{OffsetDateTime, macros::datetime};
use uuid::Uuid;

use self::rest::Rest;
use super::ConnectionRow;
use crate::{
    domain::connection::{Connection, ConnectionFilter, Reason, SOON, Sort, Standing, StateName},
    server::store::Result,
};

/// How far is counted.
pub const COUNTED: i64 = 2_000;

/// What has no such time comes last, in either direction.
const LAST: OffsetDateTime = datetime!(9999-01-01 0:00 UTC);
const FIRST: OffsetDateTime = datetime!(0001-01-01 0:00 UTC);

/// Where a page begins: behind the item with this key and id.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct After {
    /// The order that it is a key of.
    pub sort: Sort,
    pub id: Uuid,
    #[serde(with = "time::serde::rfc3339::option")]
    pub at: Option<OffsetDateTime>,
    pub text: Option<String>,
}

/// The key that a connection has in an order; what a next page begins behind.
pub fn after(connection: &Connection, sort: Sort) -> After {
    After {
        sort,
        id: connection.id,
        at: match sort {
            Sort::NeedsHumanBy => Some(connection.needs_human_by.unwrap_or(LAST)),
            Sort::Expires => Some(connection.access_expires_at.unwrap_or(LAST)),
            Sort::RefreshExpires => Some(connection.refresh_expires_at.unwrap_or(LAST)),
            Sort::Refreshed => Some(connection.obtained_at.unwrap_or(FIRST)),
            Sort::Newest | Sort::Label => None,
        },
        text: (sort == Sort::Label).then(|| connection.label.clone()),
    }
}

/// What a filter asks for, as the table can be asked.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// In one of these.
    states: Option<Vec<String>>,
    clients: Option<Vec<Uuid>>,
    label: Option<String>,
    owner: Option<String>,
    tags: Option<Vec<String>>,
    expires: Span,
    refresh_expires: Span,
    needs_human: Span,
    reason: Option<&'static str>,
    drift: bool,
    dead_since: Option<OffsetDateTime>,
    standing: Option<&'static str>,
    /// What needs a person by then stands as *soon*.
    soon: OffsetDateTime,
    now: OffsetDateTime,
    /// Where what rests is.
    rest: Option<Rest>,
    /// One of these.
    ids: Option<Vec<Uuid>>,
    /// Patterns of what is searched, where that was not found out beforehand.
    patterns: [Option<String>; 3],
}

/// From, and before.
type Span = (Option<OffsetDateTime>, Option<OffsetDateTime>);

/// These connections, in no order.
pub async fn of(conn: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<Connection>> {
    select!("WHERE n.id = ANY ($1)", ids)
        .fetch_all(conn)
        .await?
        .into_iter()
        .map(TryInto::try_into)
        .collect()
}

/// How many connections are asked for, and how they are found.
pub struct Found {
    wanted: Wanted,
    /// `None`: more than [`COUNTED`].
    pub count: Option<i64>,
}

impl Wanted {
    fn of(filter: &ConnectionFilter, clients: Option<Vec<Uuid>>, now: OffsetDateTime) -> Self {
        // What a standing implies of what there are indexes for.
        let implied: Option<&[StateName]> = filter.standing.and_then(|standing| match standing {
            Standing::Alive | Standing::Soon => Some(&[StateName::Active] as &[_]),
            Standing::Retrying => Some(&[StateName::Retrying, StateName::InDoubt]),
            Standing::NeedsPerson => Some(&[StateName::NeedsReauth]),
            Standing::Pending => Some(&[StateName::Pending]),
            Standing::Disconnected => Some(&[StateName::Disconnected]),
            Standing::ClientRefused | Standing::Paused => None,
        });
        let states = match (filter.state, implied) {
            (None, None) => None,
            (Some(state), None) => Some(vec![state]),
            (asked, Some(implied)) => {
                let is_asked = |state: &StateName| asked.is_none_or(|asked| asked == *state);
                Some(implied.iter().copied().filter(is_asked).collect())
            }
        };
        let (human_after, mut human_before) = (filter.needs_human_after, filter.needs_human_before);
        if filter.standing == Some(Standing::Soon) {
            // Its moment itself counts.
            let end = now + SOON + time::Duration::microseconds(1);
            human_before = Some(human_before.map_or(end, |before| before.min(end)));
        }
        Self {
            states: states.map(|states| states.iter().map(|one| one.as_str().to_owned()).collect()),
            clients,
            label: filter.label.clone(),
            owner: filter.owner.clone(),
            tags: filter.tag.clone().map(|tag| vec![tag]),
            expires: (filter.expires_after, filter.expires_before),
            refresh_expires: (filter.refresh_expires_after, filter.refresh_expires_before),
            needs_human: (human_after, human_before),
            reason: filter.reason.map(Reason::as_str),
            drift: filter.drift,
            dead_since: filter.dead_since,
            standing: filter.standing.map(Standing::as_str),
            soon: now + SOON,
            now,
            rest: None,
            ids: None,
            patterns: [
                filter.q.as_deref().map(pattern),
                filter.label.as_deref().map(contained),
                filter.owner.as_deref().map(contained),
            ],
        }
    }

    /// Whether the search alone says what is found.
    fn is_only_searched(&self) -> bool {
        self.states.is_none()
            && self.standing.is_none()
            && self.clients.is_none()
            && !self.drift
            && self.dead_since.is_none()
            && self.reason.is_none()
            && [self.expires, self.refresh_expires, self.needs_human]
                .iter()
                .all(|(from, before)| from.is_none() && before.is_none())
    }

    fn is_searched(&self) -> bool {
        self.tags.is_some() || self.patterns.iter().any(Option::is_some)
    }
}

/// What holds a text. One of a letter or two is looked for where words begin: no index knows where else
/// it stands.
fn pattern(text: &str) -> String {
    match text.chars().count() {
        0..=2 => format!("% {}%", escaped(text)),
        _ => contained(text),
    }
}

fn contained(text: &str) -> String {
    format!("%{}%", escaped(text))
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        if matches!(char, '%' | '_' | '\\') {
            escaped.push('\\');
        }
        escaped.push(char);
    }
    escaped
}

/// A query with the conditions of a [`Wanted`] between its beginning and its end. The limit is `$17`, what
/// else there is comes from `$24` on. The rule of `Connection::standing` stands here for rows.
macro_rules! filtered {
    ($ask:ident, $wanted:expr, $limit:expr, $begin:literal $(+ $more:literal)*, $end:literal
     $(+ $then:literal)* $(, $argument:expr)*) => {
        $ask!(
            $begin $(+ $more)* + "($1::text[] IS NULL OR n.state = ANY ($1))
             AND ($2::uuid[] IS NULL OR n.client_id = ANY ($2))
             AND ($3::text IS NULL OR position(lower($3) IN lower(n.label)) > 0)
             AND ($4::text IS NULL OR position(lower($4) IN lower(coalesce(n.account_label, ''))) > 0
                  OR position(lower($4) IN lower(coalesce(n.account_id, ''))) > 0)
             AND ($5::text[] IS NULL OR n.tags @> $5)
             AND ($6::timestamptz IS NULL OR (n.access_expires_at IS NOT NULL
                  AND coalesce(n.access_expires_at, timestamptz '9999-01-01 00:00+00') >= $6))
             AND ($7::timestamptz IS NULL
                  OR coalesce(n.access_expires_at, timestamptz '9999-01-01 00:00+00') < $7)
             AND ($8::timestamptz IS NULL OR (n.refresh_expires_at IS NOT NULL
                  AND coalesce(n.refresh_expires_at, timestamptz '9999-01-01 00:00+00') >= $8))
             AND ($9::timestamptz IS NULL
                  OR coalesce(n.refresh_expires_at, timestamptz '9999-01-01 00:00+00') < $9)
             AND ($10::timestamptz IS NULL OR (n.needs_human_by IS NOT NULL
                  AND coalesce(n.needs_human_by, timestamptz '9999-01-01 00:00+00') >= $10))
             AND ($11::timestamptz IS NULL
                  OR coalesce(n.needs_human_by, timestamptz '9999-01-01 00:00+00') < $11)
             AND ($12::text IS NULL OR n.reason = $12)
             AND ($13::uuid[] IS NULL OR n.id = ANY ($13))
             AND ($14::text IS NULL OR EXISTS (SELECT FROM connection_search s
                                               WHERE s.connection_id = n.id AND s.text LIKE lower($14)))
             AND (NOT $15::boolean OR (n.state NOT IN ('pending', 'disconnected')
                  AND n.grant_type <> 'client_credentials'
                  AND EXISTS (SELECT FROM clients k
                              WHERE k.id = n.client_id AND NOT n.scopes_requested @> k.scopes)))
             AND ($16::timestamptz IS NULL OR (n.state = 'needs_reauth' AND n.state_since >= $16))
             AND ($18::text IS NULL OR $18 = CASE
                  WHEN n.state = 'disconnected' THEN 'disconnected'
                  WHEN n.paused_at IS NOT NULL
                       OR n.client_id IN (SELECT k.id FROM clients k WHERE k.state = 'disabled') THEN 'paused'
                  WHEN n.client_id IN (SELECT k.id FROM clients k WHERE k.state <> 'ready') THEN 'client-refused'
                  WHEN n.state IN ('active', 'retrying', 'in_doubt')
                       AND n.client_id IN (SELECT k.id FROM clients k WHERE k.paused_until > $20)
                       AND n.due_at < (SELECT k.paused_until FROM clients k WHERE k.id = n.client_id)
                       THEN 'paused'
                  WHEN n.state = 'pending' THEN 'pending'
                  WHEN n.state = 'needs_reauth' THEN 'needs-person'
                  WHEN n.state <> 'active' THEN 'retrying'
                  WHEN n.needs_human_by <= $19 THEN 'soon'
                  ELSE 'alive' END)
             AND ($21::uuid[] IS NULL OR n.paused_at IS NOT NULL OR n.client_id = ANY ($21)
                  OR (n.client_id = ANY ($22) AND n.due_at < $23))" + $end $(+ $then)*,
            $wanted.states.as_deref(),
            $wanted.clients.as_deref(),
            $wanted.label.as_deref(),
            $wanted.owner.as_deref(),
            $wanted.tags.as_deref(),
            $wanted.expires.0,
            $wanted.expires.1,
            $wanted.refresh_expires.0,
            $wanted.refresh_expires.1,
            $wanted.needs_human.0,
            $wanted.needs_human.1,
            $wanted.reason,
            $wanted.ids.as_deref(),
            $wanted.patterns[0].as_deref(),
            $wanted.drift,
            $wanted.dead_since,
            $limit,
            $wanted.standing,
            $wanted.soon,
            $wanted.now,
            $wanted.rest.as_ref().map(|rest| rest.off.as_slice()),
            $wanted.rest.as_ref().map(|rest| rest.waiting.as_slice()),
            $wanted.rest.as_ref().and_then(|rest| rest.until)
            $(, $argument)*
        )
    };
}

pub mod choose;
mod rest;

macro_rules! scalar {
    ($first:literal $(+ $more:literal)* $(, $argument:expr)*) => {
        sqlx::query_scalar!($first $(+ $more)* $(, $argument)*)
    };
}

/// A page by one order: gathered and sorted, or walked along the order's index.
macro_rules! ordered {
    ($found:expr, $limit:expr, $conn:expr, $key:literal, $beyond:literal, $direction:literal, $id:expr, $at:expr) => {
        match $found.count {
            Some(_) => {
                filtered!(
                    select,
                    $found.wanted,
                    $limit,
                    "JOIN (WITH found AS MATERIALIZED (SELECT n.id, "
                        + $key
                        + " AS key FROM connections n WHERE ",
                    ") SELECT id, key FROM found
                   WHERE $24::uuid IS NULL OR (key, id) "
                        + $beyond
                        + " ORDER BY key "
                        + $direction
                        + ", id "
                        + $direction
                        + " LIMIT $17) AS page ON page.id = n.id
                 ORDER BY page.key "
                        + $direction
                        + ", page.id "
                        + $direction,
                    $id,
                    $at
                )
                .fetch_all($conn)
                .await?
            }
            None => {
                filtered!(
                    select,
                    $found.wanted,
                    $limit,
                    "WHERE ",
                    " AND ($24::uuid IS NULL OR ("
                        + $key
                        + ", n.id) "
                        + $beyond
                        + ") ORDER BY "
                        + $key
                        + " "
                        + $direction
                        + ", n.id "
                        + $direction
                        + " LIMIT $17",
                    $id,
                    $at
                )
                .fetch_all($conn)
                .await?
            }
        }
    };
}

/// What is found, from `after` on.
pub async fn page(
    conn: &mut PgConnection,
    found: &Found,
    sort: Sort,
    after: Option<&After>,
    limit: i64,
) -> Result<Vec<Connection>> {
    let id = after.map(|after| after.id);
    let at = after.and_then(|after| after.at);
    let text = after.and_then(|after| after.text.as_deref());
    let rows = match sort {
        // The ids are UUIDv7: they are made in the order of time.
        Sort::Newest => ordered!(found, limit, conn, "n.id", "< ($24, $25)", "DESC", id, id),
        Sort::NeedsHumanBy => ordered!(
            found,
            limit,
            conn,
            "coalesce(n.needs_human_by, timestamptz '9999-01-01 00:00+00')",
            "> ($25, $24)",
            "",
            id,
            at
        ),
        Sort::Expires => ordered!(
            found,
            limit,
            conn,
            "coalesce(n.access_expires_at, timestamptz '9999-01-01 00:00+00')",
            "> ($25, $24)",
            "",
            id,
            at
        ),
        Sort::RefreshExpires => ordered!(
            found,
            limit,
            conn,
            "coalesce(n.refresh_expires_at, timestamptz '9999-01-01 00:00+00')",
            "> ($25, $24)",
            "",
            id,
            at
        ),
        Sort::Refreshed => ordered!(
            found,
            limit,
            conn,
            "coalesce(n.obtained_at, timestamptz '0001-01-01 00:00+00')",
            "< ($25, $24)",
            "DESC",
            id,
            at
        ),
        Sort::Label => {
            ordered!(found, limit, conn, "lower(n.label)", "> (lower($25), $24)", "", id, text)
        }
    };
    rows.into_iter().map(TryInto::try_into).collect()
}

/// Plans what follows in this transaction by the values it is asked with: which plan is good depends on
/// how rare they are.
pub async fn plan_by_values(conn: &mut PgConnection) -> Result<()> {
    sqlx::query!("SELECT set_config('plan_cache_mode', 'force_custom_plan', true)")
        .fetch_one(conn)
        .await?;
    Ok(())
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
    if let Some(external_id) = &filter.external_id {
        wanted.ids = Some(named(conn, external_id, wanted.clients.as_deref()).await?);
    } else if wanted.is_searched() {
        let ids = search(conn, &wanted).await?;
        let found = i64::try_from(ids.len()).ok().filter(|found| *found <= COUNTED);
        let only = wanted.is_only_searched();
        if found.is_some() {
            wanted.ids = Some(ids);
            (wanted.patterns, wanted.tags) = Default::default();
            (wanted.label, wanted.owner) = Default::default();
        }
        if only {
            return Ok(Found { wanted, count: found });
        }
    }
    if wanted.drift {
        let ids = drifted(conn, &wanted).await?;
        if i64::try_from(ids.len()).is_ok_and(|found| found <= COUNTED) {
            wanted.ids = Some(ids);
            wanted.drift = false;
        }
    }
    let count = filtered!(
        scalar,
        wanted,
        COUNTED + 1,
        "SELECT count(*) FROM (SELECT FROM connections n WHERE ",
        " LIMIT $17) AS few"
    )
    .fetch_one(conn)
    .await?
    .unwrap_or_default();
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

/// What holds the texts where they are looked for, and the tags, up to one more than is counted.
async fn search(conn: &mut PgConnection, wanted: &Wanted) -> Result<Vec<Uuid>> {
    let [one, two, three] = &wanted.patterns;
    Ok(sqlx::query_scalar!(
        "SELECT connection_id FROM connection_search
         WHERE ($1::text IS NULL OR text LIKE lower($1))
           AND ($2::text IS NULL OR (text LIKE lower($2) AND label LIKE lower($2)))
           AND ($3::text IS NULL OR (text LIKE lower($3) AND owner LIKE lower($3)))
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
