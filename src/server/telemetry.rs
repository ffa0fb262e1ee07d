//! Logs to standard error, metrics for Prometheus.

use std::{io, sync::Arc};

use metrics_exporter_prometheus::PrometheusBuilder;
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// Begins to log. Fails when `filter` makes no sense.
pub fn begin_log(filter: &str) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| anyhow::anyhow!("REGRANT_LOG={filter} is no log filter: {error}"))?;
    let colour = io::IsTerminal::is_terminal(&io::stderr());
    tracing_subscriber::registry()
        .with(filter)
        .with(fmt::layer().with_writer(io::stderr).with_ansi(colour))
        .try_init()?;
    Ok(())
}

/// Begins to count; what `/metrics` shows.
pub fn begin_metrics() -> anyhow::Result<Arc<dyn Fn() -> String + Send + Sync>> {
    let handle = PrometheusBuilder::new().install_recorder()?;
    Ok(Arc::new(move || handle.render()))
}
