//! Bringing many connections over from elsewhere.
//!
//! A file is read as it comes ([`read`]) and stored in batches ([`write`]), each whole or not at all,
//! while the next is read. What breaks off can be sent again: rows whose external id is there are
//! skipped. While it runs it shows that it lives, so that one whose replica died is known as such.

mod patient;
mod read;
mod rows;
mod shape;
mod write;

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, TryStreamExt, stream};
use tokio::{
    io::AsyncRead,
    sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit, mpsc},
    time::sleep,
};
use tokio_util::io::SyncIoBridge;
use uuid::Uuid;

pub use rows::Format;

use self::patient::Patient;
use super::{
    Actor, App, Error, Result,
    client::{self, Caller},
};
use crate::{
    domain::{
        access::Permission,
        import::{self, Import, RowPlace},
        problem::Obstacle,
        voice,
    },
    server::store::{self, import::NewImport},
};

/// So many batches are read ahead.
const AHEAD: usize = 1;
/// So many are written at once by one process: each keeps a core of the database busy.
const AT_ONCE: usize = 2;
/// So many files are taken at once by one process. Each holds a thread of those that names are looked
/// up on, passwords are checked and the journal is written.
pub const UPLOADS: usize = 8;
/// A file of which nothing comes for so long has broken off.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often an import shows that it lives, even if its file does not come on.
const BEAT: Duration = Duration::from_secs(20);
/// Without a sign of life for so long it is over.
const SILENCE: Duration = Duration::from_secs(2 * 60);

/// A file of connections, as it comes.
pub struct File<S> {
    pub format: Format,
    /// Rows are read and checked, and nothing is stored.
    pub dry_run: bool,
    /// What it is called, if that is known.
    pub name: Option<String>,
    /// How long it is, if that is known.
    pub bytes: Option<u64>,
    pub stream: S,
}

/// What an import came to.
pub struct Ended {
    pub import: Import,
    /// Nothing of the file could be read: why, as a sentence.
    pub refused: Option<String>,
}

/// Imports a file for a client. It runs to its end even if the caller goes away; the stream ends then,
/// and so does it.
pub async fn run(
    app: &App,
    actor: &Actor,
    client_id: Uuid,
    file: File<impl AsyncRead + Send + Unpin + 'static>,
) -> Result<Ended> {
    actor.require(Permission::ConnectionsWrite)?;
    let place = app.import_turns().admit()?;
    let mut conn = app.pool().acquire().await?;
    let scopes = client::load(&mut conn, client_id).await?.scopes;
    let caller = Caller::load(app, &mut conn, client_id, scopes).await?;
    let new = NewImport {
        id: app.new_id(),
        client_id,
        dry_run: file.dry_run,
        file_name: file.name.as_deref().and_then(import::file_name),
        total_bytes: file.bytes.and_then(|bytes| i64::try_from(bytes).ok()),
        begun_at: app.now(),
    };
    store::import::insert(&mut conn, &new, app.database_now()).await?;
    drop(conn);
    let job =
        Job { app: app.clone(), actor: actor.clone(), caller, id: new.id, dry_run: file.dry_run };
    app.finish(async move {
        let job = Arc::new(job);
        let ended = tokio::select! {
            ended = Job::take_all(&job, file.format, file.stream, place) => ended,
            halt = job.beat() => Err(halt),
            () = job.app.stopping().cancelled() => Err(Halt::Stopped),
        };
        job.end(ended).await
    })
    .await
}

pub async fn get(app: &App, actor: &Actor, id: Uuid) -> Result<Import> {
    actor.require(Permission::ConnectionsRead)?;
    let mut conn = app.pool().acquire().await?;
    store::import::find(&mut conn, id).await?.ok_or(Error::NotFound("import"))
}

/// The newest first, without their problems.
pub async fn list(app: &App, actor: &Actor, client_id: Uuid) -> Result<Vec<Import>> {
    actor.require(Permission::ConnectionsRead)?;
    let mut conn = app.pool().acquire().await?;
    client::load(&mut conn, client_id).await?;
    Ok(store::import::list(&mut conn, client_id).await?)
}

/// Calls the imports broken whose replica died. What they stored stays.
pub async fn end_silent(app: &App) -> Result<usize> {
    let mut conn = app.pool().acquire().await?;
    let why = "the Regrant process that read it ended";
    let seconds = SILENCE.as_secs_f64();
    let ended = store::import::end_silent(&mut conn, seconds, why, app.database_now()).await?;
    for import in &ended {
        tracing::warn!(%import, "an import whose process ended is called broken");
    }
    Ok(ended.len())
}

/// However many imports run, most of the pool and of the threads is left to those who wait for an
/// answer.
pub(crate) struct Turns {
    places: Arc<Semaphore>,
    writes: Semaphore,
}

impl Default for Turns {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(UPLOADS)), writes: Semaphore::new(AT_ONCE) }
    }
}

impl Turns {
    /// A place for one more file. Nobody waits for one: how long is for other senders to say.
    fn admit(&self) -> Result<OwnedSemaphorePermit> {
        self.places.clone().try_acquire_owned().map_err(|_| {
            let why =
                format!("{UPLOADS} imports are under way. Try again when one of them is over.");
            Error::Busy(why)
        })
    }

    /// Waits until a batch may be written, and keeps others from it. `None` is never given: nobody
    /// closes it.
    async fn take(&self) -> Option<SemaphorePermit<'_>> {
        self.writes.acquire().await.ok()
    }
}

struct Job {
    app: App,
    actor: Actor,
    caller: Caller,
    id: Uuid,
    dry_run: bool,
}

/// Why an import goes no further, though its file does.
enum Halt {
    Stopped,
    /// It was called broken, or was deleted with its client, while it ran.
    Taken,
    /// The client is not what it was when the import began.
    Changed,
    Failed(Error),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        match error {
            Error::Conflict(conflict) if conflict.obstacle == Obstacle::Changed => Self::Changed,
            error => Self::Failed(error),
        }
    }
}

impl Job {
    /// The name by which a row has its refresh token.
    fn refresh_field(&self, at: RowPlace) -> &str {
        let first = self.caller.profile.response.refresh_token.first();
        first.map_or("token_response", |first| at.field(first))
    }

    /// Reads and stores everything. `place` is free again when the file is read, or given up.
    async fn take_all(
        job: &Arc<Self>,
        format: Format,
        stream: impl AsyncRead + Send + Unpin + 'static,
        place: OwnedSemaphorePermit,
    ) -> std::result::Result<read::End, Halt> {
        let (sender, mut batches) = mpsc::channel(AHEAD);
        let stream = SyncIoBridge::new(Patient::new(stream, PATIENCE));
        let reader = tokio::task::spawn_blocking({
            let job = job.clone();
            move || {
                let ended = read::all(&job, format, stream, &sender);
                drop(place);
                ended
            }
        });
        stream::poll_fn(|context| batches.poll_recv(context))
            .map(Ok)
            .try_for_each_concurrent(AT_ONCE, |batch| async {
                let stored = write::batch(job, batch).await?;
                if stored { Ok(()) } else { Err(Halt::Taken) }
            })
            .await?;
        Ok(reader.await.map_err(|error| Error::Internal(error.into()))?)
    }

    /// Shows again and again that the import lives; ends when it is another's.
    async fn beat(&self) -> Halt {
        loop {
            sleep(BEAT).await;
            let lives = async {
                let mut conn = self.app.pool().acquire().await?;
                let now = self.app.database_now();
                Result::Ok(store::import::beat(&mut conn, self.id, now).await?)
            };
            match lives.await {
                Ok(true) => {}
                Ok(false) => return Halt::Taken,
                Err(error) => {
                    let error = format!("{error:#}");
                    tracing::warn!(import = %self.id, error, "an import could not show that it lives");
                }
            }
        }
    }

    async fn end(&self, ended: std::result::Result<read::End, Halt>) -> Result<Ended> {
        let mut refused = None;
        let broken = match ended {
            Ok(read::End::Whole) => None,
            Ok(read::End::Broken(why)) => Some(why),
            Ok(read::End::Nothing(why)) => {
                refused = Some(voice::nothing_read(&why));
                Some(why)
            }
            Err(Halt::Stopped) => Some("Regrant was stopped".into()),
            Err(Halt::Changed) => Some("the client's settings changed meanwhile".into()),
            Err(Halt::Taken) => {
                let import = get(&self.app, &Actor::System, self.id).await?;
                return Ok(Ended { import, refused });
            }
            Err(Halt::Failed(error)) => {
                tracing::error!(import = %self.id, error = format!("{error:#}"), "an import broke off");
                Some("something went wrong in Regrant; it was logged".into())
            }
        };
        let mut conn = self.app.pool().acquire().await?;
        store::import::end(&mut conn, self.id, broken.as_deref(), self.app.now()).await?;
        drop(conn);
        self.app.wake_worker();
        Ok(Ended { import: get(&self.app, &Actor::System, self.id).await?, refused })
    }
}
