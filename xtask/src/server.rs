//! A release build of the server, run for a measurement in a folder that is gone afterwards.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::process;

const START_LIMIT: Duration = Duration::from_secs(60);

/// A running server. Dropping it ends it.
pub struct Server {
    child: Child,
    pub address: String,
}

impl Server {
    /// Starts one on a free port, on the database at `url` or on its private one, and waits until it
    /// answers.
    pub fn start(data_dir: &Path, url: Option<&str>) -> Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let child = command(data_dir, url)
            .arg("serve")
            .env("REGRANT_LISTEN", &address)
            .env("REGRANT_PUBLIC_URL", format!("http://{address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("target/release/regrant: build it with `cargo xtask build --release`")?;
        let mut server = Self { child, address };
        let limit = Instant::now() + START_LIMIT;
        while !is_ready(&server.address) {
            if let Some(status) = server.child.try_wait()? {
                bail!("regrant serve ended with {status}");
            }
            if Instant::now() > limit {
                bail!("regrant serve was not ready after {} s", START_LIMIT.as_secs());
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(server)
    }

    /// Megabytes (of 1000 kilobytes) that it holds now.
    pub fn resident(&self) -> Result<f64> {
        self.memory("VmRSS:")
    }

    /// Megabytes that it ever held.
    pub fn peak(&self) -> Result<f64> {
        self.memory("VmHWM:")
    }

    fn memory(&self, name: &str) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let kilobytes: f64 = status
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
            .with_context(|| format!("the kernel names no {name}"))?;
        Ok(kilobytes * 1024.0 / 1_000_000.0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM);
        let _ = self.child.wait();
    }
}

/// The program itself, to be given a subcommand.
pub fn command(data_dir: &Path, url: Option<&str>) -> Command {
    let mut command = process::command("target/release/regrant");
    command.env_remove("DATABASE_URL").env("REGRANT_DATA_DIR", data_dir);
    if let Some(url) = url {
        command.env("DATABASE_URL", url);
    }
    command
}

fn is_ready(address: &str) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(stream, "GET /readyz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.starts_with("HTTP/1.1 200"))
    };
    ask().unwrap_or(false)
}
