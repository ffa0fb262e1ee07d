//! The private PostgreSQL: what Regrant runs on when nobody gave it a `DATABASE_URL`.
//!
//! It is a plain child process of the system's own binaries, on a Unix socket that only its owner
//! can reach. There is no password and no port, so there is nothing to configure and nothing to
//! leak. The child dies with Regrant (`PR_SET_PDEATHSIG`), and whatever an earlier Regrant that was
//! killed left behind is stopped or cleaned away at the next start.
//!
//! The build tool includes this module by path and runs its test servers with it, so it imports
//! nothing of Regrant.

mod account;
mod binaries;
mod home;
mod launch;
mod leftover;
mod memory;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use account::Account;
use binaries::Binaries;
use home::Home;

/// The one role and the one database of a private cluster.
const NAME: &str = "regrant";
/// Names the socket file; no TCP port is opened.
const PORT: u16 = 5432;
/// How long a start may take: replaying a log after a crash is what takes time.
const START_LIMIT: Duration = Duration::from_secs(120);
/// How long a fast shutdown may take before the cluster is told to stop at once.
const STOP_LIMIT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(10);

/// Why there is no private PostgreSQL. Each says in one line what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "no PostgreSQL found: install version 14 or later (Debian: apt-get install postgresql-15), \
         set PG_BIN_DIR to the folder that holds initdb and postgres, or set DATABASE_URL"
    )]
    NotInstalled,
    #[error(
        "the data in {} was written by PostgreSQL {major}, which is not installed: install \
         postgresql-{major} or set PG_BIN_DIR to its binaries", data.display()
    )]
    OtherVersion { data: PathBuf, major: String },
    #[error(
        "{} is in use by another Regrant{}: stop that one first, do it in its dashboard instead, or \
         choose another folder with REGRANT_DATA_DIR", data_dir.display(),
        pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
    )]
    InUse { data_dir: PathBuf, pid: Option<u32> },
    #[error(
        "{} belongs to another user (uid {owner}): run Regrant as that user, or choose another \
         folder with REGRANT_DATA_DIR", path.display()
    )]
    ForeignOwner { path: PathBuf, owner: u32 },
    #[error(
        "PostgreSQL does not run as root, and there is no user `postgres` or `nobody` to run it \
         as: add one (useradd --system postgres) or start Regrant as an ordinary user"
    )]
    NoAccount,
    #[error("{} cannot be used: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("PostgreSQL could not make its data folder: {message}")]
    Init { message: String },
    #[error("PostgreSQL did not start: {message} (its log is {})", log.display())]
    Start { message: String, log: PathBuf },
    #[error("PostgreSQL (process {pid}) does not stop: end it by hand, then start Regrant again")]
    Stuck { pid: i32 },
}

impl Error {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}

/// What a cluster is for.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Whether a commit survives a loss of power. False only for servers that tests throw away.
    pub durable: bool,
    pub max_connections: u16,
}

impl Default for Settings {
    fn default() -> Self {
        Self { durable: true, max_connections: 60 }
    }
}

/// A running cluster. Dropping it stops it, as [`Postgres::stop`] does, without saying how it went.
#[derive(Debug)]
pub struct Postgres {
    child: Child,
    home: Home,
    /// Held as long as the cluster runs.
    _lock: File,
}

impl Postgres {
    /// Starts the cluster under `data_dir`, making both if they are not there, and returns when it
    /// takes connections.
    ///
    /// Blocks. Call it from the main thread: the kernel ends the cluster when the thread that
    /// started it ends.
    pub fn start(data_dir: &Path) -> Result<Self, Error> {
        Self::start_with(data_dir, Settings::default())
    }

    /// Like [`Postgres::start`], with other settings.
    pub fn start_with(data_dir: &Path, settings: Settings) -> Result<Self, Error> {
        let data_dir = home::create_data_dir(data_dir)?;
        let lock = lock(&data_dir)?;
        let home = Home::prepare(&data_dir, Account::choose(&data_dir)?)?;
        let binaries = Binaries::find(&home.data())?;

        leftover::clear(&home.data())?;
        if !home.data().join("PG_VERSION").exists() {
            init(&binaries, &home)?;
        }
        let child = launch::launch(&binaries, &home, settings)?;
        Ok(Self { child, home, _lock: lock })
    }

    /// Where to connect, for sqlx, psql and libpq alike.
    pub fn url(&self) -> String {
        let socket: String = self
            .home
            .socket_dir
            .to_string_lossy()
            .bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                    char::from(byte).to_string()
                }
                _ => format!("%{byte:02X}"),
            })
            .collect();
        format!("postgres://{NAME}@localhost:{PORT}/{NAME}?host={socket}")
    }

    /// Stops the cluster: open connections are ended, what was committed is on disk.
    pub fn stop(mut self) -> Result<(), Error> {
        self.shut_down()
    }

    fn shut_down(&mut self) -> Result<(), Error> {
        let pid = Pid::from_raw(self.child.id().cast_signed());
        // SIGINT is PostgreSQL's fast shutdown, SIGQUIT the immediate one, which leaves a recovery
        // for the next start but loses nothing.
        for signal in [Signal::SIGINT, Signal::SIGQUIT] {
            if self.has_ended()? {
                return Ok(());
            }
            let _ = kill(pid, signal);
            let limit = Instant::now() + STOP_LIMIT;
            while Instant::now() < limit {
                if self.has_ended()? {
                    return Ok(());
                }
                thread::sleep(POLL);
            }
        }
        Err(Error::Stuck { pid: pid.as_raw() })
    }

    fn has_ended(&mut self) -> Result<bool, Error> {
        let ended = self.child.try_wait().map_err(Error::io(&self.home.data()))?;
        Ok(ended.is_some())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let _ = self.shut_down();
    }
}

/// The folder with the system's PostgreSQL binaries: the newest of version 14 or later.
pub fn find_binaries() -> Result<PathBuf, Error> {
    binaries::installed().into_iter().next().map(|found| found.dir).ok_or(Error::NotInstalled)
}

/// Takes the data folder for this process. The kernel lets go of it when the process ends, however
/// it ends.
fn lock(data_dir: &Path) -> Result<File, Error> {
    let path = data_dir.join("regrant.lock");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(Error::io(&path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => {
            let mut pid = String::new();
            let _ = file.read_to_string(&mut pid);
            return Err(Error::InUse {
                data_dir: data_dir.to_owned(),
                pid: pid.trim().parse().ok(),
            });
        }
        Err(fs::TryLockError::Error(source)) => return Err(Error::Io { path, source }),
    }
    file.set_len(0)
        .and_then(|()| file.seek(SeekFrom::Start(0)))
        .and_then(|_| writeln!(file, "{}", std::process::id()))
        .map_err(Error::io(&path))?;
    Ok(file)
}

/// A command that runs as the cluster's account, blind to the `PG…` variables of whoever started
/// us, and to our own, which may hold the master key.
fn command(program: &Path, home: &Home) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("PG") || text.starts_with("REGRANT_") || text == "DATABASE_URL" {
            command.env_remove(name);
        }
    }
    command.env("LC_ALL", "C").env("TZ", "UTC").current_dir("/").stdin(Stdio::null());
    home.account.apply(&mut command);
    command
}

/// Makes a new cluster with its database. It is made aside and moved into place, so that one that
/// was interrupted is never mistaken for a whole one.
fn init(binaries: &Binaries, home: &Home) -> Result<(), Error> {
    let fresh = home.root.join("data.new");
    if fresh.exists() {
        fs::remove_dir_all(&fresh).map_err(Error::io(&fresh))?;
    }
    let mut initdb = command(&binaries.initdb(), home);
    initdb
        .arg("--pgdata")
        .arg(&fresh)
        .args(["--username", NAME, "--auth-local", "trust", "--auth-host", "reject"])
        .args(["--encoding", "UTF8", "--locale", "C", "--data-checksums"]);
    if cfg!(target_os = "linux") {
        initdb.args(["--lc-ctype", "C.UTF-8"]);
    }
    checked(&mut initdb, None)?;

    let mut single = command(&binaries.postgres(), home);
    single.arg("--single").arg("-D").arg(&fresh);
    single.args(["-c", "exit_on_error=true", "-c", "log_checkpoints=off", "postgres"]);
    checked(&mut single, Some(&format!("CREATE DATABASE {NAME};\n")))?;

    let data = home.data();
    fs::rename(&fresh, &data).map_err(Error::io(&data))
}

fn checked(command: &mut Command, input: Option<&str>) -> Result<(), Error> {
    let failed = |message: String| Error::Init { message };
    if input.is_some() {
        command.stdin(Stdio::piped());
    }
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| failed(format!("{}: {error}", command.get_program().display())))?;
    if let (Some(input), Some(mut stdin)) = (input, child.stdin.take()) {
        // A child that ended early says why on its own.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(failed(telling_line(&String::from_utf8_lossy(&output.stderr), output.status)))
}

/// The line of PostgreSQL's output that says what went wrong.
fn telling_line(text: &str, status: std::process::ExitStatus) -> String {
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines()
        .find(|line| {
            ["FATAL:", "PANIC:", "ERROR:", "error:"].iter().any(|mark| line.contains(mark))
        })
        .or_else(|| lines().next_back())
        .map_or_else(|| status.to_string(), str::to_owned)
}

#[cfg(target_os = "linux")]
fn die_with_parent(command: &mut Command) {
    let parent = nix::unistd::getpid();
    let arm = move || {
        nix::sys::prctl::set_pdeathsig(Signal::SIGINT)?;
        // Regrant may have died before the line above.
        if nix::unistd::getppid() == parent {
            Ok(())
        } else {
            Err(io::Error::from(io::ErrorKind::BrokenPipe))
        }
    };
    // SAFETY: between fork and exec only async-signal-safe calls are made (prctl, getppid), and
    // nothing is allocated. std has changed the user before it runs this, which matters because
    // the kernel forgets the signal when the user changes.
    #[expect(unsafe_code, reason = "the only way to run code between fork and exec")]
    unsafe {
        command.pre_exec(arm);
    }
}

#[cfg(not(target_os = "linux"))]
fn die_with_parent(_command: &mut Command) {}

#[cfg(test)]
mod tests;
