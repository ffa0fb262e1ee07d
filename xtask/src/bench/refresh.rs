//! Refreshes, from claim to save, by one worker with a provider beside it.
//!
//! The tokens live so short that there is always more due than can be done.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::ground::{CONNECTIONS, Database, Ground};
use super::program::{self, Filling, Server};
use super::provider::Provider;
use super::ratio::{Aim, Line, Series};

/// How long the provider's tokens live: due again after some six seconds.
const LIFETIME: Duration = Duration::from_secs(8);
/// Enough for more to be due in that time than anyone could refresh.
const STORED: u64 = 60_000;
const CLIENTS: u32 = 20;
/// How many requests of one client may be under way at the slow provider.
const LIMIT: u32 = 8;
const WARM_UP: Duration = Duration::from_secs(3);

const FAST: Duration = Duration::from_millis(1);
const SLOW: Duration = Duration::from_millis(100);

pub fn measure(ground: &Ground) -> Result<Vec<Line>> {
    let quick = Provider::begin(ground, FAST, LIFETIME)?;
    let lazy = Provider::begin(ground, SLOW, LIFETIME)?;
    let yardstick = ground.yardstick("refresh_yardstick", 10)?;
    let fast = stored(ground, &quick, "refresh_fast", None)?;
    let slow = stored(ground, &lazy, "refresh_slow", Some(LIMIT))?;

    let (mut rates, mut theirs) = (Series::default(), Series::default());
    let (mut slow_rates, mut slow_limits) = (Series::default(), Series::default());
    for _ in 0..ground.effort.rounds {
        yardstick.settle()?;
        theirs.push(yardstick.pgbench("-N", CONNECTIONS, ground.effort.seconds)?);
        fast.settle()?;
        rates.push(rate(ground, &fast)?);
        slow.settle()?;
        slow_rates.push(rate(ground, &slow)?);
        slow_limits.push(f64::from(CLIENTS * LIMIT) / SLOW.as_secs_f64());
    }
    let mut faults = Series::default();
    faults.push(quick.seen()?.faults + lazy.seen()?.faults);
    Ok(vec![
        Line {
            what: "refreshes a second, the provider answers in 1 ms".into(),
            product: rates,
            yardstick: Some(("pgbench -N, transactions a second".into(), theirs)),
            aim: Aim::AtLeast(1.0),
        },
        Line {
            what: "refreshes a second, the provider answers in 100 ms".into(),
            product: slow_rates,
            yardstick: Some((
                format!("what {CLIENTS} clients with {LIMIT} requests under way each allow"),
                slow_limits,
            )),
            aim: Aim::AtLeast(0.9),
        },
        Line {
            what: "refresh tokens that the provider saw twice in all of this".into(),
            product: faults,
            yardstick: None,
            aim: Aim::Exactly(0.0),
        },
    ])
}

/// A database in which all is due.
fn stored(
    ground: &Ground,
    provider: &Provider,
    name: &str,
    concurrency: Option<u32>,
) -> Result<Database> {
    let database = ground.database(name)?;
    let filling = Filling {
        token_url: &provider.token_url,
        clients: CLIENTS,
        concurrency,
        from: 0,
        to: STORED,
        lifetime: Duration::from_secs(3600),
        way: (1.0, 1.0),
    };
    program::fill(ground, &database, &filling)?;
    Ok(database)
}

/// Refreshes a second that a worker saves.
fn rate(ground: &Ground, database: &Database) -> Result<f64> {
    let worker = Server::start(ground, database, "worker")?;
    thread::sleep(WARM_UP);
    let (before, began) = (worker.refreshed()?, Instant::now());
    thread::sleep(Duration::from_secs(ground.effort.seconds));
    let (after, took) = (worker.refreshed()?, began.elapsed());
    worker.stop()?;
    Ok((after - before) / took.as_secs_f64())
}
