//! Where it is measured: a PostgreSQL of our own that keeps what it confirms, and the programs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::Effort;
use crate::postgres::{self, Postgres, Settings};
use crate::{database, process, site, steps};

/// Room for the product, for pgbench, and for looking at both.
const SETTINGS: Settings = Settings { durable: true, max_connections: 200 };
/// How many connections to the database the product has at most, and so its yardstick too.
pub const CONNECTIONS: usize = 20;

pub struct Ground {
    pub effort: Effort,
    pub data_dir: PathBuf,
    /// PostgreSQL's programs.
    pub binaries: PathBuf,
    /// The product.
    pub regrant: PathBuf,
    /// The part of it that measures from inside.
    pub engine: PathBuf,
    cluster: Postgres,
}

/// A database in it.
pub struct Database {
    pub url: String,
    binaries: PathBuf,
}

impl Ground {
    pub fn prepare(effort: Effort) -> Result<Self> {
        let (regrant, engine) = build()?;
        process::outlive_ctrl_c()?;
        let data_dir = process::root().join("target/bench");
        if data_dir.exists() {
            database::remove(&data_dir).context("the data of an earlier run")?;
        }
        let cluster = Postgres::start_with(&data_dir, SETTINGS)?;
        let binaries = postgres::find_binaries()?;
        Ok(Self { effort, data_dir, binaries, regrant, engine, cluster })
    }

    /// What the product logs.
    pub fn log(&self) -> PathBuf {
        process::root().join("target/bench.log")
    }

    /// A new, empty database.
    pub fn database(&self, name: &str) -> Result<Database> {
        let url = self.cluster.url();
        let whole = Database { url: url.clone(), binaries: self.binaries.clone() };
        whole.sql(&format!("CREATE DATABASE {name}"))?;
        let (server, rest) = url.rsplit_once('/').context("an address without a database")?;
        // The socket's folder is escaped, so the last slash is the one before the name.
        let (_, socket) = rest.split_once('?').context("an address without a socket")?;
        Ok(Database { url: format!("{server}/{name}?{socket}"), binaries: self.binaries.clone() })
    }

    /// A new database with pgbench's tables, as many accounts as `scale` times 100,000.
    pub fn yardstick(&self, name: &str, scale: u32) -> Result<Database> {
        let made = self.database(name)?;
        let mut pgbench = made.command("pgbench");
        pgbench.args(["--initialize", "--quiet", "--scale", &scale.to_string()]).arg(&made.url);
        output(&mut pgbench)?;
        Ok(made)
    }

    pub fn clear(self) -> Result<()> {
        self.cluster.stop()?;
        database::remove(&self.data_dir)?;
        Ok(())
    }
}

impl Database {
    /// What a statement gives, one row a line.
    pub fn sql(&self, sql: &str) -> Result<String> {
        let mut psql = self.command("psql");
        psql.args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-c", sql]).arg(&self.url);
        Ok(output(&mut psql)?.trim().to_owned())
    }

    /// The one number that a query gives.
    pub fn number(&self, sql: &str) -> Result<f64> {
        let text = self.sql(sql)?;
        text.parse().with_context(|| format!("`{sql}` gave {text:?}"))
    }

    /// Leaves nothing for autovacuum and the checkpointer to do while something is measured.
    pub fn settle(&self) -> Result<()> {
        self.sql("VACUUM ANALYZE")?;
        self.sql("CHECKPOINT").map(drop)
    }

    /// Runs pgbench's `script` (-N or -S) and gives its transactions per second.
    pub fn pgbench(&self, script: &str, connections: usize, seconds: u64) -> Result<f64> {
        let mut pgbench = self.command("pgbench");
        pgbench.args(["--no-vacuum", script, "--protocol=prepared", "--jobs=2"]);
        pgbench.arg(format!("--client={connections}")).arg(format!("--time={seconds}"));
        let text = output(pgbench.arg(&self.url))?;
        text.lines()
            .find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok())
            .with_context(|| format!("pgbench told no rate:\n{text}"))
    }

    fn command(&self, program: &str) -> Command {
        process::command(&self.binaries.join(program).to_string_lossy())
    }
}

pub fn output(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| name.clone())?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{name} ended with {}: {}", output.status, said.trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Builds the product as it is released, and beside it what measures from inside.
fn build() -> Result<(PathBuf, PathBuf)> {
    let digest = site::build(true)?;
    let mut cargo = process::cargo();
    cargo.args(["build", "--release", "--features=embed-site", "--bin=regrant", "--bench=engine"]);
    cargo.arg("--message-format=json-render-diagnostics").env("REGRANT_SITE_DIGEST", digest);
    cargo.stderr(std::process::Stdio::inherit());
    let messages =
        steps::step("Building the server and its bench (release)", || output(&mut cargo))?;
    let find = |name: &str| -> Result<PathBuf> {
        for line in messages.lines() {
            let message: serde_json::Value = serde_json::from_str(line)?;
            if message["target"]["name"] == name
                && let Some(path) = message["executable"].as_str()
            {
                return Ok(path.into());
            }
        }
        bail!("cargo told of no program `{name}`")
    };
    Ok((find("regrant")?, find("engine")?))
}

/// The kind of file system that a folder is on.
pub fn file_system(path: &Path) -> Option<String> {
    let mounts = fs::read_to_string("/proc/mounts").ok()?;
    let path = path.canonicalize().ok()?;
    mounts
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ').skip(1);
            Some((fields.next()?, fields.next()?))
        })
        .filter(|(point, _)| path.starts_with(point))
        .max_by_key(|(point, _)| point.len())
        .map(|(_, kind)| kind.to_owned())
}
