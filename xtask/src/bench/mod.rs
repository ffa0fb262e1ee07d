//! Speed as ratios: the product and its yardstick in turn, several times, in one run on one machine.
//!
//! A figure by itself says more of the machine than of the product. A ratio to what PostgreSQL does
//! beside it, measured in the same minutes, can be held against an aim.

mod callers;
mod ground;
mod late;
mod load;
mod machine;
mod pages;
mod processor;
mod program;
mod provider;
mod ratio;
mod refresh;
mod stored;
mod token;
mod weight;

use std::process::ExitCode;

use anyhow::{Result, bail, ensure};

use ground::Ground;
use ratio::Line;

pub const USAGE: &str = "\
cargo xtask bench [--quick] [ROW…]

  refresh   refreshes per second with a provider that answers in 1 ms and in 100 ms
  token     live tokens read per second
  callers   a thousand callers for one expired token
  stored    a look for what is due when nothing is, and a claim of 500, by how much is stored
  late      how late refreshes come when a million tokens live an hour each
  pages     how long the dashboard's pages take with a hundred thousand connections

  --quick   less of everything, to see that it runs; its figures mean little";

type Measure = fn(&Ground) -> Result<Vec<Line>>;

const ROWS: [(&str, Measure); 6] = [
    ("refresh", refresh::measure),
    ("token", token::measure),
    ("callers", callers::measure),
    ("stored", stored::measure),
    ("late", late::measure),
    ("pages", pages::measure),
];

/// How much of everything.
#[derive(Clone, Copy)]
pub struct Effort {
    /// How often product and yardstick take turns.
    pub rounds: usize,
    /// How long each of them runs.
    pub seconds: u64,
    /// How many connections are stored, where that is the question.
    pub stored: [u64; 3],
    /// How long the worker keeps the largest of these alive.
    pub minutes: u64,
}

const FULL: Effort =
    Effort { rounds: 5, seconds: 10, stored: [10_000, 100_000, 1_000_000], minutes: 10 };
const QUICK: Effort = Effort { rounds: 3, seconds: 3, stored: [5_000, 20_000, 50_000], minutes: 1 };

pub fn run(args: &[String]) -> Result<ExitCode> {
    let (flags, rows): (Vec<&String>, Vec<&String>) =
        args.iter().partition(|arg| arg.starts_with("--"));
    let effort = match flags[..] {
        [] => FULL,
        [flag] if flag == "--quick" => QUICK,
        [flag] if flag == "--help" => {
            println!("{USAGE}");
            return Ok(ExitCode::SUCCESS);
        }
        _ => bail!("{USAGE}"),
    };
    for row in &rows {
        ensure!(ROWS.iter().any(|(name, _)| name == row), "there is no row `{row}`\n\n{USAGE}");
    }
    let chosen = |name: &str| rows.is_empty() || rows.iter().any(|row| *row == name);

    let ground = Ground::prepare(effort)?;
    machine::print(&ground)?;
    let mut lines = Vec::new();
    for (name, measure) in ROWS.iter().filter(|(name, _)| chosen(name)) {
        eprintln!("==> {name}");
        lines.extend(measure(&ground)?);
    }
    ratio::print(&lines);
    ground.clear()?;
    Ok(if lines.iter().all(Line::is_reached) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
