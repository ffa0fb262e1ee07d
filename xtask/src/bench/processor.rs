//! What of the processors went to answers. Where ten people wait for two processors, an answer takes as long
//! as what all of them take of these; so this tells which pages are dear, whoever waits for them.

use std::fs;

use anyhow::{Context, Result};

use super::ground::Database;
use super::program::{self, Server};

/// As often each address is asked, by one person alone.
const TIMES: u32 = 20;

/// Milliseconds that the server and its database have of the processors for one answer. What the worker takes
/// meanwhile is in it.
pub fn milliseconds(server: &Server, database: &Database, cookie: &str, path: &str) -> Result<f64> {
    let postmaster = postmaster(database)?;
    let had = || -> Result<f64> {
        let mut nanoseconds = of_process(server.id());
        nanoseconds += of_process(postmaster);
        nanoseconds += children(postmaster)?.into_iter().map(of_process).sum::<f64>();
        Ok(nanoseconds / 1_000_000.0)
    };
    // What the first one alone has to read is not counted.
    program::get_as(server.address, path, cookie)?;
    let before = had()?;
    for _ in 0..TIMES {
        program::get_as(server.address, path, cookie)?;
    }
    Ok((had()? - before) / f64::from(TIMES))
}

fn postmaster(database: &Database) -> Result<u32> {
    let folder = database.sql("SHOW data_directory")?;
    let text = fs::read_to_string(format!("{folder}/postmaster.pid"))?;
    text.lines()
        .next()
        .context("a postmaster without an id")?
        .trim()
        .parse()
        .context("postmaster.pid")
}

fn children(parent: u32) -> Result<Vec<u32>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let Ok(id) = entry?.file_name().to_string_lossy().parse::<u32>() else { continue };
        // Some end while they are looked at. Behind the name, which may hold anything: state and parent.
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        let behind = stat.rsplit_once(')').map(|(_, behind)| behind).unwrap_or_default();
        if behind.split_whitespace().nth(1) == Some(&parent.to_string()) {
            found.push(id);
        }
    }
    Ok(found)
}

/// Nanoseconds that a process has had, all its threads together; 0 where the kernel does not tell, or it ended.
fn of_process(id: u32) -> f64 {
    let Ok(threads) = fs::read_dir(format!("/proc/{id}/task")) else { return 0.0 };
    threads
        .filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("schedstat")).ok())
        .filter_map(|told| told.split(' ').next()?.parse::<f64>().ok())
        .sum()
}
