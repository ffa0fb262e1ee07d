//! Logs to standard error, metrics for Prometheus.

use std::{io, sync::Arc};

use metrics_exporter_prometheus::PrometheusBuilder;
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// Begins to log. Fails when `filter` makes no sense.
pub fn begin_log(filter: &str) -> anyhow::Result<()> {
    let filter = read(filter)?;
    let colour = io::IsTerminal::is_terminal(&io::stderr());
    tracing_subscriber::registry()
        .with(filter)
        .with(fmt::layer().with_writer(io::stderr).with_ansi(colour))
        .try_init()?;
    Ok(())
}

/// What PostgreSQL remarks on each migration that finds its table made, nobody needs to read; unless it is
/// asked for.
fn read(text: &str) -> anyhow::Result<EnvFilter> {
    let filter = EnvFilter::try_new(text)
        .map_err(|error| anyhow::anyhow!("REGRANT_LOG={text} is no log filter: {error}"))?;
    if text.contains("sqlx") {
        return Ok(filter);
    }
    Ok(filter.add_directive("sqlx::postgres::notice=warn".parse()?))
}

/// Begins to count; what `/metrics` shows.
pub fn begin_metrics() -> anyhow::Result<Arc<dyn Fn() -> String + Send + Sync>> {
    let handle = PrometheusBuilder::new().install_recorder()?;
    Ok(Arc::new(move || handle.render()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remarks_of_the_database_are_left_out_unless_asked_for() {
        let quiet = read("info").unwrap().to_string();
        assert!(quiet.contains("sqlx::postgres::notice=warn"), "{quiet}");
        let asked = read("info,sqlx::postgres::notice=info").unwrap().to_string();
        assert!(!asked.contains("notice=warn"), "{asked}");
        assert!(read("a=loudly").is_err());
    }
}
