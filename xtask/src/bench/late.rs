//! How late refreshes come: a worker keeps a million tokens alive that live an hour each.
//!
//! The connections are spread over the way from one refresh to the next, as they are in a house that
//! has run for a while. What counts is how much life the old token had left when the new one was
//! stored, and that is read from what the product wrote down. Within the time that is measured no
//! token comes to its second refresh.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::ground::{Database, Ground};
use super::program::{self, Filling, Server};
use super::provider::Provider;
use super::ratio::{Aim, Line, Series};

const LIFETIME: Duration = Duration::from_secs(3600);
const ANSWER: Duration = Duration::from_millis(10);
const LOOK: Duration = Duration::from_secs(2);

pub fn measure(ground: &Ground) -> Result<Vec<Line>> {
    let provider = Provider::begin(ground, ANSWER, LIFETIME)?;
    let stored = ground.effort.stored[2];
    let database = ground.database("late")?;
    let filling = Filling {
        token_url: &provider.token_url,
        clients: 20,
        concurrency: None,
        from: 0,
        to: stored,
        lifetime: LIFETIME,
        way: (0.0, 1.0),
    };
    program::fill(ground, &database, &filling)?;
    // A new token set takes the place of the old one.
    database
        .sql("CREATE TABLE before AS SELECT id, generation, access_expires_at FROM connections")?;
    database.settle()?;

    let worker = Server::start(ground, &database, "worker")?;
    let began = Instant::now();
    let mut behind = Series::default();
    while began.elapsed() < Duration::from_secs(ground.effort.minutes * 60) {
        thread::sleep(LOOK);
        behind.push(seconds_behind(&database)?);
    }
    let (refreshed, took) = (worker.refreshed()?, began.elapsed());
    worker.stop()?;

    let left = left(&database)?;
    let late = database.number(
        "SELECT count(*) FROM connections WHERE access_expires_at < now() AND state <> 'disconnected'",
    )?;
    println!(
        "    life left when replaced: {:.0} s at least, {:.0} s for 999 of 1000, {:.0} s in the median; \
         the most overdue at each look: median {:.1} s, p99.9 {:.1} s, max {:.1} s",
        left.least,
        left.thousandth,
        left.median,
        behind.median(),
        behind.quantile(0.999),
        behind.max()
    );
    let one = |value: f64| {
        let mut series = Series::default();
        series.push(value);
        series
    };
    #[expect(clippy::cast_precision_loss, reason = "counts of what a bench does")]
    let needed = stored as f64 / LIFETIME.as_secs_f64();
    Ok(vec![
        Line {
            what: format!(
                "tokens of {stored} that ended before they were replaced, in {} minutes",
                ground.effort.minutes
            ),
            product: one(late + left.ended),
            yardstick: None,
            aim: Aim::Exactly(0.0),
        },
        Line {
            what: "refreshes a second meanwhile".into(),
            product: one(refreshed / took.as_secs_f64()),
            yardstick: Some(("one in the life of each token".into(), one(needed))),
            aim: Aim::AtLeast(1.0),
        },
    ])
}

/// How long ago the most overdue connection fell due.
fn seconds_behind(database: &Database) -> Result<f64> {
    database.number(
        "SELECT coalesce(greatest(extract(epoch FROM max(now() - first.due_at)), 0), 0)
         FROM clients CROSS JOIN LATERAL (
             SELECT due_at FROM connections
             WHERE client_id = clients.id AND due_at IS NOT NULL ORDER BY due_at LIMIT 1
         ) first",
    )
}

/// The life that tokens had left when they were replaced, in seconds.
struct Left {
    least: f64,
    thousandth: f64,
    median: f64,
    /// How many had none.
    ended: f64,
}

fn left(database: &Database) -> Result<Left> {
    let text = database.sql(
        "SELECT coalesce(percentile_disc(0) WITHIN GROUP (ORDER BY life), 0),
                coalesce(percentile_disc(0.001) WITHIN GROUP (ORDER BY life), 0),
                coalesce(percentile_disc(0.5) WITHIN GROUP (ORDER BY life), 0),
                count(*) FILTER (WHERE life <= 0)
         FROM attempts
         JOIN before ON before.id = connection_id AND generation = generation_before
         CROSS JOIN LATERAL (SELECT extract(epoch FROM access_expires_at - finished_at) AS life) each
         WHERE verdict = 'refreshed'",
    )?;
    let numbers: Vec<f64> = text.split('|').map(str::parse).collect::<Result<_, _>>()?;
    let [least, thousandth, median, ended] = numbers[..] else {
        return Err(anyhow::anyhow!("{text}")).context("the lives that were left");
    };
    Ok(Left { least, thousandth, median, ended })
}
