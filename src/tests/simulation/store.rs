//! The database, in memory: rows, and the statements of `server::store` that a refresh makes, with the
//! meaning that PostgreSQL gives them at READ COMMITTED.

pub mod claim;
pub mod outcome;
pub mod rows;
pub mod suspect;
pub mod transaction;

use serde_json::Value;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use self::rows::Rows;
use self::suspect::{Incident, Refreshed, Suspect};
use self::transaction::{Blocked, Key, Open, TxId};
use super::world::Broken;
use crate::{
    domain::{
        attempt::{Trigger, Verdict},
        client,
        connection::{Reason, StateName},
        refusal::ErrorClass,
    },
    server::store::token_set::TokenSet,
};

#[derive(Clone, Debug, PartialEq)]
pub struct Connection {
    pub id: Uuid,
    pub client_id: Uuid,
    pub state: StateName,
    pub reason: Option<Reason>,
    pub failures: i32,
    pub doubtful_attempt_id: Option<Uuid>,
    pub last_error: Option<Value>,
    pub generation: i64,
    pub has_refresh_token: bool,
    pub consented_at: Option<OffsetDateTime>,
    pub obtained_at: Option<OffsetDateTime>,
    pub access_expires_at: Option<OffsetDateTime>,
    pub refresh_expires_at: Option<OffsetDateTime>,
    pub needs_human_by: Option<OffsetDateTime>,
    pub due_at: Option<OffsetDateTime>,
    pub lease_id: Option<Uuid>,
    pub leased_until: Option<OffsetDateTime>,
}

impl Connection {
    pub fn new(id: Uuid, client_id: Uuid) -> Self {
        Self {
            id,
            client_id,
            state: StateName::Pending,
            reason: None,
            failures: 0,
            doubtful_attempt_id: None,
            last_error: None,
            generation: 0,
            has_refresh_token: false,
            consented_at: None,
            obtained_at: None,
            access_expires_at: None,
            refresh_expires_at: None,
            needs_human_by: None,
            due_at: None,
            lease_id: None,
            leased_until: None,
        }
    }

    /// Whether it can still be refreshed.
    pub fn is_alive(&self) -> bool {
        matches!(self.state, StateName::Active | StateName::Retrying | StateName::InDoubt)
    }

    fn is_due(&self, now: OffsetDateTime) -> bool {
        self.due_at.is_some_and(|due| due <= now)
    }

    /// Whether nobody's lease keeps it from being claimed.
    fn is_free(&self, now: OffsetDateTime, orphans: bool) -> bool {
        self.leased_until.is_none_or(|until| orphans && lease_is_over(until, now))
    }

    pub fn is_held(&self, now: OffsetDateTime) -> bool {
        self.leased_until.is_some_and(|until| !lease_is_over(until, now))
    }
}

/// As the function of the same name in the database.
pub fn lease_is_over(until: OffsetDateTime, now: OffsetDateTime) -> bool {
    until <= now || until > now + Duration::minutes(1)
}

#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    pub id: Uuid,
    pub connection_id: Uuid,
    pub client_id: Uuid,
    pub lease_id: Uuid,
    pub trigger: Trigger,
    pub started_at: OffsetDateTime,
    pub generation_before: i64,
    pub verdict: Option<Verdict>,
    pub error_class: Option<ErrorClass>,
    pub status: Option<u16>,
    pub generation_after: Option<i64>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Client {
    pub id: Uuid,
    pub state: client::StateName,
    pub secret_generation: i64,
    pub paused_until: Option<OffsetDateTime>,
    pub next_request_at: Option<OffsetDateTime>,
    pub callers_until: Option<OffsetDateTime>,
    /// How many incidents were told of.
    pub incidents_told: u32,
}

impl Client {
    pub fn may_ask(&self, now: OffsetDateTime) -> bool {
        self.may_ask_in(&[client::StateName::Ready], now)
    }

    fn may_ask_in(&self, states: &[client::StateName], now: OffsetDateTime) -> bool {
        states.contains(&self.state) && self.paused_until.is_none_or(|until| until <= now)
    }
}

/// What is committed.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    pub clients: Rows<Uuid, Client>,
    pub connections: Rows<Uuid, Connection>,
    pub sets: Rows<Uuid, TokenSet>,
    pub attempts: Rows<Uuid, Attempt>,
    pub suspects: Rows<Uuid, Suspect>,
    pub incidents: Rows<Uuid, Incident>,
    pub refreshed: Vec<Refreshed>,
    /// Attempts without a verdict.
    open: Vec<Uuid>,
}

/// What a transaction has changed.
#[derive(Default)]
pub struct Changes {
    pub clients: Rows<Uuid, Client>,
    pub connections: Rows<Uuid, Connection>,
    pub sets: Rows<Uuid, TokenSet>,
    /// `None`: deleted.
    pub attempts: Rows<Uuid, Option<Attempt>>,
    pub suspects: Rows<Uuid, Option<Suspect>>,
    pub incidents: Rows<Uuid, Option<Incident>>,
    /// Clients whose refreshes are counted no more.
    pub cleared: Vec<Uuid>,
    /// Connections that an admin condemned.
    pub condemned_by_admin: Vec<Uuid>,
}

impl Tables {
    /// `limit::forget_debts`.
    pub fn forget_debts(&mut self, until: OffsetDateTime) {
        for client in self.clients.values_mut() {
            client.next_request_at = client.next_request_at.filter(|next| *next <= until);
        }
    }

    pub fn apply(&mut self, changes: Changes) {
        for (id, client) in changes.clients {
            self.clients.insert(id, client);
        }
        for (id, connection) in changes.connections {
            self.connections.insert(id, connection);
        }
        for (id, set) in changes.sets {
            self.sets.insert(id, set);
        }
        for (id, suspect) in changes.suspects {
            self.suspects.put(id, suspect);
        }
        for (id, incident) in changes.incidents {
            self.incidents.put(id, incident);
        }
        self.refreshed.retain(|one| !changes.cleared.contains(&one.client_id));
        for (id, attempt) in changes.attempts {
            self.open.retain(|open| *open != id);
            match attempt {
                Some(attempt) => {
                    if attempt.verdict.is_none() {
                        self.open.push(id);
                    }
                    self.attempts.insert(id, attempt);
                }
                None => {
                    self.attempts.remove(&id);
                }
            }
        }
    }
}

/// The database as one transaction's statement sees it.
pub struct View<'a> {
    pub tables: &'a Tables,
    pub open: &'a mut Open,
    pub locks: &'a mut Rows<Key, TxId>,
    pub tx: TxId,
    pub now: OffsetDateTime,
    pub broken: Broken,
}

pub type Result<T> = std::result::Result<T, Blocked>;

impl View<'_> {
    fn connection(&self, id: Uuid) -> Option<&Connection> {
        self.open.changes.connections.get(&id).or_else(|| self.tables.connections.get(&id))
    }

    pub fn client(&self, id: Uuid) -> Option<&Client> {
        self.open.changes.clients.get(&id).or_else(|| self.tables.clients.get(&id))
    }

    fn attempt(&self, id: Uuid) -> Option<&Attempt> {
        match self.open.changes.attempts.get(&id) {
            Some(changed) => changed.as_ref(),
            None => self.tables.attempts.get(&id),
        }
    }

    fn set(&self, id: Uuid) -> Option<&TokenSet> {
        self.open.changes.sets.get(&id).or_else(|| self.tables.sets.get(&id))
    }

    fn is_locked(&self, key: Key) -> bool {
        self.locks.get(&key).is_some_and(|holder| *holder != self.tx)
    }

    /// Locks rows, all or none: whoever has one of them is waited for.
    fn lock(&mut self, keys: impl IntoIterator<Item = Key> + Clone) -> Result<()> {
        for key in keys.clone() {
            if let Some(holder) = self.locks.get(&key)
                && *holder != self.tx
            {
                return Err(Blocked(*holder));
            }
        }
        for key in keys {
            self.locks.insert(key, self.tx);
        }
        Ok(())
    }

    /// Keeps a row as it is stored: times to the microsecond.
    fn put(&mut self, mut connection: Connection) {
        for time in [
            &mut connection.consented_at,
            &mut connection.obtained_at,
            &mut connection.access_expires_at,
            &mut connection.refresh_expires_at,
            &mut connection.needs_human_by,
            &mut connection.due_at,
            &mut connection.leased_until,
        ] {
            *time = time.map(to_micros);
        }
        self.open.changes.connections.insert(connection.id, connection);
    }

    /// Changes a connection that is locked.
    fn change(&mut self, id: Uuid, change: impl FnOnce(&mut Connection)) {
        if let Some(connection) = self.connection(id) {
            let mut connection = connection.clone();
            change(&mut connection);
            self.put(connection);
        }
    }
}

fn to_micros(time: OffsetDateTime) -> OffsetDateTime {
    time.replace_nanosecond(time.nanosecond() / 1_000 * 1_000).unwrap_or(time)
}

fn least(one: Option<OffsetDateTime>, other: Option<OffsetDateTime>) -> Option<OffsetDateTime> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
