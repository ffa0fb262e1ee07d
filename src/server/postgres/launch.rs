//! Starting the server process, and with which settings.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Child;
use std::thread;
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::binaries::Binaries;
use super::home::Home;
use super::{
    Error, POLL, PORT, START_LIMIT, Settings, command, die_with_parent, leftover, memory,
    telling_line,
};

/// Starts it, and returns when it takes connections.
pub fn launch(binaries: &Binaries, home: &Home, settings: Settings) -> Result<Child, Error> {
    let buffers = memory::shared_buffers();
    match try_launch(binaries, home, settings, buffers) {
        // There is less to be had than the machine or the container tells.
        Err(Error::Start { message, .. })
            if message.contains("shared memory") && buffers > memory::LEAST =>
        {
            try_launch(binaries, home, settings, memory::LEAST)
        }
        launched => launched,
    }
}

fn try_launch(
    binaries: &Binaries,
    home: &Home,
    settings: Settings,
    shared_buffers: u64,
) -> Result<Child, Error> {
    let log = open_log(&home.log)?;
    let mut postgres = command(&binaries.postgres(), home);
    postgres.arg("-D").arg(home.data());
    for setting in server_settings(home, settings, shared_buffers) {
        postgres.arg("-c").arg(setting);
    }
    postgres
        .stdout(log.try_clone().map_err(Error::io(&home.log))?)
        .stderr(log)
        // Ctrl-C reaches every process of the terminal's group; the cluster has to outlive the
        // refreshes that Regrant then drains.
        .process_group(0);
    die_with_parent(&mut postgres);
    let mut child = postgres.spawn().map_err(Error::io(&binaries.postgres()))?;

    let limit = Instant::now() + START_LIMIT;
    loop {
        if let Some(status) = child.try_wait().map_err(Error::io(&home.data()))? {
            let text = fs::read_to_string(&home.log).unwrap_or_default();
            let message = telling_line(&text, status);
            return Err(Error::Start { message, log: home.log.clone() });
        }
        if leftover::is_ready(&home.data(), child.id()) {
            return Ok(child);
        }
        if Instant::now() > limit {
            let _ = kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGQUIT);
            let _ = child.wait();
            let message = format!("not ready after {} seconds", START_LIMIT.as_secs());
            return Err(Error::Start { message, log: home.log.clone() });
        }
        thread::sleep(POLL);
    }
}

fn server_settings(home: &Home, settings: Settings, shared_buffers: u64) -> Vec<String> {
    let on = |durable: bool| if durable { "on" } else { "off" };
    let socket_dir = home.socket_dir.to_string_lossy().replace('"', "\"\"");
    vec![
        "listen_addresses=".to_owned(),
        format!("port={PORT}"),
        format!("unix_socket_directories=\"{socket_dir}\""),
        "unix_socket_permissions=0700".to_owned(),
        format!("max_connections={}", settings.max_connections),
        format!("shared_buffers={}kB", shared_buffers / 1024),
        // As PostgreSQL itself would have it: after each checkpoint whole pages are written, and many refreshes
        // fill 256 MB in seconds.
        "max_wal_size=1GB".to_owned(),
        format!("fsync={}", on(settings.durable)),
        format!("full_page_writes={}", on(settings.durable)),
        format!("synchronous_commit={}", on(settings.durable)),
        "jit=off".to_owned(),
        "timezone=UTC".to_owned(),
        "log_timezone=UTC".to_owned(),
        // Statements that fail are reported to Regrant, which knows what may be logged.
        "log_min_messages=log".to_owned(),
        "log_checkpoints=off".to_owned(),
    ]
}

/// The server's own log, begun anew at each start. The folder is not the account's, and a link in
/// its place is refused.
fn open_log(path: &Path) -> Result<File, Error> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .custom_flags(nix::libc::O_NOFOLLOW)
        .open(path)
        .map_err(Error::io(path))
}
