//! A PostgreSQL for tests and development: the private one of the server, without its durability.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, io};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{SigSet, Signal};

use crate::postgres::{Postgres, Settings};
use crate::process;

/// Tests take a few connections each and run side by side.
const SETTINGS: Settings = Settings { durable: false, max_connections: 200 };
const PREFIX: &str = "regrant-throwaway-";

/// Runs the tests. The queries are compiled against the committed `.sqlx`, unless
/// `SQLX_OFFLINE=false` asks for the migrated database itself.
pub fn test(args: &[String]) -> Result<ExitCode> {
    let live = is_live();
    with_throwaway(|url| {
        if live {
            migrate(url)?;
        }
        process::exit_code(&mut rust_tests(url, args))
    })
}

/// The command that runs them: cargo nextest where it is installed, else cargo test.
pub fn rust_tests(url: &str, args: &[String]) -> Command {
    let mut cargo = process::cargo();
    if process::answers(process::cargo().args(["nextest", "--version"])) {
        cargo.args(["nextest", "run"]);
    } else {
        cargo.args(["test", "--lib", "--bins"]);
    }
    let offline = if is_live() { "false" } else { "true" };
    cargo.arg("--no-fail-fast").args(args).env("DATABASE_URL", url).env("SQLX_OFFLINE", offline);
    cargo
}

/// The command that builds them, and the server beside them. Built by itself it would be built once more:
/// tests turn on features of what both stand on.
pub fn build_rust_tests() -> Command {
    let mut cargo = process::cargo();
    cargo.args(["build", "--lib", "--bins", "--tests"]);
    cargo.env("SQLX_OFFLINE", if is_live() { "false" } else { "true" });
    cargo
}

fn is_live() -> bool {
    env::var("SQLX_OFFLINE").is_ok_and(|value| value == "false")
}

/// Runs any command on a database that is gone afterwards.
pub fn run(command: &[String]) -> Result<ExitCode> {
    let (program, args) = command.split_first().context("no command given")?;
    with_throwaway(|url| {
        process::exit_code(process::command(program).args(args).env("DATABASE_URL", url))
    })
}

/// Keeps a database for development, the same one each time.
pub fn keep() -> Result<ExitCode> {
    // Blocked before the cluster starts, so that Ctrl-C is waited for and not missed.
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGINT);
    signals.add(Signal::SIGTERM);
    signals.thread_block()?;
    let cluster = Postgres::start_with(&process::root().join("target/postgres"), SETTINGS)?;
    println!("export DATABASE_URL='{}'", cluster.url());
    println!("PostgreSQL runs until Ctrl-C.");
    signals.wait()?;
    cluster.stop()?;
    Ok(ExitCode::SUCCESS)
}

/// Writes `.sqlx`: what the queries mean, for builds without a database.
pub fn prepare(args: &[String]) -> Result<ExitCode> {
    ensure!(
        process::answers(process::cargo().args(["sqlx", "--version"])),
        "sqlx-cli is not installed: cargo install sqlx-cli --version ~0.9 --locked \
         --no-default-features --features postgres,rustls"
    );
    with_throwaway(|url| {
        migrate(url)?;
        let mut cargo = process::cargo();
        cargo.args(["sqlx", "prepare"]).args(args);
        cargo.args(["--", "--all-targets"]).env("DATABASE_URL", url).env("SQLX_OFFLINE", "false");
        process::exit_code(&mut cargo)
    })
}

fn migrate(url: &str) -> Result<()> {
    process::check(process::cargo().args(["sqlx", "migrate", "run"]).env("DATABASE_URL", url))
}

/// Runs `work` with the address of a database that is gone afterwards.
pub fn with_throwaway(work: impl FnOnce(&str) -> Result<ExitCode>) -> Result<ExitCode> {
    sweep();
    process::outlive_ctrl_c()?;
    let data_dir = env::temp_dir().join(format!("{PREFIX}{}", std::process::id()));
    let cluster = Postgres::start_with(&data_dir, SETTINGS)?;
    let result = work(&cluster.url());
    cluster.stop()?;
    remove(&data_dir)?;
    result
}

/// Removes what runs that were killed left behind.
fn sweep() {
    for entry in fs::read_dir(env::temp_dir()).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(PREFIX) && is_abandoned(&entry.path()) {
            let _ = remove(&entry.path());
        }
    }
}

fn is_abandoned(data_dir: &Path) -> bool {
    File::open(data_dir.join("regrant.lock")).is_ok_and(|lock| lock.try_lock().is_ok())
}

/// Removes a data folder and the cluster in it.
pub fn remove(data_dir: &Path) -> io::Result<()> {
    // The cluster itself may stand elsewhere, behind a link.
    let root: Option<PathBuf> = fs::read_link(data_dir.join("postgres")).ok();
    if let Some(root) = root.filter(|root| root.file_name().is_some_and(is_ours)) {
        fs::remove_dir_all(root)?;
    }
    fs::remove_dir_all(data_dir)
}

fn is_ours(name: &OsStr) -> bool {
    name.to_string_lossy().starts_with("postgres-")
}
