//! Where an arrival is written down while it is not stored: once as it came, and once more when it is known whose it
//! is. The provider may not say so to a later start, whose access token has ended by then.

use tokio::time::timeout;

use super::{Arrival, record};
use crate::server::{
    app::{
        App,
        refresh::{JOURNAL_PATIENCE, replay as journal},
    },
    journal::Record,
};

pub(super) struct Kept {
    /// Whether it lies in the journal of a process that ended.
    pub is_before: bool,
    records: Vec<Record>,
    /// Which revision of it is on a disk.
    written: Option<i64>,
}

impl Kept {
    /// In memory only.
    pub fn nowhere() -> Self {
        Self { is_before: false, records: Vec::new(), written: None }
    }

    /// In the journal of a process that ended.
    pub fn before(arrival: &Arrival) -> Self {
        let written = Some(record::revision(arrival));
        Self { is_before: true, records: Vec::new(), written }
    }

    pub fn is_nowhere(&self) -> bool {
        self.written.is_none()
    }

    /// Whether less is written down than is known.
    pub fn lacks(&self, arrival: &Arrival) -> bool {
        self.written < Some(record::revision(arrival))
    }

    /// Writes down what is not yet.
    pub async fn write_down(&mut self, app: &App, arrival: &Arrival) {
        if !self.lacks(arrival) {
            return;
        }
        match timeout(JOURNAL_PATIENCE, journal::keep(app, record::write(app, arrival))).await {
            Ok(Some(record)) => {
                self.records.push(record);
                self.written = Some(record::revision(arrival));
            }
            Ok(None) => {}
            Err(_) => tracing::error!(arrival = %arrival.id, "the journal's disk does not answer"),
        }
    }

    /// Says that it is needed no more.
    pub fn settle(self) {
        self.records.into_iter().for_each(Record::settle);
    }
}
