//! The build tool: what `cargo` alone does not do. `cargo xtask` lists its commands.

mod bench;
mod bench_import;
mod closing_line;
mod database;
mod figures;
mod process;
mod server;
mod site;
mod steps;
mod style;
mod suite;
mod torture;

/// Regrant's own, so that tests run on the very cluster that a start without `DATABASE_URL` gets.
#[path = "../../src/server/postgres/mod.rs"]
#[allow(dead_code)]
mod postgres;

use std::process::ExitCode;

use anyhow::{Result, bail};

const USAGE: &str = "\
cargo xtask <command>

  build [--release]     build the browser half, then the server; with --release, the server carries
                        the site in itself and runs wherever it is copied
  site [--release]      build only the browser half, into target/site
  suite                 everything that `make test` tests
  torture [ARGS…]       kill and cut off real processes, and judge what came of it; `--profile full`
                        for the long form, `--seed N` to have a run again
  soak [ARGS…]          keep a release at work for half an hour and watch what it takes up
  figures               sizes, memory and times, against their limits
  bench [ROW…]          speed, in ratios to what PostgreSQL does beside it; `bench --help` lists the rows
  bench-import [ROWS]   how fast the release build imports connections, and what it holds meanwhile
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
    let release = || match rest {
        [] => Ok(false),
        [flag] if flag == "--release" => Ok(true),
        _ => bail!("`{command}` takes --release and nothing else"),
    };
    match command.as_str() {
        "build" => build(release()?),
        "site" => site::build(release()?).map(|_| ExitCode::SUCCESS),
        "suite" => suite::run(),
        "torture" => torture::build_and_run(rest),
        "soak" => {
            build(true)?;
            process::exit_code(&mut torture::soak(rest))
        }
        "figures" => figures::print(),
        "bench" => bench::run(rest),
        "bench-import" => bench_import::run(rest),
        "test" => database::test(rest),
        "postgres" if rest.is_empty() => database::keep(),
        "postgres" => database::run(rest),
        "sqlx" => database::prepare(rest),
        other => bail!("there is no command `{other}`\n\n{USAGE}"),
    }
}

fn build(release: bool) -> Result<ExitCode> {
    let digest = site::build(release)?;
    let profile = if release { "release" } else { "debug" };
    let mut cargo = process::cargo();
    cargo.args(["build", "--bin", "regrant"]);
    if release {
        // The digest tells cargo when the site that the binary carries is another.
        cargo.args(["--release", "--features", "embed-site"]).env("REGRANT_SITE_DIGEST", digest);
    }
    steps::step(&format!("Building the server ({profile})"), || process::check(&mut cargo))?;
    Ok(ExitCode::SUCCESS)
}
