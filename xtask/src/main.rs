//! The build tool: what `cargo` alone does not do. `cargo xtask` lists its commands.

mod database;
mod process;

/// Regrant's own, so that tests run on the very cluster that a start without `DATABASE_URL` gets.
#[path = "../../src/server/postgres/mod.rs"]
#[allow(dead_code)]
mod postgres;

use std::process::ExitCode;

use anyhow::{Result, bail};

const USAGE: &str = "\
cargo xtask <command>

  test [ARGS…]          run the Rust tests on a PostgreSQL of their own; ARGS go to cargo nextest
                        (or cargo test, where nextest is not installed)
  postgres [CMD…]       run CMD with the DATABASE_URL of a throw-away PostgreSQL; without CMD, keep
                        one for development until Ctrl-C and print its DATABASE_URL
  sqlx [ARGS…]          write .sqlx anew from the migrations and the queries; ARGS go to
                        cargo sqlx prepare (`--check` only compares)";

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some((command, rest)) = args.split_first() else {
        println!("{USAGE}");
        return Ok(ExitCode::SUCCESS);
    };
    match command.as_str() {
        "test" => database::test(rest),
        "postgres" if rest.is_empty() => database::keep(),
        "postgres" => database::run(rest),
        "sqlx" => database::prepare(rest),
        other => bail!("there is no command `{other}`\n\n{USAGE}"),
    }
}
