//! The figures that have limits, measured: what the browser loads, what an idle server holds, how
//! long a build takes.

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::Result;

use crate::server::Server;
use crate::{process, site, steps};

/// Kilobytes of compressed WASM that a first visit may cost.
const WASM_LIMIT: f64 = 350.0;
/// Megabytes that an idle server may hold, its PostgreSQL apart.
const MEMORY_LIMIT: f64 = 60.0;
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
    let server = Server::start(&data_dir, None)?;
    thread::sleep(SETTLE);
    let megabytes = server.resident();
    drop(server);
    let _ = fs::remove_dir_all(&data_dir);
    megabytes
}
