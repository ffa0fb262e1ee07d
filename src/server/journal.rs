//! A file for what PostgreSQL did not take in time (DESIGN section 3, point 4).
//!
//! A record is opaque here: whoever appends it has sealed it. It is on the disk, synced, when `append`
//! returns; whoever comes while a sync runs goes with the next one. Once all records are settled the
//! file is emptied. What a process leaves behind is read by the next start; a tail that was cut off in
//! the middle of a write is reported and left out.
//!
//! A disk may hang for longer than anybody waits for it. Of what waits for it there is one copy, whoever gave it
//! up and came back. What is written in the end and nobody waits for is kept for a while, for its owner to come
//! back to, and then settled: by then its owner has stored it.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use sha2::{Digest, Sha256};
use tokio::sync::oneshot;
use uuid::Uuid;

const HEADER: &[u8] = b"regrant journal 1\n";
/// length, checksum, id, generation
const FRAME: usize = 4 + 8 + 16 + 8;
/// No record is longer; a length beyond it is no length.
const LONGEST: usize = 16 << 20;
const EXTENSION: &str = "journal";
/// For how long what nobody waited for is kept: whoever still has it to store comes back for it, within seconds
/// or, if the database refuses it, within minutes.
pub const KEPT: Duration = Duration::from_secs(15 * 60);

/// What is written down: sealed, and bound to what it is of (an attempt, or a grant that is not stored yet)
/// and to the generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub id: Uuid,
    pub generation: i64,
    pub sealed: Vec<u8>,
}

impl Entry {
    fn key(&self) -> Key {
        (self.id, self.generation)
    }
}

type Key = (Uuid, i64);
type Reply = oneshot::Sender<io::Result<Delivery>>;

/// The journal of this process. Cheap to clone.
#[derive(Clone)]
pub struct Journal(Arc<Inner>);

struct Inner {
    dir: PathBuf,
    path: PathBuf,
    waiting: Mutex<Vec<(Entry, Reply)>>,
    /// What was written and nobody waited for.
    unclaimed: Mutex<Vec<Key>>,
    kept: Duration,
    file: tokio::sync::Mutex<File>,
    /// Records that are not settled.
    depth: AtomicUsize,
}

/// A record that is on the disk.
pub struct Record(Journal);

/// A record on its way to whoever waits for it, if somebody still does.
struct Delivery {
    record: Option<Record>,
    key: Key,
}

impl Journal {
    /// Begins a journal in `dir`, which is made when it is not there, and finds what processes that
    /// ended left there.
    pub fn open(dir: &Path, id: Uuid) -> io::Result<(Self, Vec<Leftover>)> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let leftovers = leftovers(dir)?;
        let path = dir.join(format!("{}.{EXTENSION}", id.simple()));
        // Under another name until it is locked: another process that starts would find it empty, take it for
        // a leftover, and remove it.
        let begun = dir.join(format!("{}.new", id.simple()));
        let mut file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(&begun)?;
        // Held until the process ends, however it does.
        file.try_lock().map_err(io::Error::from)?;
        file.write_all(HEADER)?;
        file.sync_all()?;
        fs::rename(&begun, &path)?;
        File::open(dir)?.sync_all()?;
        let journal = Self(Arc::new(Inner {
            dir: dir.to_owned(),
            path,
            waiting: Mutex::default(),
            unclaimed: Mutex::default(),
            kept: KEPT,
            file: tokio::sync::Mutex::new(file),
            depth: AtomicUsize::new(0),
        }));
        journal.report();
        Ok((journal, leftovers))
    }

    /// Writes an entry down. It survives a crash of the process and of the machine. Who gave up waiting and comes
    /// back with the same gets what was written meanwhile.
    pub async fn append(&self, entry: Entry) -> io::Result<Record> {
        if self.claim(entry.key()) {
            return Ok(Record(self.clone()));
        }
        let (reply, written) = oneshot::channel();
        if self.enqueue(entry, reply) {
            let journal = self.clone();
            // The writing goes on to its end even if whoever waits for it goes away.
            tokio::spawn(async move { journal.write().await });
        }
        let gone = || io::Error::other("the writer went away");
        let mut delivery = written.await.unwrap_or_else(|_| Err(gone()))?;
        delivery.record.take().ok_or_else(gone)
    }

    /// Has an entry wait for its turn, in the place of its copy that nobody waits for. Whether a writer is to be
    /// sent for it: that copy has one.
    fn enqueue(&self, entry: Entry, reply: Reply) -> bool {
        let mut waiting = lock(&self.0.waiting);
        let given_up = waiting
            .iter_mut()
            .find(|(known, reply)| known.key() == entry.key() && reply.is_closed());
        match given_up {
            Some(copy) => {
                *copy = (entry, reply);
                false
            }
            None => {
                waiting.push((entry, reply));
                true
            }
        }
    }

    async fn write(&self) {
        let file = self.0.file.lock().await;
        let (entries, replies): (Vec<_>, Vec<_>) =
            std::mem::take(&mut *lock(&self.0.waiting)).into_iter().unzip();
        if entries.is_empty() {
            return;
        }
        let keys: Vec<Key> = entries.iter().map(Entry::key).collect();
        let written = match file.try_clone() {
            Ok(copy) => tokio::task::spawn_blocking(move || write_all(copy, &entries))
                .await
                .unwrap_or_else(|_| Err(io::Error::other("the writer went away"))),
            Err(error) => Err(error),
        };
        if written.is_ok() {
            self.0.depth.fetch_add(replies.len(), Ordering::AcqRel);
            self.report();
        }
        for (key, reply) in keys.into_iter().zip(replies) {
            let said = match &written {
                Ok(()) => Ok(Delivery { record: Some(Record(self.clone())), key }),
                Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
            };
            // What nobody takes is dropped, and so it is noted.
            let _ = reply.send(said);
        }
    }

    /// Takes over what was written before and nobody waited for.
    fn claim(&self, key: Key) -> bool {
        let mut unclaimed = lock(&self.0.unclaimed);
        let found = unclaimed.iter().position(|known| *known == key);
        found.map(|at| unclaimed.swap_remove(at)).is_some()
    }

    /// How many records wait.
    pub fn depth(&self) -> usize {
        self.0.depth.load(Ordering::Acquire)
    }

    /// Why what is written here may not outlive the machine or its container, if so.
    pub fn weakness(&self) -> Option<&'static str> {
        weakness(&self.0.dir)
    }

    fn report(&self) {
        metrics::gauge!("regrant_journal_records")
            .set(f64::from(u32::try_from(self.depth()).unwrap_or(u32::MAX)));
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Delivery {
    fn drop(&mut self) {
        let Some(Record(journal)) = self.record.take() else { return };
        let key = self.key;
        lock(&journal.0.unclaimed).push(key);
        // Without a runtime the process is at its end, and leaves it to the next start.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            tokio::time::sleep(journal.0.kept).await;
            if journal.claim(key) {
                Record(journal).settle();
            }
        });
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if self.depth.load(Ordering::Acquire) == 0 {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Record {
    /// Says that the record is needed no more.
    pub fn settle(self) {
        let Journal(inner) = &self.0;
        if inner.depth.fetch_sub(1, Ordering::AcqRel) == 1
            && let Ok(file) = inner.file.try_lock()
            && inner.depth.load(Ordering::Acquire) == 0
        {
            // If this is lost, settled records are replayed, which changes nothing.
            let _ = file.set_len(HEADER.len() as u64);
        }
        self.0.report();
    }
}

fn write_all(mut file: File, entries: &[Entry]) -> io::Result<()> {
    let mut bytes = Vec::new();
    for entry in entries {
        let length = u32::try_from(entry.sealed.len()).map_err(io::Error::other)?;
        let frame = bytes.len();
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&[0; 8]);
        bytes.extend_from_slice(entry.id.as_bytes());
        bytes.extend_from_slice(&entry.generation.to_be_bytes());
        bytes.extend_from_slice(&entry.sealed);
        let sum = checksum(&bytes[frame + 12..]);
        bytes[frame + 4..frame + 12].copy_from_slice(&sum);
    }
    let before = file.metadata()?.len();
    let written = file.write_all(&bytes).and_then(|()| file.sync_data());
    if written.is_err() {
        // What comes after a record that is not whole would never be read.
        file.set_len(before)?;
    }
    written
}

fn checksum(bytes: &[u8]) -> [u8; 8] {
    let mut sum = [0; 8];
    sum.copy_from_slice(&Sha256::digest(bytes)[..8]);
    sum
}

/// What a process that ended left behind. Nobody else reads it meanwhile.
pub struct Leftover {
    path: PathBuf,
    pub entries: Vec<Entry>,
    /// Bytes at the end that are no whole record.
    pub torn: usize,
    _locked: File,
}

impl Leftover {
    /// Deletes the file: all of its entries are stored.
    pub fn done(self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(%error, path = %self.path.display(), "a journal can't be deleted");
        }
    }

    /// Keeps the file where no start looks at it, for a person.
    pub fn set_aside(self) {
        let aside = self.path.with_extension("torn");
        if let Err(error) = fs::rename(&self.path, &aside) {
            tracing::warn!(%error, path = %self.path.display(), "a journal can't be set aside");
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn leftovers(dir: &Path) -> io::Result<Vec<Leftover>> {
    let mut found = Vec::new();
    for file in fs::read_dir(dir)? {
        let path = file?.path();
        if path.extension().is_none_or(|extension| extension != EXTENSION) {
            continue;
        }
        let Ok(mut file) = OpenOptions::new().read(true).write(true).open(&path) else { continue };
        // A process that lives holds its own.
        if file.try_lock().is_err() {
            continue;
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let (entries, torn) = read(&bytes);
        if entries.is_empty() && torn == 0 {
            let _ = fs::remove_file(&path);
            continue;
        }
        found.push(Leftover { path, entries, torn, _locked: file });
    }
    Ok(found)
}

/// The records, as far as they are whole, and how many bytes are not.
fn read(bytes: &[u8]) -> (Vec<Entry>, usize) {
    let Some(mut rest) = bytes.strip_prefix(HEADER) else { return (Vec::new(), bytes.len()) };
    let mut entries = Vec::new();
    while let Some((entry, after)) = read_one(rest) {
        entries.push(entry);
        rest = after;
    }
    (entries, rest.len())
}

fn read_one(bytes: &[u8]) -> Option<(Entry, &[u8])> {
    let (frame, rest) = bytes.split_at_checked(FRAME)?;
    let length = u32::from_be_bytes(frame[..4].try_into().ok()?) as usize;
    if length > LONGEST {
        return None;
    }
    let (sealed, after) = rest.split_at_checked(length)?;
    if frame[4..12] != checksum(&bytes[12..FRAME + length]) {
        return None;
    }
    let entry = Entry {
        id: Uuid::from_slice(&frame[12..28]).ok()?,
        generation: i64::from_be_bytes(frame[28..36].try_into().ok()?),
        sealed: sealed.to_vec(),
    };
    Some((entry, after))
}

#[cfg(target_os = "linux")]
fn weakness(dir: &Path) -> Option<&'static str> {
    use nix::sys::statfs::{OVERLAYFS_SUPER_MAGIC, TMPFS_MAGIC, statfs};
    match statfs(dir) {
        Ok(found) if found.filesystem_type() == TMPFS_MAGIC => {
            Some("the journal lies in memory (tmpfs) and does not outlive this machine")
        }
        Ok(found) if found.filesystem_type() == OVERLAYFS_SUPER_MAGIC => Some(
            "the journal lies in the container's own layer and does not outlive it; mount a volume",
        ),
        Ok(_) => None,
        Err(_) => Some("the journal's folder can't be looked at"),
    }
}

#[cfg(not(target_os = "linux"))]
fn weakness(_dir: &Path) -> Option<&'static str> {
    None
}

#[cfg(test)]
mod tests;
