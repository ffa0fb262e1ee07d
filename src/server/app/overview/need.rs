//! What needs a human, in as few lines as explain it.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    domain::{
        client,
        connection::{Connection, SOON},
        overview::{MANY, NeedsHumanGroup},
    },
    server::{
        app::Result,
        store::{self, overview::Alike},
    },
};

/// How many lines are shown, and how many of them tell of what is dead already where something else
/// could still be saved.
const LINES: usize = 12;
const DEAD: usize = 8;
/// How many causes are looked through for them.
const CAUSES: i64 = 1000;

/// What needs a human, as it was counted.
pub struct Needs {
    /// How many connections.
    pub count: i64,
    /// Those that are told together.
    pub groups: Vec<NeedsHumanGroup>,
    /// Those that are told by themselves.
    ids: Vec<Uuid>,
}

/// Counts what needs a human now or soon.
pub async fn count(conn: &mut PgConnection, now: OffsetDateTime) -> Result<Needs> {
    let soon = now + SOON;
    let few = i32::try_from(MANY - 1).unwrap_or_default();
    let (count, alike) = store::overview::needs_human(conn, soon, few, CAUSES).await?;
    Ok(lines(alike, count, now))
}

/// The soonest lines: one to each cause that explains many, one to each connection else.
fn lines(alike: Vec<Alike>, count: i64, now: OffsetDateTime) -> Needs {
    let (many, few): (Vec<Alike>, Vec<Alike>) =
        alike.into_iter().partition(|alike| alike.count >= MANY);
    let mut lines: Vec<(OffsetDateTime, Line)> = few
        .into_iter()
        .flat_map(|alike| alike.first)
        .map(|(at, id)| (at, Line::One(id)))
        .chain(many.into_iter().map(|alike| (alike.first_at, Line::Many(Box::new(alike)))))
        .collect();
    lines.sort_by_key(|(at, _)| *at);
    let mut coming = lines.split_off(lines.partition_point(|(at, _)| *at <= now));
    lines.truncate(DEAD.max(LINES.saturating_sub(coming.len())));
    coming.truncate(LINES.saturating_sub(lines.len()));
    lines.append(&mut coming);
    let mut needs = Needs { count, groups: Vec::new(), ids: Vec::new() };
    for (_, line) in lines {
        match line {
            Line::One(id) => needs.ids.push(id),
            Line::Many(alike) => needs.groups.push(NeedsHumanGroup {
                client_id: alike.cause.client_id,
                client_name: alike.client_name,
                client_state: alike.client_state,
                state: alike.cause.state,
                reason: alike.cause.reason,
                count: alike.count,
                first_at: alike.first_at,
                last_at: alike.last_at,
                filter: alike.cause.filter(now + SOON),
            }),
        }
    }
    needs
}

enum Line {
    One(Uuid),
    Many(Box<Alike>),
}

impl Needs {
    /// The connections that are told by themselves, as they are now: without those that need nobody
    /// any more. The soonest first.
    pub async fn load(
        &self,
        conn: &mut PgConnection,
        now: OffsetDateTime,
    ) -> Result<Vec<Connection>> {
        let mut found = store::connection::list::of(conn, &self.ids).await?;
        found.retain(|one| {
            one.client_state != client::StateName::Disabled
                && one.needs_human_by.is_some_and(|by| by < now + SOON)
        });
        found.sort_by_key(|one| (one.needs_human_by, one.id));
        Ok(found)
    }
}
