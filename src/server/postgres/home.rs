//! Where the cluster lives: `postgres/` in the data folder, with its files in `data` and its socket
//! in `run`. Two limits bend that: the account must be able to walk there, and a socket's path has
//! at most 107 bytes.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};
use std::{env, io};

use nix::unistd::{Uid, mkdtemp};
use sha2::{Digest, Sha256};

use super::account::Account;
use super::{Error, PORT};

/// Where root keeps the cluster when the data folder is closed to the account, as below `/root`.
const SHARED: &str = "/var/lib/regrant";
const LONGEST_SOCKET_PATH: usize = 107;

#[derive(Debug)]
pub(super) struct Home {
    pub account: Account,
    pub root: PathBuf,
    pub socket_dir: PathBuf,
    /// In the data folder itself, which is not the account's.
    pub log: PathBuf,
}

impl Home {
    pub fn prepare(data_dir: &Path, account: Account) -> Result<Self, Error> {
        let root = root(data_dir, account)?;
        let socket_dir = socket_dir(&root, account)?;
        let log = data_dir.join("postgres.log");
        Ok(Self { account, root, socket_dir, log })
    }

    pub fn data(&self) -> PathBuf {
        self.root.join("data")
    }
}

/// The data folder as an absolute path. A new one can be passed through, not listed, by others:
/// the account has to get to its part, and every other file in it is closed on its own.
pub(super) fn create_data_dir(data_dir: &Path) -> Result<PathBuf, Error> {
    if !data_dir.exists() {
        let mode = if Uid::effective().is_root() { 0o711 } else { 0o700 };
        if let Some(parent) = data_dir.parent() {
            fs::create_dir_all(parent).map_err(Error::io(data_dir))?;
        }
        match DirBuilder::new().mode(mode).create(data_dir) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(Error::Io { path: data_dir.to_owned(), source: error });
            }
            _ => {}
        }
    }
    data_dir.canonicalize().map_err(Error::io(data_dir))
}

fn root(data_dir: &Path, account: Account) -> Result<PathBuf, Error> {
    let usual = data_dir.join("postgres");
    // Follows the link that an earlier start may have left.
    if let Ok(there) = usual.canonicalize() {
        account.make_private_dir(&there)?;
        if let Some(closed) = there.parent().and_then(|parent| account.closed_on_the_way(parent)) {
            let source = io::Error::other("PostgreSQL's user may not pass through it any more");
            return Err(Error::Io { path: closed, source });
        }
        return Ok(there);
    }
    if account.closed_on_the_way(data_dir).is_none() {
        account.make_private_dir(&usual)?;
        return Ok(usual);
    }
    // A link that leads nowhere: the cluster is gone, and a new one begins.
    if usual.is_symlink() {
        fs::remove_file(&usual).map_err(Error::io(&usual))?;
    }
    let shared = Path::new(SHARED);
    DirBuilder::new().recursive(true).mode(0o711).create(shared).map_err(Error::io(shared))?;
    // A name of its own, so that a data folder that was deleted and made again begins empty.
    let root = mkdtemp(&shared.join("postgres-XXXXXX"))
        .map_err(|errno| Error::Io { path: shared.to_owned(), source: errno.into() })?;
    account.adopt(&root)?;
    account.make_private_dir(&root)?;
    symlink(&root, &usual).map_err(Error::io(&usual))?;
    Ok(root)
}

fn socket_dir(root: &Path, account: Account) -> Result<PathBuf, Error> {
    let name = format!("regrant-{}", short_hash(root));
    let runtime = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|dir| {
        dir.is_absolute() && dir.is_dir() && account.closed_on_the_way(dir).is_none()
    });
    let candidates = [
        Some(root.join("run")),
        runtime.map(|dir| dir.join(&name)),
        Some(Path::new("/tmp").join(&name)),
    ];
    let dir = candidates
        .into_iter()
        .flatten()
        .find(|dir| fits(dir))
        .unwrap_or_else(|| Path::new("/tmp").join(&name));
    account.make_private_dir(&dir)?;
    Ok(dir)
}

fn fits(dir: &Path) -> bool {
    // The longest name PostgreSQL makes there is that of the lock beside the socket.
    dir.join(format!(".s.PGSQL.{PORT}.lock")).as_os_str().len() <= LONGEST_SOCKET_PATH
}

fn short_hash(path: &Path) -> String {
    let digest = Sha256::digest(path.as_os_str().as_encoded_bytes());
    digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_path_has_at_most_107_bytes() {
        let name = format!("/.s.PGSQL.{PORT}.lock");
        let longest = format!("/{}", "d".repeat(LONGEST_SOCKET_PATH - name.len() - 1));
        assert!(fits(Path::new(&longest)));
        assert!(!fits(Path::new(&format!("{longest}d"))));
    }
}
