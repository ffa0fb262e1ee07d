//! Journals of processes that live, and of those that do not.

use std::path::Path;

use tempfile::TempDir;
use uuid::Uuid;

use crate::server::{
    app::App,
    journal::{Journal, Leftover},
};

/// A process with a journal in `dir`, and what it finds there.
pub fn with_journal(app: &App, dir: &Path) -> Vec<Leftover> {
    let (journal, found) = Journal::open(dir, Uuid::from_u128(rand::random())).expect("a journal");
    app.keep_journal(journal);
    found
}

/// Waits until the process has written `count` records down.
pub async fn until_journaled(app: &App, count: usize) {
    let journaled = async {
        while app.journal().expect("a journal").depth() < count {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), journaled).await.expect("a record");
}

/// What a process would leave behind if it were killed now.
pub fn left_in(dir: &Path) -> TempDir {
    let left = tempfile::tempdir().expect("a folder");
    for file in std::fs::read_dir(dir).expect("the journals") {
        let file = file.expect("a file");
        // A copy: nobody has it locked.
        std::fs::copy(file.path(), left.path().join(file.file_name())).expect("a copy");
    }
    left
}

/// All that is written down in `dir`.
pub fn written_in(dir: &Path) -> Vec<u8> {
    let files = std::fs::read_dir(dir).expect("the journals");
    files.flat_map(|file| std::fs::read(file.expect("a file").path()).expect("bytes")).collect()
}
