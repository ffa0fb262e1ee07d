//! The provider: a process of its own that answers refreshes, rotates their tokens, and notes when one
//! comes twice.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use super::ground::Ground;
use super::program;
use crate::process;

pub struct Provider {
    pub token_url: String,
    address: SocketAddr,
    child: Child,
}

/// What it has seen.
pub struct Seen {
    pub answered: f64,
    /// Refresh tokens that came twice, and requests that made no sense.
    pub faults: f64,
}

impl Provider {
    /// Begins one that takes `delay` to answer, and whose tokens live as long as `lifetime`.
    pub fn begin(ground: &Ground, delay: Duration, lifetime: Duration) -> Result<Self> {
        let mut child = process::command(&ground.engine.to_string_lossy())
            .arg("provider")
            .arg(format!("--delay-ms={}", delay.as_millis()))
            .arg(format!("--lifetime={}", lifetime.as_secs()))
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().context("a provider without an output")?;
        let mut token_url = String::new();
        BufReader::new(stdout).read_line(&mut token_url)?;
        let token_url = token_url.trim().to_owned();
        let address = token_url.strip_prefix("http://").and_then(|rest| rest.split('/').next());
        let address =
            address.and_then(|text| text.parse().ok()).context("the provider's address")?;
        Ok(Self { token_url, address, child })
    }

    pub fn seen(&self) -> Result<Seen> {
        let (_, text) = program::get(self.address, "/")?;
        let (answered, faults) = text.split_once(' ').context("two counts")?;
        Ok(Seen { answered: answered.parse()?, faults: faults.parse()? })
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
