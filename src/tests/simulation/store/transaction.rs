//! Transactions, and the way to the database: it is slow, breaks, hangs and comes back; a commit may be
//! made unheard, or long after whoever sent it went away.

use tokio::sync::oneshot;
use uuid::Uuid;

use super::{Changes, Result, Tables, View, rows::Rows};
use crate::tests::simulation::{
    executor::{MILLI, Micros, SECOND, WORLD},
    faults::Fault,
    people::CHAOS,
    world::{State, World},
};

pub type TxId = u64;

/// A row that a transaction can lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    Client(Uuid),
    Connection(Uuid),
    Attempt(Uuid),
}

/// Another transaction has the row, and must end first.
#[derive(Debug)]
pub struct Blocked(pub TxId);

/// The database did not do what it was asked, or did not say so.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the store is gone: {is_absence}")]
pub struct Gone {
    /// It was not there, rather than that it refused.
    pub is_absence: bool,
}

/// No connection is waited for longer.
const ACQUIRE: Micros = 5 * SECOND;
/// The database ends a transaction whose client says nothing for so long.
const IDLE: Micros = 5 * SECOND;
/// No answer takes less time.
const SHORTEST: Micros = 40;

pub const ABSENT: Gone = Gone { is_absence: true };
const DEADLOCK: Gone = Gone { is_absence: false };

/// A transaction that has not ended.
#[derive(Default)]
pub struct Open {
    pub changes: Changes,
    waits_for: Option<TxId>,
}

/// How a replica is cut off from the database.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cut {
    pub until: Micros,
    pub is_silent: bool,
}

#[derive(Default)]
pub struct Db {
    pub tables: Tables,
    pub locks: Rows<Key, TxId>,
    pub open: Rows<TxId, Open>,
    last: TxId,
    pub away_until: Micros,
    pub frozen_until: Micros,
    pub cuts: [Cut; 3],
}

impl Db {
    fn end(&mut self, tx: TxId) -> Option<Open> {
        let open = self.open.remove(&tx)?;
        self.locks.retain(|holder| *holder != tx);
        Some(open)
    }

    /// Ends all transactions, as a restart does.
    pub fn restart(&mut self) {
        self.open.clear();
        self.locks.clear();
    }

    /// Whether waiting for `holder` would close a circle.
    fn is_deadlock(&self, tx: TxId, holder: TxId) -> bool {
        let mut next = Some(holder);
        while let Some(waits) = next {
            if waits == tx {
                return true;
            }
            next = self.open.get(&waits).and_then(|open| open.waits_for);
        }
        false
    }
}

/// A transaction as its client holds it. Dropped before its commit it is rolled back.
pub struct Tx {
    world: World,
    id: TxId,
    replica: Option<usize>,
    sent: bool,
}

impl State {
    /// Runs a statement now.
    fn view<T>(&mut self, tx: TxId, statement: impl FnOnce(&mut View<'_>) -> T) -> Option<T> {
        let now = self.shared_time();
        let broken = self.broken;
        let Db { tables, locks, open, .. } = &mut self.db;
        let open = open.get_mut(&tx)?;
        open.waits_for = None;
        Some(statement(&mut View { tables, open, locks, tx, now, broken }))
    }

    fn commit(&mut self, tx: TxId) -> std::result::Result<(), Gone> {
        let open = self.db.end(tx).ok_or(ABSENT)?;
        self.committing(&open.changes);
        self.db.tables.apply(open.changes);
        Ok(())
    }
}

impl World {
    /// Begins a transaction; `replica`: whose, for nothing but the way there.
    pub async fn begin(&self, replica: Option<usize>) -> std::result::Result<Tx, Gone> {
        self.at("begin a transaction");
        let patience = ACQUIRE;
        self.timeout(patience, self.reach(replica)).await.unwrap_or(Err(ABSENT))?;
        let id = {
            let mut state = self.state();
            state.db.last += 1;
            let id = state.db.last;
            state.db.open.insert(id, Open::default());
            id
        };
        Ok(Tx { world: self.clone(), id, replica, sent: false })
    }

    /// A statement in a transaction of its own that changes nothing.
    pub async fn look<T>(
        &self,
        replica: Option<usize>,
        statement: impl FnOnce(&mut View<'_>) -> T,
    ) -> std::result::Result<T, Gone> {
        self.at("look at the store");
        self.reach(replica).await?;
        let mut state = self.state();
        let id = TxId::MAX;
        state.db.open.insert(id, Open::default());
        let seen = state.view(id, statement).ok_or(ABSENT);
        state.db.end(id);
        seen
    }

    /// Waits until the database takes a request, or says that it does not.
    async fn reach(&self, replica: Option<usize>) -> std::result::Result<(), Gone> {
        loop {
            let way = self.state().way(replica);
            match way {
                Way::Free => return Ok(()),
                Way::Slow { time } => {
                    self.sleep(time).await;
                    if matches!(self.state().way_now(replica), Way::Free) {
                        return Ok(());
                    }
                }
                Way::Silent { until } => self.until(until).await,
                Way::Refused => {
                    self.sleep(MILLI).await;
                    return Err(ABSENT);
                }
            }
        }
    }
}

/// The way to the database, at this moment.
enum Way {
    Free,
    Slow { time: Micros },
    Silent { until: Micros },
    Refused,
}

impl State {
    fn way(&mut self, replica: Option<usize>) -> Way {
        if self.strikes(Fault::StoreSlow) {
            return Way::Slow { time: self.dice.spread(SECOND / 10, 6 * SECOND) };
        }
        if self.dice.chance(0.2) {
            return Way::Slow { time: self.dice.between(50, 5_000) };
        }
        self.way_now(replica)
    }

    fn way_now(&self, replica: Option<usize>) -> Way {
        let now = self.schedule.now;
        let cut = replica.map_or(Cut::default(), |replica| self.db.cuts[replica]);
        if self.db.frozen_until > now {
            Way::Silent { until: self.until_peace(self.db.frozen_until) }
        } else if cut.until > now && cut.is_silent {
            Way::Silent { until: self.until_peace(cut.until) }
        } else if cut.until > now || self.db.away_until > now {
            Way::Refused
        } else {
            Way::Free
        }
    }

    fn until_thaw(&self) -> Micros {
        self.until_peace(self.db.frozen_until)
    }

    /// When something ends that peace ends too.
    fn until_peace(&self, until: Micros) -> Micros {
        if self.is_chaotic { until.min(CHAOS) } else { until }
    }

    /// Runs a statement if nothing is in its way.
    fn run_at_once<T>(
        &mut self,
        tx: &Tx,
        place: &'static str,
        statement: impl FnOnce(&mut View<'_>) -> Result<T>,
    ) -> Option<std::result::Result<Result<T>, Gone>> {
        self.schedule.at(place);
        if !matches!(self.way(tx.replica), Way::Free) {
            return None;
        }
        Some(self.run(tx, statement))
    }

    fn run<T>(
        &mut self,
        tx: &Tx,
        statement: impl FnOnce(&mut View<'_>) -> Result<T>,
    ) -> std::result::Result<Result<T>, Gone> {
        if self.strikes(Fault::StoreBroken) {
            return Err(ABSENT);
        }
        let done = self.view(tx.id, statement).ok_or(ABSENT)?;
        if let Err(Blocked(holder)) = &done {
            if self.db.is_deadlock(tx.id, *holder) {
                self.deadlocks += 1;
                self.db.end(tx.id);
                return Err(DEADLOCK);
            }
            self.db.open.get_mut(&tx.id).ok_or(ABSENT)?.waits_for = Some(*holder);
        }
        Ok(done)
    }
}

/// A transaction in which statements are run.
pub trait Statements {
    fn run<T: Send>(
        &mut self,
        place: &'static str,
        statement: impl FnMut(&mut View<'_>) -> Result<T> + Send,
    ) -> impl Future<Output = std::result::Result<T, Gone>> + Send;
}

impl Statements for Tx {
    /// Runs a statement, waiting for whoever has its rows.
    async fn run<T: Send>(
        &mut self,
        place: &'static str,
        mut statement: impl FnMut(&mut View<'_>) -> Result<T> + Send,
    ) -> std::result::Result<T, Gone> {
        self.world.strike_now(true);
        let done = self.world.state().run_at_once(self, place, &mut statement);
        let mut done = match done {
            Some(done) => done?,
            None => {
                self.world.reach(self.replica).await?;
                self.world.state().run(self, &mut statement)?
            }
        };
        let mut wait = 2 * MILLI;
        loop {
            match done {
                Ok(done) => return Ok(done),
                Err(Blocked(_)) => {
                    self.world.at("wait for a row");
                    self.world.sleep(wait).await;
                    wait = (wait * 2).min(SECOND / 5);
                    done = self.world.state().run(self, &mut statement)?;
                }
            }
        }
    }
}

impl Tx {
    /// Commits. An error says that it was not heard of, not that it was not made.
    pub async fn commit(mut self) -> std::result::Result<(), Gone> {
        self.world.at("commit");
        self.world.reach(self.replica).await?;
        let (lost, late, unheard) = {
            let mut state = self.world.state();
            if state.strikes(Fault::CommitLost) {
                (true, None, None)
            } else if state.strikes(Fault::CommitLate) {
                (false, Some(state.dice.spread(SECOND, 30 * SECOND)), None)
            } else if state.strikes(Fault::CommitUnheard) {
                let silence = state.dice.spread(MILLI, 20 * SECOND);
                (false, None, Some(if state.dice.chance(0.5) { 0 } else { silence }))
            } else {
                (false, None, None)
            }
        };
        if lost {
            return Err(ABSENT);
        }
        // From here on the server has it, whatever becomes of its client.
        self.sent = true;
        let made = match late {
            None => {
                let made = self.world.state().commit(self.id);
                self.world.at("hear of a commit");
                self.world.sleep(unheard.unwrap_or(SHORTEST)).await;
                made
            }
            Some(late) => {
                let (reply, heard) = oneshot::channel();
                let (world, id) = (self.world.clone(), self.id);
                self.world.spawn(WORLD, async move {
                    world.sleep(late.min(IDLE)).await;
                    let thawed = world.state().until_thaw();
                    world.until(thawed).await;
                    let made = match late > IDLE {
                        true => {
                            world.state().db.end(id);
                            Err(ABSENT)
                        }
                        false => world.state().commit(id),
                    };
                    let _ = reply.send(made);
                });
                self.world.at("hear of a late commit");
                heard.await.unwrap_or(Err(ABSENT))
            }
        };
        let way = self.world.state().way_now(self.replica);
        match way {
            Way::Silent { until } => self.world.until(until).await,
            Way::Refused => return Err(ABSENT),
            Way::Free | Way::Slow { .. } => {}
        }
        if unheard.is_some() { Err(ABSENT) } else { made }
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        if self.sent {
            return;
        }
        let mut state = self.world.state();
        let now = state.schedule.now;
        let cut = self.replica.map_or(0, |replica| state.db.cuts[replica].until);
        // The server may be long in seeing that its client is gone.
        let seen = cut.min(now + IDLE).max(state.until_thaw());
        if seen <= now {
            state.db.end(self.id);
            return;
        }
        drop(state);
        let (world, id) = (self.world.clone(), self.id);
        self.world.spawn(WORLD, async move {
            world.until(seen).await;
            world.state().db.end(id);
        });
    }
}
