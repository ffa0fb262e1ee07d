//! A load on the product, made by a process of its own.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};

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
    /// Of how many of these it is told by themselves.
    pub slowest: usize,
}

/// How it was answered.
pub struct Heard {
    /// Answers a second.
    pub rate: f64,
    /// In microseconds.
    pub median: f64,
    /// What 99 of 100 do not exceed, in microseconds.
    pub tail: f64,
    /// The paths with the slowest answers, as (median, tail, path).
    pub slowest: Vec<(f64, f64, String)>,
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
            format!("--slowest={}", self.slowest),
        ];
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let told = program::feed(&ground.engine, ground, database, &args, self.paths)?;
        let mut lines = told.lines();
        let first = lines.next().unwrap_or_default();
        let numbers: Vec<f64> =
            first.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        let [rate, median, tail] = numbers[..] else { bail!("a load that told {told:?}") };
        let slowest = lines.map(|line| {
            let mut words = line.splitn(3, ' ');
            let mut next = || words.next().context("a line that is too short");
            Ok((next()?.parse()?, next()?.parse()?, next()?.to_owned()))
        });
        Ok(Heard { rate, median, tail, slowest: slowest.collect::<Result<_>>()? })
    }
}
