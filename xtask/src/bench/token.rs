//! Reading live tokens: the key checked, the token decrypted, on connections that are kept.

use std::time::Duration;

use anyhow::{Result, bail};

use super::ground::{CONNECTIONS, Database, Ground};
use super::program::{self, Filling, Server};
use super::provider::Provider;
use super::ratio::{Aim, Line, Series};

/// Nothing falls due while this runs.
const LIFETIME: Duration = Duration::from_secs(24 * 3600);

pub fn measure(ground: &Ground) -> Result<Vec<Line>> {
    let provider = Provider::begin(ground, Duration::ZERO, LIFETIME)?;
    let stored = ground.effort.stored[1];
    let yardstick = ground.yardstick("token_yardstick", 1)?;
    let database = ground.database("token")?;
    let filling = Filling {
        token_url: &provider.token_url,
        clients: 20,
        concurrency: None,
        from: 0,
        to: stored,
        lifetime: LIFETIME,
        way: (0.0, 0.3),
    };
    program::fill(ground, &database, &filling)?;
    let key = key(ground, &database)?;
    let ids = ids(&database)?;
    for database in [&yardstick, &database] {
        database.settle()?;
    }

    let server = Server::start(ground, &database, "web")?;
    let (mut rates, mut theirs) = (Series::default(), Series::default());
    let (mut medians, mut tails) = (Series::default(), Series::default());
    for _ in 0..ground.effort.rounds {
        theirs.push(yardstick.pgbench("-S", CONNECTIONS, ground.effort.seconds)?);
        let args = [
            "load".to_owned(),
            server.address.to_string(),
            format!("--key={key}"),
            format!("--connections={CONNECTIONS}"),
            format!("--seconds={}", ground.effort.seconds),
        ];
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let told = program::feed(&ground.engine, ground, &database, &args, &ids)?;
        let numbers: Vec<f64> =
            told.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        let [rate, median, tail] = numbers[..] else { bail!("a load that told {told:?}") };
        rates.push(rate);
        medians.push(median);
        tails.push(tail);
    }
    server.stop()?;
    Ok(vec![
        Line {
            what: format!(
                "tokens read a second over {CONNECTIONS} connections, of {stored} stored"
            ),
            product: rates,
            yardstick: Some(("pgbench -S -M prepared, transactions a second".into(), theirs)),
            aim: Aim::AtLeast(0.5),
        },
        Line {
            what: "microseconds within which 99 of 100 of these are answered".into(),
            product: tails,
            yardstick: Some(("their median".into(), medians)),
            aim: Aim::AtMost(4.0),
        },
    ])
}

/// A key that reads tokens.
pub fn key(ground: &Ground, database: &Database) -> Result<String> {
    let args = ["api-key", "create", "--name=bench", "--scope=tokens:read"];
    Ok(program::run(&ground.regrant, ground, database, &args)?.trim().to_owned())
}

/// The ids of all connections, one a line.
pub fn ids(database: &Database) -> Result<String> {
    database.sql("SELECT id FROM connections ORDER BY id")
}
