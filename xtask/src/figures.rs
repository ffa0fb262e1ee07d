//! The figures that have limits, measured: what the browser loads, what an idle server holds, how
//! long a build takes.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::{process, site, steps};

/// Kilobytes of compressed WASM that a first visit may cost.
const WASM_LIMIT: f64 = 350.0;
/// Megabytes that an idle server may hold, its PostgreSQL apart.
const MEMORY_LIMIT: f64 = 60.0;
const START_LIMIT: Duration = Duration::from_secs(60);
/// Long enough for the first loops of the worker to have run.
const SETTLE: Duration = Duration::from_secs(5);

pub fn print() -> Result<ExitCode> {
    let site = process::root().join("target/site");
    let mut over = false;

    println!("What a first visit loads           plain      brotli     limit");
    for ending in ["wasm", "js", "css"] {
        let (plain, packed) = sizes(&site, ending)?;
        let limit = (ending == "wasm").then_some(WASM_LIMIT);
        let mark = limit.map_or(String::new(), |limit| {
            over |= packed > limit;
            format!("{limit:>7.0} KB{}", if packed > limit { "  OVER" } else { "" })
        });
        println!("  {ending:<28} {plain:>8.1} KB {packed:>8.1} KB {mark}");
    }

    let megabytes = idle_memory()?;
    over |= megabytes > MEMORY_LIMIT;
    let mark = if megabytes > MEMORY_LIMIT { "  OVER" } else { "" };
    println!(
        "\nMemory of an idle `regrant serve`   {megabytes:.1} MB resident, limit {MEMORY_LIMIT:.0} MB{mark}"
    );

    println!("\nSteps of the build and the tests    last       longest here");
    for (name, last, longest) in steps::times() {
        println!("  {name:<31} {last:>7.1} s  {longest:>9.1} s");
    }
    Ok(if over { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Kilobytes (1000 bytes) of all files of one kind, plain and packed.
fn sizes(site: &Path, ending: &str) -> Result<(f64, f64)> {
    let (mut plain, mut packed) = (0, 0);
    for path in site::files(&site.join("pkg"))? {
        let name = path.to_string_lossy();
        let size = || fs::metadata(&path).map(|meta| meta.len());
        if name.ends_with(&format!(".{ending}")) {
            plain += size()?;
            let small = format!("{name}.br");
            packed += fs::metadata(small).map_or_else(|_| size(), |meta| Ok(meta.len()))?;
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "sizes of files in a build")]
    Ok((plain as f64 / 1000.0, packed as f64 / 1000.0))
}

fn idle_memory() -> Result<f64> {
    let data_dir = std::env::temp_dir().join(format!("regrant-figures-{}", std::process::id()));
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
    let mut server = process::command("target/release/regrant")
        .arg("serve")
        .env_remove("DATABASE_URL")
        .env("REGRANT_DATA_DIR", &data_dir)
        .env("REGRANT_LISTEN", &address)
        .env("REGRANT_PUBLIC_URL", format!("http://{address}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("target/release/regrant: build it with `cargo xtask build --release`")?;
    let megabytes = measure(&mut server, &address);
    let _ = kill(Pid::from_raw(server.id().cast_signed()), Signal::SIGTERM);
    server.wait()?;
    let _ = fs::remove_dir_all(&data_dir);
    megabytes
}

fn measure(server: &mut Child, address: &str) -> Result<f64> {
    let limit = Instant::now() + START_LIMIT;
    while !is_ready(address) {
        if let Some(status) = server.try_wait()? {
            bail!("regrant serve ended with {status}");
        }
        if Instant::now() > limit {
            bail!("regrant serve was not ready after {} s", START_LIMIT.as_secs());
        }
        thread::sleep(Duration::from_millis(50));
    }
    thread::sleep(SETTLE);
    let status = fs::read_to_string(format!("/proc/{}/status", server.id()))?;
    let kilobytes: f64 = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .context("the kernel names no VmRSS")?;
    Ok(kilobytes * 1024.0 / 1_000_000.0)
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
