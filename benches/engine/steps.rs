//! Steps of the worker, each timed by itself.

use std::time::Instant;

use regrant::server::app::{self, App};

use super::said;

/// The first looks prepare statements and read pages that nobody has read yet.
const WARM_UP: u32 = 5;

pub async fn tick(app: &App, times: u32) -> anyhow::Result<()> {
    for round in 0..WARM_UP + times {
        let began = Instant::now();
        let begun = app::refresh::begin_due(app, 256).await.map_err(said)?.len();
        let asked = app::connection::device::begin_due(app, 256).await.map_err(said)?.len();
        let took = began.elapsed();
        anyhow::ensure!(begun + asked == 0, "{} were due", begun + asked);
        if round >= WARM_UP {
            println!("{}", took.as_nanos());
        }
    }
    Ok(())
}

pub async fn claim(app: &App, times: u32, size: u32) -> anyhow::Result<()> {
    for _ in 0..times {
        let began = Instant::now();
        let begun = app::refresh::begin_due(app, size.into()).await.map_err(said)?;
        let took = began.elapsed();
        anyhow::ensure!(begun.len() == usize::try_from(size)?, "{} were claimed", begun.len());
        println!("{}", took.as_nanos());
        for refresh in begun {
            refresh.await?;
        }
    }
    Ok(())
}
