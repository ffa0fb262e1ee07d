//! Lists of connections, whatever is asked for.
//!
//! What a filter lets through is counted first, up to [`COUNTED`]. If it is less, it is all gathered and
//! put in order; else the index of the order is walked until the page is full, which is soon, since much
//! of what is passed belongs on it. So no page costs more with more connections, and the planner is not
//! left to guess how rare a thing is.

use sqlx::PgConnection;
use time::{OffsetDateTime, macros::datetime};
use uuid::Uuid;

use super::ConnectionRow;
use crate::{
    domain::connection::{Connection, Sort},
    server::store::Result,
};

/// What has no such time comes last, in either direction.
const LAST: OffsetDateTime = datetime!(9999-01-01 0:00 UTC);
const FIRST: OffsetDateTime = datetime!(0001-01-01 0:00 UTC);

/// Where a page begins: behind the item with this key and id.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct After {
    /// The order that it is a key of.
    pub sort: Sort,
    pub id: Uuid,
    /// Nothing where the order is by a time that it has not.
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
            Sort::NeedsHumanBy => connection.needs_human_by,
            Sort::Expires => Some(connection.access_expires_at.unwrap_or(LAST)),
            Sort::RefreshExpires => connection.refresh_expires_at,
            Sort::Refreshed => Some(connection.obtained_at.unwrap_or(FIRST)),
            Sort::Newest | Sort::Label => None,
        },
        text: (sort == Sort::Label).then(|| connection.label.clone()),
    }
}

/// These connections, in no order.
pub async fn of(conn: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<Connection>> {
    select!("WHERE n.id = ANY ($1)", ids)
        .fetch_all(conn)
        .await?
        .into_iter()
        .map(TryInto::try_into)
        .collect()
}

/// A query with the conditions of a [`Wanted`] between its beginning and its end. The limit is `$17`, what
/// else there is comes from `$28` on. The rule of `Connection::standing` stands here for rows. One state is asked for
/// as one, since only so it is looked for within an index that has it behind what is put in order. What is active is
/// due or is not: there is an index to either, and none to both, which each refresh would write into. What is searched
/// stands as it does in `connection_search`. This and the rule stand in a CASE so that the planner does not take them for
/// rare: what is rare was found beforehand, or is led to by what it implies.
macro_rules! filtered {
    ($ask:ident, $wanted:expr, $limit:expr, $begin:literal $(+ $more:literal)*, $end:literal
     $(+ $then:literal)* $(, $argument:expr)*) => {
        $ask!(
            $begin $(+ $more)* + "($1::text[] IS NULL OR (cardinality($1) = 1 AND n.state = ($1)[1])
                  OR (cardinality($1) > 1 AND n.state = ANY ($1)))
             AND ($1::text[] IS NULL OR $1 <> '{active}'
                  OR n.due_at IS NOT NULL OR (n.state = 'active' AND n.due_at IS NULL))
             AND ($2::uuid[] IS NULL OR n.client_id = ANY ($2))
             AND ($3::text IS NULL OR position(lower($3) IN lower(n.label)) > 0)
             AND ($4::text IS NULL OR position(lower($4) IN lower(coalesce(n.account_label, ''))) > 0
                  OR position(lower($4) IN lower(coalesce(n.account_id, ''))) > 0)
             AND ($5::text[] IS NULL OR n.tags @> $5)
             AND ($6::timestamptz IS NULL OR (n.access_expires_at IS NOT NULL
                  AND coalesce(n.access_expires_at, timestamptz '9999-01-01 00:00+00') >= $6))
             AND ($7::timestamptz IS NULL
                  OR coalesce(n.access_expires_at, timestamptz '9999-01-01 00:00+00') < $7)
             AND ($8::timestamptz IS NULL OR n.refresh_expires_at >= $8)
             AND ($9::timestamptz IS NULL OR n.refresh_expires_at < $9)
             AND ($10::timestamptz IS NULL OR n.needs_human_by >= $10)
             AND ($11::timestamptz IS NULL OR n.needs_human_by < $11)
             AND ($12::text IS NULL OR n.reason = $12)
             AND ($13::uuid[] IS NULL OR n.id = ANY ($13))
             AND ($14::text IS NULL OR CASE WHEN lower(E'\\n ' || concat_ws(E'\\n ', n.label, n.account_label,
                      n.account_id, n.external_id)) LIKE lower($14) THEN true ELSE false END)
             AND (NOT $15::boolean OR (n.state NOT IN ('pending', 'disconnected')
                  AND n.grant_type <> 'client_credentials'
                  AND EXISTS (SELECT FROM clients k
                              WHERE k.id = n.client_id AND NOT n.scopes_requested @> k.scopes)))
             AND ($16::timestamptz IS NULL OR (n.state = 'needs_reauth' AND n.state_since >= $16))
             AND ($18::text IS NULL OR CASE WHEN $18 = CASE
                  WHEN n.state = 'disconnected' THEN 'disconnected'
                  WHEN (n.paused_at IS NOT NULL AND n.state <> 'needs_reauth')
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
                  ELSE 'alive' END THEN true ELSE false END)
             AND ($21::uuid[] IS NULL OR n.paused_at IS NOT NULL OR n.client_id = ANY ($21)
                  OR (n.client_id = ANY ($22) AND n.due_at < $23))
             AND (NOT $24::boolean
                  OR ends_unseen(n.state, n.access_expires_at, n.has_refresh_token, n.grant_type))
             AND ($25::uuid IS NULL OR (n.id >= $26::uuid AND n.id < $27::uuid AND EXISTS (
                  SELECT FROM audit a WHERE a.subject_id = n.id::text AND a.id >= $26 AND a.id < $27
                                        AND a.action = 'connection.import'
                                        AND a.detail @> jsonb_build_object('import', $25))))" + $end $(+ $then)*,
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
            $wanted.rest.as_ref().and_then(|rest| rest.until),
            $wanted.unseen,
            $wanted.import.map(|import| import.id),
            $wanted.import.map(|import| import.from),
            $wanted.import.map(|import| import.before)
            $(, $argument)*
        )
    };
}

macro_rules! scalar {
    ($first:literal $(+ $more:literal)* $(, $argument:expr)*) => {
        sqlx::query_scalar!($first $(+ $more)* $(, $argument)*)
    };
}

pub mod choose;
mod count;
mod rest;
mod wanted;

pub use count::{COUNTED, Found, count};

/// A page by one order: gathered and sorted, or walked along the order's index.
macro_rules! ordered {
    ($found:expr, $limit:expr, $conn:expr, $key:literal, $beyond:literal, $direction:literal, $id:expr, $at:expr) => {
        match $found.count {
            Some(_) => gathered!($found, $limit, $conn, $key, $beyond, $direction, $id, $at),
            None => {
                filtered!(
                    select,
                    $found.wanted,
                    $limit,
                    "WHERE ",
                    " AND ($28::uuid IS NULL OR ("
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

macro_rules! gathered {
    ($found:expr, $limit:expr, $conn:expr, $key:literal, $beyond:literal, $direction:literal, $id:expr, $at:expr) => {
        filtered!(
            select,
            $found.wanted,
            $limit,
            "JOIN (WITH found AS MATERIALIZED (SELECT n.id, "
                + $key
                + " AS key FROM connections n WHERE ",
            ") SELECT id, key FROM found
                   WHERE $28::uuid IS NULL OR (key, id) "
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
    };
}

/// [`ordered`], by a time that only some have. Its index knows these alone, so that a refresh of the others writes
/// nothing into it; behind them come the others by id, unless the time is asked for.
macro_rules! ordered_by_some {
    ($found:expr, $limit:expr, $conn:expr, $column:literal, $key:literal, $asked:expr, $id:expr, $at:expr) => {
        if $found.count.is_some() {
            gathered!(
                $found,
                $limit,
                $conn,
                $key,
                "> (coalesce($29, timestamptz 'infinity'), $28)",
                "",
                $id,
                $at
            )
        } else {
            let is_behind = $id.is_some() && $at.is_none();
            let mut rows = Vec::new();
            if !is_behind {
                rows = filtered!(
                    select,
                    $found.wanted,
                    $limit,
                    "WHERE ",
                    " AND "
                        + $column
                        + " IS NOT NULL AND ($28::uuid IS NULL OR ("
                        + $column
                        + ", n.id) > ($29, $28)) ORDER BY "
                        + $column
                        + ", n.id LIMIT $17",
                    $id,
                    $at
                )
                .fetch_all(&mut *$conn)
                .await?;
            }
            let left = $limit - i64::try_from(rows.len()).unwrap_or(i64::MAX);
            if left > 0 && !wanted::is_asked($asked) {
                let id = if is_behind { $id } else { None };
                rows.extend(
                    filtered!(
                        select,
                        $found.wanted,
                        left,
                        "WHERE ",
                        " AND "
                            + $column
                            + " IS NULL AND ($28::uuid IS NULL OR n.id > $28) ORDER BY n.id LIMIT $17",
                        id
                    )
                    .fetch_all($conn)
                    .await?,
                );
            }
            rows
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
        Sort::Newest => ordered!(found, limit, conn, "n.id", "< ($28, $29)", "DESC", id, id),
        Sort::NeedsHumanBy => ordered_by_some!(
            found,
            limit,
            conn,
            "n.needs_human_by",
            "coalesce(n.needs_human_by, timestamptz 'infinity')",
            found.wanted.needs_human,
            id,
            at
        ),
        Sort::Expires => ordered!(
            found,
            limit,
            conn,
            "coalesce(n.access_expires_at, timestamptz '9999-01-01 00:00+00')",
            "> ($29, $28)",
            "",
            id,
            at
        ),
        Sort::RefreshExpires => ordered_by_some!(
            found,
            limit,
            conn,
            "n.refresh_expires_at",
            "coalesce(n.refresh_expires_at, timestamptz 'infinity')",
            found.wanted.refresh_expires,
            id,
            at
        ),
        Sort::Refreshed => ordered!(
            found,
            limit,
            conn,
            "coalesce(n.obtained_at, timestamptz '0001-01-01 00:00+00')",
            "< ($29, $28)",
            "DESC",
            id,
            at
        ),
        Sort::Label => {
            ordered!(found, limit, conn, "lower(n.label)", "> (lower($29), $28)", "", id, text)
        }
    };
    rows.into_iter().map(TryInto::try_into).collect()
}

/// Plans what follows in this transaction by the values it is asked with: which plan is good depends on
/// how rare they are. Each is made for a page, which nobody else's processors are started for.
pub async fn plan_by_values(conn: &mut PgConnection) -> Result<()> {
    sqlx::query!(
        "SELECT set_config('plan_cache_mode', 'force_custom_plan', true) AS plans,
                set_config('max_parallel_workers_per_gather', '0', true) AS workers"
    )
    .fetch_one(conn)
    .await?;
    Ok(())
}
