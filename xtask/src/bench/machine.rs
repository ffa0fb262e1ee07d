//! What it was measured on.

use std::fs::{self, File};
use std::io::Write;
use std::thread;
use std::time::Instant;

use anyhow::Result;

use super::ground::{self, Ground};
use super::ratio::Series;
use crate::process;

pub fn print(ground: &Ground) -> Result<()> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        text.lines()
            .find(|line| line.starts_with(name))
            .and_then(|line| line.split_once(':'))
            .map_or_else(|| "?".to_owned(), |(_, value)| value.trim().to_owned())
    };
    let cpu = field(&read("/proc/cpuinfo"), "model name");
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let memory = field(&read("/proc/meminfo"), "MemTotal");
    let kernel = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg");
    let postgres = ground::output(
        process::command(&ground.binaries.join("postgres").to_string_lossy()).arg("--version"),
    )?;
    let disk = ground::file_system(&ground.data_dir).unwrap_or_else(|| "?".into());
    let syncs = time_syncs(ground)?;
    println!("machine     {cpu}, {cores} cores, {memory} of memory, Linux {}", kernel.trim());
    println!("busy with   {} (load of the last minute, before anything began)", first(&load));
    println!("PostgreSQL  {}, fsync on", postgres.trim());
    println!(
        "disk        {disk}; a sync of 8 KB takes {:.2} / {:.2} / {:.2} ms (min / median / max)",
        syncs.min(),
        syncs.median(),
        syncs.max()
    );
    Ok(())
}

fn first(text: &str) -> &str {
    text.split(' ').next().unwrap_or_default()
}

/// Milliseconds that writing a page to the disk takes, as a commit must.
fn time_syncs(ground: &Ground) -> Result<Series> {
    let path = ground.data_dir.join("sync.tmp");
    let mut file = File::create(&path)?;
    let mut series = Series::default();
    for _ in 0..100 {
        let began = Instant::now();
        file.write_all(&[7; 8192])?;
        file.sync_data()?;
        series.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    fs::remove_file(&path)?;
    Ok(series)
}
