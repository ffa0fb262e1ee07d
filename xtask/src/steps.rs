//! Steps that say what they are and how long they took, and leave a note of it for the figures.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::process;

/// Runs `work` under a headline.
pub fn step<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    eprintln!("==> {name}");
    let started = Instant::now();
    let result = work();
    let took = started.elapsed();
    if result.is_ok() {
        note(name, took);
    }
    // With its name: others may have begun meanwhile.
    eprintln!(
        "    {} after {:.1} s: {name}",
        if result.is_ok() { "done" } else { "FAILED" },
        took.as_secs_f64()
    );
    result
}

/// What each step took the last time, and the longest it ever took here, in the order of first use.
pub fn times() -> Vec<(String, f64, f64)> {
    let mut times: Vec<(String, f64, f64)> = Vec::new();
    for line in fs::read_to_string(path()).unwrap_or_default().lines() {
        let Some((name, seconds)) = line.split_once('\t') else { continue };
        let Ok(seconds) = seconds.parse::<f64>() else { continue };
        match times.iter_mut().find(|(known, ..)| known == name) {
            Some((_, last, longest)) => {
                *last = seconds;
                *longest = longest.max(seconds);
            }
            None => times.push((name.to_owned(), seconds, seconds)),
        }
    }
    times
}

fn note(name: &str, took: Duration) {
    let file = OpenOptions::new().create(true).append(true).open(path());
    if let Ok(mut file) = file {
        // Only a figure: without it the build goes on.
        let _ = writeln!(file, "{name}\t{:.1}", took.as_secs_f64());
    }
}

fn path() -> PathBuf {
    process::root().join("target/times.tsv")
}
