//! Use cases, one function each: authorize the actor, run the transaction, write the audit row.
//!
//! No HTTP and no HTML: three doors (browser, JSON API, worker) call the same functions.

pub mod actor;
pub mod api_key;
pub mod audit;
pub mod brand;
pub mod campaign;
pub mod client;
pub mod connection;
pub mod demo;
pub mod dry_run;
mod error;
pub(super) mod explain;
pub mod export;
mod glance;
mod grant;
pub mod import;
pub mod incident;
pub mod job;
pub mod keys;
pub mod live;
pub mod note;
pub mod overview;
pub mod provider;
pub mod refresh;
pub mod relink;
pub mod saved_filter;
pub mod session;
pub mod token_reader;
pub mod upkeep;
pub mod user;

use std::sync::{Arc, OnceLock};

use sqlx::{PgPool, Postgres, Transaction};
use time::{Duration, OffsetDateTime};
use tokio::sync::{Notify, Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use url::Url;
use uuid::Uuid;

pub use actor::Actor;
pub use error::{Error, Result};

use glance::{Age, Glances};

use super::{
    clock::{Clock, Rng},
    journal::Journal,
    provider::{Catalog, Http},
    secret::{master::MasterKey, seal::Keyring},
};

/// All that a use case needs. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Inner>);

/// What [`App`] is made of.
pub struct Parts {
    pub pool: PgPool,
    pub keyring: Keyring,
    /// Opens data keys that other replicas make.
    pub master: MasterKey,
    pub clock: Arc<dyn Clock>,
    pub rng: Arc<dyn Rng>,
    pub http: Http,
    pub catalog: Catalog,
    /// Where browsers reach us; the redirect URI is made of it and of nothing a request says.
    pub public_url: Url,
    /// Names this process in the history.
    pub replica: String,
}

struct Inner {
    parts: Parts,
    tasks: TaskTracker,
    stopping: CancellationToken,
    wake: Notify,
    places: Notify,
    saver: refresh::Saver,
    writing: Arc<Semaphore>,
    flights: refresh::Flights,
    journal: OnceLock<Journal>,
    contact: refresh::Contact,
    readers: connection::Readers,
    tally: token_reader::Tally,
    import_turns: import::Turns,
    glances: Arc<Glances<overview::Glance>>,
    campaigns: campaign::Counted,
    live: live::Live,
}

impl App {
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(Inner {
            parts,
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
            wake: Notify::new(),
            places: Notify::new(),
            saver: refresh::Saver::default(),
            writing: Arc::new(Semaphore::new(refresh::save::WRITING)),
            flights: refresh::Flights::default(),
            journal: OnceLock::new(),
            contact: refresh::Contact::default(),
            readers: connection::Readers::default(),
            tally: token_reader::Tally::default(),
            import_turns: import::Turns::default(),
            glances: Arc::new(Glances::new(Age::CALM)),
            campaigns: campaign::Counted::default(),
            live: live::Live::default(),
        }))
    }

    /// What time it is.
    pub fn now(&self) -> OffsetDateTime {
        self.0.parts.clock.now()
    }

    /// The one redirect URI of every client (RFC 6749 section 3.1.2).
    pub fn redirect_uri(&self) -> String {
        self.address("oauth/callback")
    }

    pub fn public_url(&self) -> &Url {
        &self.0.parts.public_url
    }

    /// A public address of ours. `path` has no leading slash.
    pub(crate) fn address(&self, path: &str) -> String {
        format!("{}/{path}", self.0.parts.public_url.as_str().trim_end_matches('/'))
    }

    /// Cancelled when the process is to stop: nothing new is begun.
    pub fn stopping(&self) -> &CancellationToken {
        &self.0.stopping
    }

    /// Refreshes in flight; a shutdown waits for them.
    pub(crate) fn tasks(&self) -> &TaskTracker {
        &self.0.tasks
    }

    /// How many refreshes this process has under way.
    pub fn in_flight(&self) -> usize {
        self.0.tasks.len()
    }

    /// Runs work that must come to its end once it has begun, even if whoever asked goes away:
    /// between a provider's answer and its record nobody may leave. A shutdown waits for it.
    pub(crate) async fn finish<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        self.tasks().spawn(work).await.map_err(|error| Error::Internal(error.into()))?
    }

    /// Time that passes whatever happens to the time of day.
    pub(crate) fn elapsed(&self) -> Duration {
        self.0.parts.clock.elapsed()
    }

    /// What stands in for the database's clock; `None`: that clock itself.
    pub(crate) fn database_now(&self) -> Option<OffsetDateTime> {
        self.0.parts.clock.database()
    }

    /// Follows the database's clock; how far ours was off.
    pub(crate) fn agree(&self, shared: OffsetDateTime) -> Duration {
        self.0.parts.clock.agree(shared)
    }

    /// Notes that the database answered. Whether it has done so for long enough that what others have
    /// left can be taken over.
    pub(crate) fn database_was_heard(&self) -> bool {
        // A clock that stands in for the database's says nothing of how long that was away.
        self.0.contact.heard(self.elapsed()) || self.database_now().is_some()
    }

    /// Notes that the database took long for what it does at once when nobody is in the way.
    pub(crate) fn database_kept_us_waiting(&self) {
        self.0.contact.kept_waiting(self.elapsed());
    }

    /// Notes that the database's clock jumped, forward by this much.
    pub(crate) fn database_clock_jumped(&self, by: Duration) {
        self.0.contact.shaken(self.elapsed(), by);
    }

    /// How much longer ago than it was, by the database's clock, what may still be under way seems to have
    /// begun.
    pub(crate) fn database_clock_jumps(&self) -> Duration {
        self.0.contact.jumped(self.elapsed())
    }

    /// Whether the database's clock has not jumped for as long as anything may be under way.
    pub(crate) fn database_clock_is_steady(&self) -> bool {
        self.0.contact.is_steady(self.elapsed())
    }

    pub(crate) fn saver(&self) -> &refresh::Saver {
        &self.0.saver
    }

    fn glances(&self) -> &Arc<Glances<overview::Glance>> {
        &self.0.glances
    }

    /// How far the customers of campaigns were when they were last counted.
    fn campaigns(&self) -> &campaign::Counted {
        &self.0.campaigns
    }

    pub(crate) fn live(&self) -> &live::Live {
        &self.0.live
    }

    /// Whose turn it is to write outcomes.
    pub(crate) fn writing(&self) -> Arc<Semaphore> {
        self.0.writing.clone()
    }

    pub(crate) fn readers(&self) -> &connection::Readers {
        &self.0.readers
    }

    /// What was read of tokens and is not yet written.
    pub(crate) fn tally(&self) -> &token_reader::Tally {
        &self.0.tally
    }

    pub(crate) fn flights(&self) -> &refresh::Flights {
        &self.0.flights
    }

    /// Where outcomes wait that PostgreSQL does not take; `None`: there is no place for it.
    pub fn journal(&self) -> Option<&Journal> {
        self.0.journal.get()
    }

    /// Gives outcomes a place to wait in. The first one stays.
    pub fn keep_journal(&self, journal: Journal) {
        let _ = self.0.journal.set(journal);
    }

    /// Lets refreshes in flight come to their end, and no new one begin.
    pub async fn drain(&self) {
        self.0.stopping.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    /// Tells the worker of this process that something may be due. A hint; it looks by itself too.
    pub(crate) fn wake_worker(&self) {
        self.0.wake.notify_one();
    }

    /// [`wake_worker`](Self::wake_worker), after some time.
    pub(crate) fn wake_worker_in(&self, wait: std::time::Duration) {
        let app = self.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = app.stopping().cancelled() => {}
                () = tokio::time::sleep(wait) => app.wake_worker(),
            }
        });
    }

    /// Waits for [`wake_worker`](Self::wake_worker).
    pub async fn woken(&self) {
        self.0.wake.notified().await;
    }

    /// Tells the worker of this process that there is room again for some of what is due.
    pub(crate) fn tell_of_places(&self) {
        self.0.places.notify_one();
    }

    /// Waits for [`tell_of_places`](Self::tell_of_places).
    pub async fn places(&self) {
        self.0.places.notified().await;
    }

    pub(crate) fn import_turns(&self) -> &import::Turns {
        &self.0.import_turns
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.0.parts.pool
    }

    pub(crate) fn keyring(&self) -> &Keyring {
        &self.0.parts.keyring
    }

    pub(crate) fn master(&self) -> &MasterKey {
        &self.0.parts.master
    }

    pub(crate) fn rng(&self) -> &dyn Rng {
        self.0.parts.rng.as_ref()
    }

    pub(crate) fn http(&self) -> &Http {
        &self.0.parts.http
    }

    pub(crate) fn catalog(&self) -> &Catalog {
        &self.0.parts.catalog
    }

    pub(crate) fn replica(&self) -> &str {
        &self.0.parts.replica
    }

    pub(crate) fn new_id(&self) -> Uuid {
        self.rng().uuid(self.now())
    }

    pub(crate) async fn begin(&self) -> Result<Transaction<'static, Postgres>> {
        Ok(self.pool().begin().await?)
    }

    /// Whether the database answers.
    pub async fn is_ready(&self) -> bool {
        sqlx::query_scalar!("SELECT 1").fetch_one(self.pool()).await.is_ok()
    }
}
