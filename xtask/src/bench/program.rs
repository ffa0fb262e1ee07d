//! The product's processes.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::ground::{Database, Ground};
use crate::process;

/// 32 bytes in base64, the same for every process.
const MASTER_KEY: &str = "YmVuY2htYXJrcyBhcmUgbm90IGEgc2VjcmV0IDEyMzQ=";
const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// `regrant serve`.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
}

impl Server {
    /// Starts one and waits until it is ready. `role`: web, worker or all.
    pub fn start(ground: &Ground, database: &Database, role: &str) -> Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut command = configured(&ground.regrant, ground, database);
        command.args(["serve", "--role", role, "--listen", &address.to_string()]);
        // What it logs is written as it would be, and kept for whoever wonders.
        let log = OpenOptions::new().create(true).append(true).open(ground.log())?;
        let child = command.stdout(Stdio::null()).stderr(log).spawn().context("regrant serve")?;
        let mut server = Self { child, address };
        let limit = Instant::now() + START_LIMIT;
        while !get(address, "/readyz").is_ok_and(|(head, _)| head.starts_with("HTTP/1.1 200")) {
            if let Some(status) = server.child.try_wait()? {
                bail!("regrant serve ended with {status}");
            }
            if Instant::now() > limit {
                bail!("regrant serve was not ready after {} s", START_LIMIT.as_secs());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }

    /// How many refreshes it has saved since it began.
    pub fn refreshed(&self) -> Result<f64> {
        let (_, text) = get(self.address, "/metrics")?;
        let lines = text.lines().filter(|line| line.starts_with("regrant_refreshes_total{"));
        let saved = lines.filter(|line| line.contains("verdict=\"refreshed\""));
        Ok(saved.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
    }

    /// Asks it to stop, and waits.
    pub fn stop(mut self) -> Result<()> {
        self.signal(Signal::SIGTERM);
        let limit = Instant::now() + STOP_LIMIT;
        while self.child.try_wait()?.is_none() {
            if Instant::now() > limit {
                bail!("regrant serve did not stop within {} s", STOP_LIMIT.as_secs());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn signal(&self, signal: Signal) {
        let _ = kill(Pid::from_raw(self.child.id().cast_signed()), signal);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.signal(Signal::SIGKILL);
            let _ = self.child.wait();
        }
    }
}

/// What one run of a program of ours prints.
pub fn run(program: &Path, ground: &Ground, database: &Database, args: &[&str]) -> Result<String> {
    feed(program, ground, database, args, "")
}

/// [`run`], with something to read.
pub fn feed(
    program: &Path,
    ground: &Ground,
    database: &Database,
    args: &[&str],
    input: &str,
) -> Result<String> {
    let mut command = configured(program, ground, database);
    command.env("REGRANT_LOG", "warn").args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().with_context(|| program.display().to_string())?;
    if let Some(mut stdin) = child.stdin.take() {
        // Who does not read says why by itself.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output()?;
    let what = args.first().copied().unwrap_or_default();
    ensure!(output.status.success(), "{} {what} ended with {}", program.display(), output.status);
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The connections to be stored in a database.
pub struct Filling<'a> {
    pub token_url: &'a str,
    pub clients: u32,
    /// How many requests of one client may be under way.
    pub concurrency: Option<u32>,
    pub from: u64,
    pub to: u64,
    pub lifetime: Duration,
    /// How far they are on the way from issue (0) to the next refresh (1).
    pub way: (f64, f64),
}

pub fn fill(ground: &Ground, database: &Database, filling: &Filling<'_>) -> Result<()> {
    let number = |name: &str, value: u64| format!("--{name}={value}");
    let mut args = vec![
        "fill".to_owned(),
        filling.token_url.to_owned(),
        number("clients", filling.clients.into()),
        number("from", filling.from),
        number("to", filling.to),
        number("lifetime", filling.lifetime.as_secs()),
        format!("--way-from={}", filling.way.0),
        format!("--way-to={}", filling.way.1),
    ];
    args.extend(filling.concurrency.map(|limit| number("concurrency", limit.into())));
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let began = Instant::now();
    run(&ground.engine, ground, database, &args)?;
    #[expect(clippy::cast_precision_loss, reason = "counts of what a bench does")]
    let rate = (filling.to - filling.from) as f64 / began.elapsed().as_secs_f64();
    eprintln!("    stored {} connections, {rate:.0} a second", filling.to - filling.from);
    Ok(())
}

fn configured(program: &Path, ground: &Ground, database: &Database) -> Command {
    let mut command = process::command(&program.to_string_lossy());
    command
        .env("DATABASE_URL", &database.url)
        // The journal lies there, on the same disk as the database.
        .env("REGRANT_DATA_DIR", ground.data_dir.join("regrant"))
        .env("REGRANT_MASTER_KEY", MASTER_KEY)
        .env("REGRANT_PUBLIC_URL", "http://127.0.0.1:3000")
        .env("REGRANT_ALLOW_PRIVATE_NETWORKS", "true")
        .env("REGRANT_LOG", "info");
    command
}

/// Head and body of what a path gives.
pub fn get(address: SocketAddr, path: &str) -> Result<(String, String)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("an answer without a body")?;
    Ok((head.to_owned(), body.to_owned()))
}
