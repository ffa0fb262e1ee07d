//! Who the cluster runs as. PostgreSQL refuses to run as root, so root hands it to an account that
//! may do less; anyone else runs it as themselves.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

use nix::unistd::{Gid, Uid, User};

use super::Error;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub uid: u32,
    gid: u32,
    /// Whether we are root and hand over to this account.
    dropped: bool,
}

impl Account {
    /// For root: whoever owns the cluster that is there, else `postgres`, else `nobody`.
    pub fn choose(data_dir: &Path) -> Result<Self, Error> {
        if !Uid::effective().is_root() {
            return Ok(Self::current());
        }
        if let Ok(there) = fs::metadata(data_dir.join("postgres"))
            && there.uid() != 0
        {
            return Ok(Self { uid: there.uid(), gid: there.gid(), dropped: true });
        }
        ["postgres", "nobody"]
            .into_iter()
            .find_map(|name| User::from_name(name).ok().flatten())
            .map(|user| Self { uid: user.uid.as_raw(), gid: user.gid.as_raw(), dropped: true })
            .ok_or(Error::NoAccount)
    }

    fn current() -> Self {
        Self { uid: Uid::effective().as_raw(), gid: Gid::effective().as_raw(), dropped: false }
    }

    pub fn apply(self, command: &mut Command) {
        if self.dropped {
            command.uid(self.uid).gid(self.gid);
        }
    }

    /// Gives this account a folder that we just made.
    pub fn adopt(self, path: &Path) -> Result<(), Error> {
        if self.dropped {
            chown(path, Some(self.uid), Some(self.gid)).map_err(Error::io(path))?;
        }
        Ok(())
    }

    /// Makes a folder that only this account can enter. One that is there must be its own already:
    /// in a folder that all may write to, somebody else may have made it first.
    pub fn make_private_dir(self, path: &Path) -> Result<(), Error> {
        match fs::create_dir(path) {
            Ok(()) => self.adopt(path)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(source) => return Err(Error::Io { path: path.to_owned(), source }),
        }
        let there = fs::symlink_metadata(path).map_err(Error::io(path))?;
        if !there.is_dir() {
            let source = io::Error::from(io::ErrorKind::NotADirectory);
            return Err(Error::Io { path: path.to_owned(), source });
        }
        if there.uid() != self.uid {
            return Err(Error::ForeignOwner { path: path.to_owned(), owner: there.uid() });
        }
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(Error::io(path))
    }

    /// The outermost folder on the way to `path` that this account may not pass.
    pub fn closed_on_the_way(self, path: &Path) -> Option<PathBuf> {
        if !self.dropped {
            return None;
        }
        let mut way: Vec<&Path> = path.ancestors().collect();
        way.reverse();
        way.into_iter()
            .find(|folder| fs::metadata(folder).is_ok_and(|meta| !self.may_pass(&meta)))
            .map(Path::to_owned)
    }

    fn may_pass(self, folder: &fs::Metadata) -> bool {
        let bit = if folder.uid() == self.uid {
            0o100
        } else if folder.gid() == self.gid {
            0o010
        } else {
            0o001
        };
        folder.mode() & bit != 0
    }
}
