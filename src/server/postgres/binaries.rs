//! Finding the system's PostgreSQL, which no two systems put in the same place.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use super::Error;

/// The oldest version whose SQL and settings Regrant uses.
const OLDEST: u32 = 14;

#[derive(Clone, Debug)]
pub(super) struct Binaries {
    pub dir: PathBuf,
    pub major: u32,
}

impl Binaries {
    /// Those that fit the cluster in `data`, if there is one: each major version reads only its own
    /// files. Else the newest.
    pub fn find(data: &Path) -> Result<Self, Error> {
        let installed = installed();
        let wanted = fs::read_to_string(data.join("PG_VERSION")).ok();
        let Some(wanted) = wanted.as_deref().map(str::trim) else {
            return installed.into_iter().next().ok_or(Error::NotInstalled);
        };
        installed
            .into_iter()
            .find(|found| found.major.to_string() == wanted)
            .ok_or_else(|| Error::OtherVersion { data: data.to_owned(), major: wanted.to_owned() })
    }

    pub fn initdb(&self) -> PathBuf {
        self.dir.join("initdb")
    }

    pub fn postgres(&self) -> PathBuf {
        self.dir.join("postgres")
    }
}

/// All that can be found, newest first. `PG_BIN_DIR` is an order: with it nothing else is looked at.
pub(super) fn installed() -> Vec<Binaries> {
    if let Some(dir) = env::var_os("PG_BIN_DIR") {
        return probe(Path::new(&dir)).into_iter().collect();
    }
    let mut found: Vec<Binaries> = candidates().iter().filter_map(|dir| probe(dir)).collect();
    found.sort_by_key(|binaries| std::cmp::Reverse(binaries.major));
    found
}

fn candidates() -> Vec<PathBuf> {
    let mut dirs = Vec::new();
    if let Ok(output) = Command::new("pg_config").arg("--bindir").output() {
        dirs.push(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    }
    // Debian and Ubuntu; Red Hat's own packages; Homebrew.
    for (parent, prefix, below) in [
        ("/usr/lib/postgresql", "", "bin"),
        ("/usr", "pgsql-", "bin"),
        ("/opt/homebrew/opt", "postgresql", "bin"),
        ("/usr/local/opt", "postgresql", "bin"),
    ] {
        for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(prefix) {
                dirs.push(entry.path().join(below));
            }
        }
    }
    dirs.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
    dirs
}

fn probe(dir: &Path) -> Option<Binaries> {
    if !dir.is_absolute() || !dir.join("initdb").is_file() || !dir.join("postgres").is_file() {
        return None;
    }
    let output = Command::new(dir.join("postgres")).arg("--version").output().ok()?;
    let major = major(&String::from_utf8_lossy(&output.stdout))?;
    (major >= OLDEST).then(|| Binaries { dir: dir.to_owned(), major })
}

/// The 15 of `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`, or of `… 15beta1`.
fn major(version: &str) -> Option<u32> {
    let number = version.split("(PostgreSQL)").nth(1)?.trim_start();
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_major_version_is_read_from_what_postgres_prints() {
        assert_eq!(major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(major("postgres (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(major("something else 15.1\n"), None);
    }

    #[test]
    fn a_folder_without_the_binaries_is_no_postgresql() {
        let empty = tempfile::tempdir().unwrap();
        assert!(probe(empty.path()).is_none());
        assert!(probe(Path::new("relative/bin")).is_none());
    }
}
