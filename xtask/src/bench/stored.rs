//! What the worker's steps cost by how much is stored: they are to depend on what is due alone.

use std::time::Duration;

use anyhow::Result;

use super::ground::{Database, Ground};
use super::program::{self, Filling};
use super::provider::Provider;
use super::ratio::{Aim, Line, Series};

const CLAIM: u64 = 500;
/// How many claims are made one after the other.
const CLAIMS: u64 = 3;
const LOOKS: u64 = 200;

/// Nothing falls due by itself while this runs.
const LIFETIME: Duration = Duration::from_secs(24 * 3600);

pub fn measure(ground: &Ground) -> Result<Vec<Line>> {
    let provider = Provider::begin(ground, Duration::ZERO, LIFETIME)?;
    let sizes = ground.effort.stored;
    let databases = sizes
        .iter()
        .map(|size| {
            let database = ground.database(&format!("stored_{size}"))?;
            fill(ground, &provider, &database, 0, *size, (0.0, 0.2))?;
            database.settle()?;
            Ok(database)
        })
        .collect::<Result<Vec<Database>>>()?;

    let mut looks = vec![Series::default(); sizes.len()];
    for _ in 0..ground.effort.rounds {
        for (database, looks) in databases.iter().zip(&mut looks) {
            let args = ["tick", &format!("--times={LOOKS}")];
            looks.push(micros(&program::run(&ground.engine, ground, database, &args)?)?.median());
        }
    }

    let due = CLAIM * CLAIMS * u64::try_from(ground.effort.rounds)?;
    for (database, size) in databases.iter().zip(sizes) {
        fill(ground, &provider, database, size, size + due, (1.0, 1.0))?;
        database.settle()?;
    }
    let mut claims = vec![Series::default(); sizes.len()];
    for _ in 0..ground.effort.rounds {
        for (database, claims) in databases.iter().zip(&mut claims) {
            let args = ["claim", &format!("--times={CLAIMS}"), &format!("--size={CLAIM}")];
            claims.push(micros(&program::run(&ground.engine, ground, database, &args)?)?.median());
        }
    }

    let mut lines = lines("microseconds of a look with nothing due", &sizes, &looks);
    lines.extend(self::lines("microseconds of a claim of 500", &sizes, &claims));
    Ok(lines)
}

fn lines(what: &str, sizes: &[u64], series: &[Series]) -> Vec<Line> {
    let (Some((least, others)), Some(yardstick)) = (sizes.split_first(), series.first()) else {
        return Vec::new();
    };
    let line = |(size, series): (&u64, &Series)| Line {
        what: format!("{what}, {size} stored"),
        product: series.clone(),
        yardstick: Some((format!("the same with {least} stored"), yardstick.clone())),
        aim: Aim::AtMost(1.5),
    };
    others.iter().zip(&series[1..]).map(line).collect()
}

fn fill(
    ground: &Ground,
    provider: &Provider,
    database: &Database,
    from: u64,
    to: u64,
    way: (f64, f64),
) -> Result<()> {
    let filling = Filling {
        token_url: &provider.token_url,
        clients: 20,
        concurrency: None,
        from,
        to,
        lifetime: LIFETIME,
        way,
    };
    program::fill(ground, database, &filling)
}

fn micros(text: &str) -> Result<Series> {
    let mut series = Series::default();
    for line in text.lines() {
        series.push(line.parse::<f64>()? / 1000.0);
    }
    Ok(series)
}
