//! Reading live tokens: the key checked, the token decrypted, on connections that are kept.

use std::time::Duration;

use anyhow::Result;

use super::ground::{CONNECTIONS, Database, Ground};
use super::load::Load;
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
    let header = format!("authorization: Bearer {key}");
    let paths: Vec<String> =
        ids(&database)?.lines().map(|id| format!("/api/v1/connections/{id}/token")).collect();
    let paths = paths.join("\n");
    for database in [&yardstick, &database] {
        database.settle()?;
    }

    let (mut rates, mut theirs) = (Series::default(), Series::default());
    let (mut medians, mut tails) = (Series::default(), Series::default());
    for _ in 0..ground.effort.rounds {
        theirs.push(yardstick.pgbench("-S", CONNECTIONS, ground.effort.seconds)?);
        // One for each round: when it ends it writes what it still counts of who read, so that no round of
        // the yardstick has that beside it.
        let server = Server::start(ground, &database, "web")?;
        let load = Load {
            address: server.address,
            header: &header,
            connections: CONNECTIONS,
            holds: "\"access_token\":\"",
            paths: &paths,
            slowest: 0,
        };
        let heard = load.run(ground, &database)?;
        rates.push(heard.rate);
        medians.push(heard.median);
        tails.push(heard.tail);
        server.stop()?;
    }
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
