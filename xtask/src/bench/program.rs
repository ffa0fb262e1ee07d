//! The product's processes.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Read, Write};
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
/// A demo fills its house first.
const FILL_LIMIT: Duration = Duration::from_secs(1800);
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// `regrant serve`.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
}

impl Server {
    /// Starts one and waits until it is ready. `role`: web, worker or all.
    pub fn start(ground: &Ground, database: &Database, role: &str) -> Result<Self> {
        let address = free()?;
        let mut command = configured(&ground.regrant, ground, database);
        command.args(["serve", "--role", role, "--listen", &address.to_string()]);
        command.stdout(Stdio::null());
        Self::begin(ground, command, address, START_LIMIT)
    }

    /// Starts a demo with so many connections and waits until it is ready; what its people sign in with.
    pub fn demo(ground: &Ground, database: &Database, size: u64) -> Result<(Self, String)> {
        let address = free()?;
        let mut command = configured(&ground.regrant, ground, database);
        command.args(["demo", "--listen", &address.to_string()]);
        command.args(["--sandbox-listen", &free()?.to_string(), "--size", &size.to_string()]);
        command.stdout(Stdio::piped());
        let mut server = Self::begin(ground, command, address, FILL_LIMIT)?;
        let stdout = server.child.stdout.take().context("a demo without an output")?;
        let mut lines = BufReader::new(stdout).lines();
        let password = lines
            .find_map(|line| Some(line.ok()?.trim().strip_prefix("password")?.trim().to_owned()));
        Ok((server, password.context("a demo without a password")?))
    }

    fn begin(
        ground: &Ground,
        mut command: Command,
        address: SocketAddr,
        within: Duration,
    ) -> Result<Self> {
        // What it logs is written as it would be, and kept for whoever wonders.
        let log = OpenOptions::new().create(true).append(true).open(ground.log())?;
        let child = command.stderr(log).spawn().context("regrant")?;
        let mut server = Self { child, address };
        let limit = Instant::now() + within;
        while !get(address, "/readyz").is_ok_and(|(head, _)| head.starts_with("HTTP/1.1 200")) {
            if let Some(status) = server.child.try_wait()? {
                bail!("regrant ended with {status}");
            }
            if Instant::now() > limit {
                bail!("regrant was not ready after {} s", within.as_secs());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }

    pub fn id(&self) -> u32 {
        self.child.id()
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

/// An address that nobody listens on.
fn free() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// Signs in; the session's cookie.
pub fn sign_in(address: SocketAddr, email: &str, password: &str) -> Result<String> {
    let form = format!("email={}&password={password}", email.replace('@', "%40"));
    let head = format!(
        "POST /rpc/session/login HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
         accept: application/json\r\nsec-fetch-site: same-origin\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
        form.len()
    );
    let (head, _) = ask(address, &head)?;
    let cookie = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let value = value.trim().split(';').next()?;
        name.eq_ignore_ascii_case("set-cookie").then(|| value.to_owned())
    });
    cookie.with_context(|| format!("no session was given: {head}"))
}

/// Head and body of what a path gives.
pub fn get(address: SocketAddr, path: &str) -> Result<(String, String)> {
    ask(address, &format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"))
}

/// [`get`], for whoever has this cookie.
pub fn get_as(address: SocketAddr, path: &str, cookie: &str) -> Result<(String, String)> {
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: {address}\r\ncookie: {cookie}\r\naccept: text/html\r\nconnection: close\r\n\r\n"
    );
    ask(address, &request)
}

fn ask(address: SocketAddr, request: &str) -> Result<(String, String)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(request.as_bytes())?;
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), None);
    while reader.read_line(&mut head)? > "\r\n".len() {
        let line = head.lines().next_back().unwrap_or_default().to_ascii_lowercase();
        length = line.strip_prefix("content-length: ").map(str::parse).transpose()?.or(length);
    }
    let mut body = Vec::new();
    match length {
        // Not everybody hangs up.
        Some(length) => reader.take(length).read_to_end(&mut body)?,
        None => reader.read_to_end(&mut body)?,
    };
    Ok((head, String::from_utf8_lossy(&body).into_owned()))
}
