//! A grant between the provider's answer and its row (DESIGN section 3, point 4): it is given once, and
//! exists nowhere else. What PostgreSQL does not take at once is written down beside it, and offered
//! until it is taken: by this process, or by the next start.

mod kept;
pub(in crate::server::app) mod record;
pub(in crate::server::app) mod replay;

use std::pin::pin;

use serde::{Deserialize, Serialize};
use sqlx::{Connection as _, PgConnection, Postgres, pool::PoolConnection};
use tokio::{
    sync::oneshot,
    time::{Duration, Instant, error::Elapsed, sleep, timeout},
};
use uuid::Uuid;

use super::{
    App, Error, Result,
    consent::{self, Consent, Outcome},
    exchange::{self, Exchange},
    settle::{self, Brought, Settled},
};
use crate::server::{
    app::{
        client::{Caller, Made},
        refresh::{JOURNAL_AFTER, PARTING, save},
    },
    journal,
    provider::{Account, Grant, account},
    store,
};
use kept::Kept;

/// For how long whoever consented waits to be told what came of it. It goes on after that.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long to wait before a provider that did not say whose a grant is is asked again.
const IDENTIFY_AGAIN: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(2)];
/// How soon a grant is offered again: at first, and at most.
const RETRY: Duration = Duration::from_millis(250);
const RETRY_CAP: Duration = Duration::from_secs(1);
/// How soon one is offered again that the database, which is there, did not take for [`HOLD_ON_FOR`].
const RETRY_HOPELESS: Duration = Duration::from_secs(5 * 60);
/// How often the row of a consent says that it is still on its way.
const HOLD_ON: time::Duration = time::Duration::seconds(30);
/// For how long it says so while the database is there and does not take the grant: whoever wants to end
/// the connection is not kept from it for ever.
const HOLD_ON_FOR: time::Duration = time::Duration::hours(1);
/// Who stores a grant asks whose it is within that time; after it, whoever's turn it is.
pub(super) const NAMED_WITHIN: time::Duration = time::Duration::minutes(2);
/// Who offers it again finds what the journal wrote too late for whoever waited.
const _: () = assert!(journal::KEPT.as_secs() > 2 * RETRY_HOPELESS.as_secs());
/// How long a process that is to end goes on offering a grant that it could write down nowhere.
const LAST_TRIES: Duration = Duration::from_secs(60);

/// What came, and all that is needed to store it.
pub(in crate::server::app) struct Arrival {
    /// Names it in the journal.
    id: Uuid,
    given: Grant,
    made: Made,
    /// Whether there is an account that it must be of.
    is_known: bool,
    purpose: Purpose,
}

/// What it was asked for.
#[derive(Clone, Serialize, Deserialize)]
pub(super) enum Purpose {
    Consent(Consent),
    Exchange(Exchange),
}

impl Arrival {
    pub(super) fn new(app: &App, given: Grant, caller: &Caller, purpose: Purpose) -> Self {
        Self { id: app.new_id(), given, made: caller.made(), is_known: false, purpose }
    }

    /// The same for a connection that may have an account (`is_known`): then the grant must be of that.
    pub(super) fn of_known(self, is_known: bool) -> Self {
        Self { is_known, ..self }
    }

    /// The connection that is to have it, if that is there already.
    pub(in crate::server::app) fn connection_id(&self) -> Option<Uuid> {
        match &self.purpose {
            Purpose::Consent(consent) => Some(consent.connection_id),
            Purpose::Exchange(_) => None,
        }
    }

    fn is_nameless(&self, caller: &Caller) -> bool {
        is_nameless(&self.given, caller)
    }
}

/// Whether the provider may still say whose a grant is.
pub(super) fn is_nameless(given: &Grant, caller: &Caller) -> bool {
    given.account.is_none() && account::is_told_by_userinfo(&caller.profile)
}

/// Stores what a provider gave and says whose it is; what came of it. `None`: it is not stored yet, and
/// will be. Where the provider's answer does not say whose it is, that is asked: before it is stored if
/// there is an account to compare with, else after.
pub(super) async fn receive(
    app: &App,
    arrival: Arrival,
    caller: Caller,
) -> Result<Option<Settled>> {
    receive_within(app, arrival, caller, PATIENCE).await
}

async fn receive_within(
    app: &App,
    arrival: Arrival,
    caller: Caller,
    patience: Duration,
) -> Result<Option<Settled>> {
    let (running, (settled, is_settled)) = (app.clone(), oneshot::channel());
    let concluding = app
        .tasks()
        .spawn(async move { conclude(&running, arrival, &caller, Kept::nowhere(), settled).await });
    // Answered or dropped, it is over.
    if timeout(patience, is_settled).await.is_err() {
        return Ok(None);
    }
    concluding.await.map_err(|error| Error::Internal(error.into()))?
}

/// Brings a grant into the store, however long that takes. `None`: it is left to the next start.
async fn conclude(
    app: &App,
    mut arrival: Arrival,
    caller: &Caller,
    mut kept: Kept,
    tell: oneshot::Sender<()>,
) -> Result<Option<Settled>> {
    let settled = loop {
        if arrival.is_known && arrival.is_nameless(caller) {
            kept.write_down(app, &arrival).await;
            arrival.given.account = identify_patiently(app, caller, &arrival.given).await;
        }
        match store(app, &arrival, caller, &mut kept).await {
            // The connection got its account while this was on its way.
            Ok(Some(Settled { lacks_account: true, .. }))
                if !arrival.is_known && arrival.is_nameless(caller) =>
            {
                arrival.is_known = true;
            }
            settled => break settled,
        }
    };
    if !matches!(settled, Ok(None)) {
        kept.settle();
    }
    drop(tell);
    if let Ok(Some(Settled { outcome: Outcome::Done, home: Some(id), .. })) = &settled
        && !arrival.is_known
    {
        name(app, *id, caller, &arrival.given).await;
    }
    settled
}

/// Offers it until there is an answer. `None`: the process is to end before.
async fn store(
    app: &App,
    arrival: &Arrival,
    caller: &Caller,
    kept: &mut Kept,
) -> Result<Option<Settled>> {
    let (mut is_again, mut wait) = (kept.is_before, RETRY);
    let (mut held_on_at, mut stopping_since) = (app.now(), None);
    let mut refused_since = None;
    loop {
        match offer_and_keep(app, arrival, caller, is_again, kept).await {
            Ok(None) => refused_since = refused_since.or_else(|| Some(app.now())),
            Err(error) if !is_final(&error) => {
                let is_there = !matches!(&error, Error::Internal(error) if save::is_absence(error));
                let since = refused_since.unwrap_or_else(|| app.now());
                refused_since = is_there.then_some(since);
                tracing::warn!(
                    arrival = %arrival.id,
                    error = format!("{error:#}"),
                    "a grant is not stored yet; trying again"
                );
            }
            settled => return settled,
        }
        is_again = true;
        kept.write_down(app, arrival).await;
        if app.stopping().is_cancelled() {
            let since = *stopping_since.get_or_insert_with(Instant::now);
            let longest = if kept.is_nowhere() {
                LAST_TRIES
            } else if kept.is_before {
                Duration::ZERO
            } else {
                PARTING.unsigned_abs()
            };
            if since.elapsed() >= longest {
                return Ok(None);
            }
        }
        let is_hopeless = refused_since.is_some_and(|since| app.now() - since >= HOLD_ON_FOR);
        if !is_hopeless && app.now() - held_on_at >= HOLD_ON {
            held_on_at = app.now();
            hold_on(app, arrival).await;
        }
        tokio::select! {
            () = sleep(wait) => {}
            () = app.stopping().cancelled(), if !app.stopping().is_cancelled() => {}
        }
        let is_urgent = !is_hopeless || app.stopping().is_cancelled();
        wait = (wait * 2).min(if is_urgent { RETRY_CAP } else { RETRY_HOPELESS });
    }
}

/// Offers it once. If that takes long it is written down meanwhile; both go on.
async fn offer_and_keep(
    app: &App,
    arrival: &Arrival,
    caller: &Caller,
    is_again: bool,
    kept: &mut Kept,
) -> Result<Option<Settled>> {
    let mut offering = pin!(offer(app, arrival, caller, is_again));
    tokio::select! {
        biased;
        settled = &mut offering => return settled,
        () = sleep(JOURNAL_AFTER), if kept.lacks(arrival) => {}
    }
    let mut writing = pin!(kept.write_down(app, arrival));
    tokio::select! {
        biased;
        () = &mut writing => offering.await,
        settled = &mut offering => {
            writing.await;
            settled
        }
    }
}

async fn offer(
    app: &App,
    arrival: &Arrival,
    caller: &Caller,
    is_again: bool,
) -> Result<Option<Settled>> {
    let mut conn = app.pool().acquire().await?;
    let settled = timeout(save::LIMIT, settle(app, &mut conn, arrival, caller, is_again)).await;
    in_time(&mut conn, settled)
}

/// What the database said; if it said nothing, its connection is given up.
fn in_time<T>(
    conn: &mut PoolConnection<Postgres>,
    said: std::result::Result<Result<T>, Elapsed>,
) -> Result<T> {
    said.unwrap_or_else(|_| {
        conn.close_on_drop();
        Err(sqlx::Error::PoolTimedOut.into())
    })
}

/// Whether it can never be stored. Of what else is missing nobody knows whether it comes back: a folder of
/// providers, say.
fn is_final(error: &Error) -> bool {
    match error {
        Error::NotFound(noun) => matches!(*noun, "client" | "connection"),
        Error::Conflict(_) | Error::Invalid(_) => true,
        _ => false,
    }
}

/// Stores it, or says that it came to nothing.
async fn settle(
    app: &App,
    conn: &mut PgConnection,
    arrival: &Arrival,
    caller: &Caller,
    is_again: bool,
) -> Result<Option<Settled>> {
    match &arrival.purpose {
        Purpose::Consent(consent) => {
            let given = &arrival.given;
            let settled = settle::settle(app, conn, consent, caller, given, is_again).await?;
            let asks_first = |one: &Settled| {
                one.lacks_account && !arrival.is_known && arrival.is_nameless(caller)
            };
            if let Some(refused) = settled.as_ref().filter(|one| one.outcome != Outcome::Done)
                && !asks_first(refused)
            {
                settle::fail(app, conn, consent, refused, Brought::Grant).await?;
            }
            Ok(settled)
        }
        Purpose::Exchange(exchange) => {
            let given = &arrival.given;
            let settled = exchange::settle(app, conn, exchange, caller, given, is_again).await;
            if let Err(error) = &settled
                && is_final(error)
            {
                exchange::fail(app, conn, exchange, caller, error).await?;
            }
            settled
        }
    }
}

async fn hold_on(app: &App, arrival: &Arrival) {
    let Purpose::Consent(consent) = &arrival.purpose else { return };
    let held = async {
        let mut conn = app.pool().acquire().await?;
        let held = timeout(save::LIMIT, consent::hold_on(app, &mut conn, consent)).await;
        in_time(&mut conn, held)
    };
    if let Err(error) = held.await {
        tracing::warn!(arrival = %arrival.id, error = format!("{error:#}"), "can't hold on");
    }
}

/// Asks whose grant it is, again if need be: a grant that can't be compared is not stored, and its code is spent.
async fn identify_patiently(app: &App, caller: &Caller, given: &Grant) -> Option<Account> {
    for wait in IDENTIFY_AGAIN {
        let account = account::identify(app.http(), &caller.registration(), given).await;
        if account.is_some() {
            return account;
        }
        sleep(wait).await;
    }
    account::identify(app.http(), &caller.registration(), given).await
}

/// Finds out whose grant it is, after it was stored. With the grant it was stored that this is to be asked:
/// a process that dies here, or a provider that does not tell now, costs nothing.
pub(super) async fn name(app: &App, id: Uuid, caller: &Caller, given: &Grant) {
    if !is_nameless(given, caller) {
        return;
    }
    let account = account::identify(app.http(), &caller.registration(), given).await;
    let noted = async {
        let mut conn = app.pool().acquire().await?;
        let noted = timeout(save::LIMIT, note(app, &mut conn, id, caller, given, account)).await;
        in_time(&mut conn, noted)
    };
    if let Err(error) = noted.await {
        tracing::warn!(connection = %id, error = format!("{error:#}"), "an account has no name yet");
    }
}

async fn note(
    app: &App,
    conn: &mut PgConnection,
    id: Uuid,
    caller: &Caller,
    given: &Grant,
    account: Option<Account>,
) -> Result<()> {
    let mut tx = conn.begin().await?;
    if let Some(Account { id: account, label }) = &account {
        let (at, label) = (given.obtained_at, label.as_deref());
        if store::connection::name_account(&mut tx, id, at, account, label).await? {
            store::account_question::delete(&mut tx, id).await?;
        }
    } else {
        // It is asked again little by little, as of those that came in bulk.
        let client = caller.client.id;
        store::account_question::insert(&mut tx, client, &[id], app.now()).await?;
    }
    Ok(tx.commit().await?)
}

#[cfg(test)]
mod tests;
