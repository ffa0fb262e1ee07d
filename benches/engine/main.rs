//! The parts of `cargo xtask bench` that have to be fast or have to be inside: a provider, a load on
//! the API, a database full of connections, and single steps of the worker, which no request from
//! outside can tell apart.
//!
//! It calls the use cases that the product's own doors call, so nothing in the product is there for
//! measuring only. Without a command, as in `cargo bench`, it does nothing.

mod fill;
mod load;
mod provider;
mod steps;

use std::net::SocketAddr;

use clap::{Parser, Subcommand};
use regrant::server::{
    app::{self, Actor, App},
    config::Config,
    start, telemetry,
};

const ACTOR: &Actor = &Actor::Operator;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    config: Config,
    #[command(subcommand)]
    command: Option<Command>,
    /// Given by cargo
    #[arg(long)]
    bench: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Answers refreshes until it is killed; prints the address of its token endpoint
    Provider {
        #[command(flatten)]
        manner: provider::Manner,
    },
    /// Stores connections of clients at a provider of which nothing but a token endpoint is known
    Fill {
        #[command(flatten)]
        filling: fill::Filling,
    },
    /// Looks for what is due, again and again; the nanoseconds of each look
    Tick {
        #[arg(long)]
        times: u32,
    },
    /// Claims what is due and lets it be refreshed, again and again; the nanoseconds of each claim
    Claim {
        #[arg(long)]
        times: u32,
        #[arg(long)]
        size: u32,
    },
    /// Reads tokens over kept connections. Ids come on standard input; prints answers a second, and the
    /// microseconds of the median and of the 99th percentile
    Load {
        address: SocketAddr,
        #[arg(long)]
        key: String,
        #[arg(long)]
        connections: usize,
        #[arg(long)]
        seconds: u64,
    },
    /// Lets many callers ask for one token at once; prints how many different tokens they got
    Callers {
        addresses: Vec<SocketAddr>,
        #[arg(long)]
        key: String,
        #[arg(long)]
        id: String,
        #[arg(long)]
        count: usize,
    },
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    match cli.command {
        None => Ok(()),
        Some(Command::Provider { manner }) => provider::serve(&manner),
        Some(Command::Load { address, key, connections, seconds }) => {
            load::run(address, &key, connections, seconds)
        }
        Some(Command::Callers { addresses, key, id, count }) => {
            load::crowd(&addresses, &key, &id, count)
        }
        Some(Command::Fill { filling }) => {
            inside(&cli.config, async |app| fill::run(&app, &filling).await)
        }
        Some(Command::Tick { times }) => {
            inside(&cli.config, async |app| steps::tick(&app, times).await)
        }
        Some(Command::Claim { times, size }) => {
            inside(&cli.config, async |app| steps::claim(&app, times, size).await)
        }
    }
}

/// Runs `work` with the use cases.
fn inside(
    config: &Config,
    work: impl AsyncFnOnce(App) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    telemetry::begin_log(&config.log)?;
    let (url, _postgres) = start::database(config)?;
    // One thread: what a claim begins does not run while the claim is measured.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let app = start::app(config, start::connect(&url).await?).await?;
        app::upkeep::check_clock(&app).await?;
        work(app).await
    })
}

fn said(error: app::Error) -> anyhow::Error {
    match error {
        app::Error::Internal(error) => error,
        other => anyhow::anyhow!("{}", other.problem().message),
    }
}
