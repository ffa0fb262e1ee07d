//! What an earlier start left in a cluster's folder. A Regrant that was killed takes its cluster
//! down with it a moment later, or, where the kernel does not do that, not at all; and a number in
//! a pid file may meanwhile be another program's.

use std::path::Path;
use std::thread;
use std::time::Instant;
use std::{fs, io};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Error, POLL, STOP_LIMIT};

const PID_FILE: &str = "postmaster.pid";

/// Stops a postmaster that still runs on `data`, and removes a pid file that names a stranger,
/// which would keep PostgreSQL from starting.
pub(super) fn clear(data: &Path) -> Result<(), Error> {
    let path = data.join(PID_FILE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(Error::Io { path, source }),
    };
    let Some(pid) = first_pid(&text).filter(|pid| is_alive(*pid)) else {
        // PostgreSQL clears away the file of a dead one by itself, and looks for its orphans too.
        return Ok(());
    };
    if !works_in(pid, data) {
        return fs::remove_file(&path).map_err(Error::io(&path));
    }
    for signal in [Signal::SIGINT, Signal::SIGQUIT] {
        let _ = kill(pid, signal);
        let limit = Instant::now() + STOP_LIMIT;
        while Instant::now() < limit {
            if !is_alive(pid) || !works_in(pid, data) {
                return Ok(());
            }
            thread::sleep(POLL);
        }
    }
    Err(Error::Stuck { pid: pid.as_raw() })
}

/// Whether the postmaster `pid` has written that it takes connections.
pub(super) fn is_ready(data: &Path, pid: u32) -> bool {
    let text = fs::read_to_string(data.join(PID_FILE)).unwrap_or_default();
    let mut lines = text.lines().map(str::trim);
    lines.next() == Some(pid.to_string().as_str()) && lines.nth(6) == Some("ready")
}

fn first_pid(text: &str) -> Option<Pid> {
    let pid: i32 = text.lines().next()?.trim().parse().ok()?;
    (pid > 1).then(|| Pid::from_raw(pid))
}

fn is_alive(pid: Pid) -> bool {
    kill(pid, None) != Err(Errno::ESRCH)
}

/// Whether `pid` is a postmaster of this cluster: it makes the data folder its working folder.
#[cfg(target_os = "linux")]
fn works_in(pid: Pid, data: &Path) -> bool {
    fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == data)
}

#[cfg(not(target_os = "linux"))]
fn works_in(_pid: Pid, _data: &Path) -> bool {
    true
}
