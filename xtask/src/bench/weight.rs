//! How much a browser has to load: each page, compressed as a proxy in front would, and a first visit with
//! all that the page brings along.

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};

use super::program;
use super::ratio::{Aim, Line, Series};
use crate::{process, site};

/// Kilobytes of a page.
const PAGE: f64 = 60.0;
/// Kilobytes of a first visit.
const FIRST: f64 = 450.0;

/// `pages`: a name and the address of one of its kind.
pub fn lines(address: SocketAddr, cookie: &str, pages: &[(&str, String)]) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    let mut heaviest: f64 = 0.0;
    for (name, path) in pages {
        let (head, body) = program::get_as(address, path, cookie)?;
        ensure!(head.starts_with("HTTP/1.1 200"), "{path}: {head}");
        let packed = packed(body.as_bytes())?;
        heaviest = heaviest.max(packed);
        lines.push(line(format!("kilobytes of {name}, compressed"), packed, PAGE));
    }
    let total = heaviest + packages()?;
    lines.push(line("kilobytes of a first visit to the heaviest of them".into(), total, FIRST));
    Ok(lines)
}

fn line(what: String, value: f64, aim: f64) -> Line {
    let mut product = Series::default();
    product.push(value);
    Line { what, product, yardstick: None, aim: Aim::AtMost(aim) }
}

/// Kilobytes (1000 bytes) that gzip makes of it.
fn packed(text: &[u8]) -> Result<f64> {
    let mut gzip = process::command("gzip");
    let mut child = gzip.arg("-c").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut stdin = child.stdin.take().context("gzip reads nothing")?;
    let text = text.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&text));
    let output = child.wait_with_output()?;
    let written = writer.join().map_err(|_| anyhow::anyhow!("gzip was not written to"))?;
    written?;
    Ok(kilobytes(output.stdout.len() as u64))
}

/// Script, WASM and style, as they are sent.
fn packages() -> Result<f64> {
    let mut total = 0;
    for path in site::files(&process::root().join("target/site/pkg"))? {
        if path.extension().is_some_and(|ending| ending == "br") {
            total += fs::metadata(&path)?.len();
        }
    }
    ensure!(total > 0, "target/site has no packed files");
    Ok(kilobytes(total))
}

#[expect(clippy::cast_precision_loss, reason = "sizes of files")]
fn kilobytes(bytes: u64) -> f64 {
    bytes as f64 / 1000.0
}
