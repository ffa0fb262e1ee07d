//! A load on the product, made by a process of its own.

use std::net::SocketAddr;

use anyhow::{Result, bail};

use super::ground::{Database, Ground};
use super::program;

pub struct Load<'a> {
    pub address: SocketAddr,
    /// Who asks.
    pub header: &'a str,
    pub connections: usize,
    /// A text that each answer has to hold.
    pub holds: &'a str,
    /// One a line.
    pub paths: &'a str,
}

/// How it was answered.
pub struct Heard {
    /// Answers a second.
    pub rate: f64,
    /// In microseconds.
    pub median: f64,
    /// What 99 of 100 do not exceed, in microseconds.
    pub tail: f64,
}

impl Load<'_> {
    pub fn run(&self, ground: &Ground, database: &Database) -> Result<Heard> {
        let args = [
            "load".to_owned(),
            self.address.to_string(),
            format!("--header={}", self.header),
            format!("--connections={}", self.connections),
            format!("--seconds={}", ground.effort.seconds),
            format!("--holds={}", self.holds),
        ];
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let told = program::feed(&ground.engine, ground, database, &args, self.paths)?;
        let numbers: Vec<f64> =
            told.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        let [rate, median, tail] = numbers[..] else { bail!("a load that told {told:?}") };
        Ok(Heard { rate, median, tail })
    }
}
