//! How many questions the database is asked.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tracing::{Event, Subscriber, subscriber::DefaultGuard};
use tracing_subscriber::{
    Layer,
    filter::LevelFilter,
    layer::{Context, SubscriberExt},
    registry::Registry,
};

/// Counts what this thread asks, from its making on. A test runs on one thread.
pub struct Questions {
    asked: Arc<AtomicUsize>,
    _guard: DefaultGuard,
}

impl Questions {
    pub fn count() -> Self {
        let asked = Arc::new(AtomicUsize::new(0));
        let layer = Asked(asked.clone()).with_filter(LevelFilter::DEBUG);
        let guard = tracing::subscriber::set_default(Registry::default().with(layer));
        Self { asked, _guard: guard }
    }

    pub fn so_far(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

struct Asked(Arc<AtomicUsize>);

impl<S: Subscriber> Layer<S> for Asked {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "sqlx::query" {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}
