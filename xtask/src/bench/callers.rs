//! Many callers for one expired token: the provider is asked once, whichever replica they reach.

use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::ground::Ground;
use super::program::{self, Filling, Server};
use super::provider::Provider;
use super::ratio::{Aim, Line, Series};
use super::token;

const CALLERS: usize = 1000;
/// Long enough for all of them to come while the one refresh is under way.
const ANSWER: Duration = Duration::from_millis(500);
const LIFETIME: Duration = Duration::from_secs(1);

pub fn measure(ground: &Ground) -> Result<Vec<Line>> {
    let provider = Provider::begin(ground, ANSWER, Duration::from_secs(3600))?;
    let database = ground.database("callers")?;
    let filling = Filling {
        token_url: &provider.token_url,
        clients: 1,
        concurrency: None,
        from: 0,
        to: u64::try_from(ground.effort.rounds)?,
        lifetime: LIFETIME,
        way: (1.0, 1.0),
    };
    program::fill(ground, &database, &filling)?;
    let key = token::key(ground, &database)?;
    let ids = token::ids(&database)?;
    thread::sleep(LIFETIME);

    let replicas =
        [Server::start(ground, &database, "web")?, Server::start(ground, &database, "web")?];
    let mut requests = Series::default();
    for id in ids.lines() {
        let before = provider.seen()?;
        let args = [
            "callers".to_owned(),
            replicas[0].address.to_string(),
            replicas[1].address.to_string(),
            format!("--key={key}"),
            format!("--id={id}"),
            format!("--count={CALLERS}"),
        ];
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let tokens = program::run(&ground.engine, ground, &database, &args)?;
        ensure!(tokens.trim() == "1", "{CALLERS} callers got {} tokens", tokens.trim());
        let after = provider.seen()?;
        requests.push(after.answered + after.faults - before.answered - before.faults);
    }
    for replica in replicas {
        replica.stop()?;
    }
    Ok(vec![Line {
        what: format!("refreshes for {CALLERS} callers of two replicas with one expired token"),
        product: requests,
        yardstick: None,
        aim: Aim::Exactly(1.0),
    }])
}
