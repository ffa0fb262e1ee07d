//! Taking leases: what is due, or one connection on demand, and writing the intents. One short
//! transaction takes many (DESIGN section 3, points 1, 3, 11 and 12).

use std::{collections::HashMap, sync::Arc};

use secrecy::ExposeSecret;
use sqlx::{Connection, PgConnection};
use time::Duration;
use uuid::Uuid;

use super::{
    ask::Ask,
    engine::{LEASE, Task},
    intent::{self, Orphans},
    room::{self, Clients},
};
use crate::{
    domain::{
        attempt::{Trigger, Verdict},
        client,
        provider::Profile,
    },
    server::{
        app::{
            App, Error, Result,
            client::Caller,
            grant::{self, Extras},
            keys, upkeep,
        },
        failpoint,
        store::{
            self,
            attempt::Intent,
            connection::lease::{self, Lease, Leased, Room},
            token_set::Kept,
        },
    },
};

/// Whose connections are refreshed.
const READY: [client::StateName; 1] = [client::StateName::Ready];

/// A claim that takes longer had to wait for somebody.
pub(crate) const PROMPT: Duration = Duration::seconds(3);

/// A refresh that is ours to make, or the reason why it can't even be asked for.
pub type Claimed = Task<std::result::Result<Arc<Caller>, String>>;

/// A lease of ours. Ask for it when the database has just answered.
pub fn new_lease(app: &App) -> Lease {
    Lease {
        id: app.new_id(),
        now: app.database_now(),
        seconds: LEASE.as_seconds_f64(),
        orphans: app.database_was_heard(),
    }
}

/// [`new_lease`] of one connection: what is in hand here is not taken over, however its lease ended.
pub fn lease_of_one(app: &App, id: Uuid) -> Lease {
    let lease = new_lease(app);
    Lease { orphans: lease.orphans && !app.flights().holds(id), ..lease }
}

/// What was claimed of what is due.
#[derive(Default)]
pub struct Due {
    pub claimed: Vec<Claimed>,
    /// Whose connections were looked for, where there may be more once something has ended.
    pub hungry: Vec<Uuid>,
    /// It is a portion, and there are places for more: the next look follows at once.
    pub is_cut: bool,
    /// Someone else was claiming for one of the clients at that moment; or, in a look for places, it is not ready any
    /// more, which the next look at all finds out.
    pub was_busy: bool,
}

/// Claims what is due, at most `limit`. For places that came free, when it is told who is `hungry` for them: a
/// portion, if others are to follow soon, and of these clients, if there are any. Who has something due costs more
/// to find than to claim it.
pub async fn due(app: &App, limit: i64, hungry: Option<Vec<Uuid>>) -> Result<Due> {
    let mut conn = app.pool().acquire().await?;
    let again = hungry.is_some();
    let hungry = hungry.unwrap_or_default();
    let (mut tx, taken, wanting, clients, rooms);
    if hungry.is_empty() {
        upkeep::follow_clock(app, &mut conn).await?;
        let due = store::client::list_due(&mut conn, app.database_now()).await?;
        if due.is_empty() {
            return Ok(Due::default());
        }
        clients = Clients::of(app, &mut conn, due).await?;
        wanting = clients.ids();
        taken = app.elapsed();
        tx = conn.begin().await?;
        rooms = room::of(app, &mut tx, &clients.limits, &READY).await?;
    } else {
        wanting = hungry;
        taken = app.elapsed();
        tx = conn.begin().await?;
        let locked = store::client::lock_ready(&mut tx, &wanting, app.database_now()).await?;
        clients = Clients::of(app, &mut tx, locked).await?;
        rooms = room::of_locked(app, &mut tx, &clients.limits, &clients.ids(), &READY).await?;
    }
    let Clients { callers, limits } = clients;
    let lease = new_lease(app);
    let was_busy = rooms.len() < wanting.len();
    let rooms: Vec<Room> = rooms.into_iter().filter(|room| room.room > 0).collect();
    let in_portions = again && app.flights().are_long();
    let limit = if in_portions { limit.min(room::portion(&limits, &rooms)) } else { limit };
    if rooms.is_empty() {
        tx.rollback().await?;
        return Ok(Due { hungry: wanting, was_busy, ..Due::default() });
    }
    let in_hand: Vec<Uuid> = app.flights().held().into_iter().map(|(id, _)| id).collect();
    let leased = lease::claim_due(&mut tx, lease, &rooms, &in_hand, limit).await?;
    if leased.is_empty() || !may_keep(app, &mut tx, &leased, taken).await? {
        // At once, not when somebody next needs the connection: others wait for the client.
        tx.rollback().await?;
        return Ok(Due { hungry: wanting, was_busy, ..Due::default() });
    }
    let places: i64 = rooms.iter().map(|room| i64::from(room.room)).sum();
    let count = i64::try_from(leased.len()).unwrap_or(i64::MAX);
    // Also where somebody else had one of them: the rest is not to wait for that.
    let is_cut = in_portions && places > limit;
    let is_limited = rooms.len() < wanting.len() || is_cut || count >= places.min(limit);
    failpoint::hit(failpoint::CLAIMED);
    room::spend(app, &mut tx, &limits, &leased).await?;
    let claimed =
        intend(app, &mut tx, leased, &callers, Trigger::Schedule, "worker", taken).await?;
    tx.commit().await?;
    failpoint::hit(failpoint::INTENDED);
    let hungry = if is_limited { wanting } else { Vec::new() };
    Ok(Due { claimed, hungry, is_cut, was_busy })
}

/// What came of asking for one connection.
pub enum One {
    Claimed(Box<Claimed>),
    /// Someone else holds it or has refreshed it, or it is gone.
    Taken,
    /// Its client has too much under way or was asked to wait, or someone claims for it just now.
    NoRoom,
}

/// Claims one connection that holds the token set of `generation`, due or not.
pub async fn one(app: &App, id: Uuid, client_id: Uuid, generation: i64, ask: &Ask) -> Result<One> {
    let mut tx = app.begin().await?;
    let caller = Caller::load(app, &mut tx, client_id, Vec::new()).await;
    let limits = [intent::limit(client_id, room::profile_of(&caller))];
    let caller = caller.map(Arc::new).map_err(|error| error.to_string());
    let taken = app.elapsed();
    let lease = lease_of_one(app, id);
    let rooms = room::of(app, &mut tx, &limits, &READY).await?;
    if rooms.iter().all(|room| room.room <= 0) {
        return Ok(One::NoRoom);
    }
    let Some(leased) = lease::claim_one(&mut tx, lease, id, generation).await? else {
        tx.rollback().await?;
        return Ok(One::Taken);
    };
    if !may_keep(app, &mut tx, std::slice::from_ref(&leased), taken).await? {
        tx.rollback().await?;
        return Ok(One::Taken);
    }
    failpoint::hit(failpoint::CLAIMED);
    room::spend(app, &mut tx, &limits, std::slice::from_ref(&leased)).await?;
    let callers = HashMap::from([(client_id, caller)]);
    let (trigger, actor) = (ask.trigger, ask.actor.as_str());
    let claimed = intend(app, &mut tx, vec![leased], &callers, trigger, actor, taken).await?;
    ask.note(app, &mut tx).await?;
    tx.commit().await?;
    failpoint::hit(failpoint::INTENDED);
    match claimed.into_iter().next() {
        Some(claimed) => Ok(One::Claimed(Box::new(claimed))),
        None => Err(Error::Internal(anyhow::anyhow!("a claim came to nothing"))),
    }
}

/// Whether what was leased, in a claim that began at `taken`, can be kept. What others left can't when the
/// claim had to wait, as they may have had to, with an answer; nor when the database's clock, by which their
/// leases ended, has jumped. Otherwise the transaction is to be rolled back.
pub(super) async fn may_keep(
    app: &App,
    conn: &mut PgConnection,
    leased: &[Leased],
    taken: Duration,
) -> Result<bool> {
    if !leased.iter().any(Leased::is_orphan) {
        return Ok(true);
    }
    may_take_over(app, conn, taken).await
}

/// Whether a lease that is over by the database's clock may be taken over in a transaction that began at
/// `taken`.
pub(in crate::server::app) async fn may_take_over(
    app: &App,
    conn: &mut PgConnection,
    taken: Duration,
) -> Result<bool> {
    if app.elapsed() - taken > PROMPT {
        app.database_kept_us_waiting();
        return Ok(false);
    }
    upkeep::follow_clock(app, conn).await?;
    Ok(app.database_was_heard())
}

/// Writes the intents. Where an earlier holder died, its attempt is in doubt, and so is the connection.
pub(super) async fn intend(
    app: &App,
    conn: &mut PgConnection,
    mut leased: Vec<Leased>,
    callers: &HashMap<Uuid, std::result::Result<Arc<Caller>, String>>,
    trigger: Trigger,
    actor: &str,
    taken: Duration,
) -> Result<Vec<Claimed>> {
    doubt(app, conn, &mut leased).await?;
    let intents: Vec<Intent> = leased
        .iter()
        .map(|leased| Intent {
            id: app.new_id(),
            connection_id: leased.id,
            client_id: leased.client_id,
            lease_id: leased.lease_id,
            generation_before: leased.generation,
            trigger,
            actor,
        })
        .collect();
    let kept = store::attempt::insert(conn, &intents, app.now(), app.replica()).await?;
    let mut kept: HashMap<Uuid, Kept> =
        kept.into_iter().map(|kept| (kept.connection_id, kept)).collect();
    let attempts: Vec<Uuid> = intents.iter().map(|intent| intent.id).collect();
    let mut claimed = Vec::with_capacity(leased.len());
    for (leased, attempt_id) in leased.into_iter().zip(attempts) {
        let mut caller = callers
            .get(&leased.client_id)
            .cloned()
            .unwrap_or_else(|| Err("its client is not known".into()));
        let kept = kept.remove(&leased.id);
        let (sealed, sealed_extras) =
            kept.map_or((None, None), |kept| (kept.sealed_refresh_token, kept.sealed_extras));
        let held = match sealed {
            Some(sealed) => {
                let place = grant::refresh_place(leased.id, leased.generation);
                match keys::open_text(app, conn, place, &sealed).await {
                    Ok(token) => Some(token),
                    Err(error) => {
                        caller = Err(error.to_string());
                        None
                    }
                }
            }
            None => None,
        };
        let extras = match sealed_extras {
            Some(sealed) => {
                extras(app, conn, leased.id, leased.generation, &sealed).await.unwrap_or_else(|error| {
                    tracing::warn!(connection = %leased.id, error = format!("{error:#}"), "extras are lost");
                    Extras::new()
                })
            }
            None => Extras::new(),
        };
        let known = caller.as_ref().ok();
        claimed.push(Task {
            attempt_id,
            trigger,
            profile: known
                .map_or_else(|| Arc::new(Profile::new("", "")), |caller| caller.profile.clone()),
            held,
            extras,
            ends: taken + LEASE,
            secret_generation: known.map_or(0, |caller| caller.secret_generation),
            caller,
            leased,
        });
    }
    Ok(claimed)
}

/// [`doubt`] about one connection, as it is then.
pub(super) async fn doubt_one(
    app: &App,
    conn: &mut PgConnection,
    leased: Leased,
) -> Result<Leased> {
    let mut leased = [leased];
    doubt(app, conn, &mut leased).await?;
    let [leased] = leased;
    Ok(leased)
}

/// What an earlier holder had under way when its lease ran out is in doubt.
async fn doubt(app: &App, conn: &mut PgConnection, leased: &mut [Leased]) -> Result<()> {
    let Some(Orphans { lease_id, clients, connections, since }) = Orphans::among(leased) else {
        return Ok(());
    };
    let now = app.now();
    let abandoned =
        store::attempt::abandon(conn, &clients, &connections, lease_id, since, now).await?;
    if !abandoned.is_empty() {
        let count = i64::try_from(abandoned.len()).unwrap_or(i64::MAX);
        let ended = [(Verdict::InDoubt, count)];
        store::attempt_window::add(conn, &ended, app.replica(), now).await?;
    }
    let doubts = intent::doubt(leased, &abandoned);
    if !doubts.is_empty() {
        lease::doubt(conn, lease_id, &doubts, app.now()).await?;
    }
    Ok(())
}

/// What stood beside the tokens. No refresh fails for want of it.
async fn extras(
    app: &App,
    conn: &mut PgConnection,
    id: Uuid,
    generation: i64,
    sealed: &[u8],
) -> Result<Extras> {
    let text = keys::open_text(app, conn, grant::extras_place(id, generation), sealed).await?;
    Ok(serde_json::from_str(text.expose_secret())?)
}
