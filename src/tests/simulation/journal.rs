//! The files beside the store: what is synced outlives its process, what is being written may be there
//! whole, in part or not at all. Each process has a file of its own; whoever starts next on the same
//! replica reads what ended ones left.

use uuid::Uuid;

use super::{
    executor::{Group, MILLI, SECOND},
    faults::Fault,
    world::{State, World},
};
use crate::server::app::refresh::decide::Outcome;

struct Record {
    id: u64,
    attempt_id: Uuid,
    bytes: Vec<u8>,
    is_synced: bool,
}

/// One process's file.
struct File {
    replica: usize,
    owner: Group,
    records: Vec<Record>,
    /// Records that are not settled.
    depth: usize,
}

#[derive(Default)]
pub struct Journals(Vec<File>);

impl Journals {
    pub fn open(&mut self, replica: usize, owner: Group) {
        self.0.push(File { replica, owner, records: Vec::new(), depth: 0 });
    }

    fn file(&mut self, owner: Group) -> Option<&mut File> {
        self.0.iter_mut().find(|file| file.owner == owner)
    }

    /// Takes a record back; once none is left the file is emptied.
    pub fn settle(&mut self, owner: Group) {
        if let Some(file) = self.file(owner) {
            file.depth = file.depth.saturating_sub(1);
            if file.depth == 0 {
                file.records.retain(|record| !record.is_synced);
            }
        }
    }

    /// What processes that ended left on a replica, each file's outcomes.
    pub fn leftovers(
        &self,
        replica: usize,
        is_over: impl Fn(Group) -> bool,
    ) -> Vec<(Group, Vec<Outcome>)> {
        self.0
            .iter()
            .filter(|file| file.replica == replica && is_over(file.owner))
            .map(|file| {
                let read =
                    |record: &Record| serde_json::from_slice(&record.bytes).expect("a record");
                (file.owner, file.records.iter().map(read).collect())
            })
            .collect()
    }

    pub fn remove(&mut self, owner: Group) {
        self.0.retain(|file| file.owner != owner);
    }

    /// Whether a process's file has what came of an attempt.
    pub fn holds(&self, owner: Group, attempt_id: Uuid) -> bool {
        let mut files = self.0.iter().filter(|file| file.owner == owner);
        files.any(|file| file.records.iter().any(|record| record.attempt_id == attempt_id))
    }

    /// Whether nothing waits anywhere.
    pub fn are_settled(&self) -> bool {
        self.0.iter().all(|file| file.depth == 0 && file.records.is_empty())
    }
}

impl State {
    /// What becomes of a process's file when it ends without warning; whether the disk is lost with it.
    pub fn break_journal(&mut self, replica: usize, owner: Group) -> bool {
        let writing = self
            .journals
            .file(owner)
            .is_some_and(|file| file.records.iter().any(|record| !record.is_synced));
        let torn = writing && self.strikes(Fault::JournalTorn);
        let whole = self.dice.chance(0.5);
        if let Some(file) = self.journals.file(owner)
            && (torn || !whole)
        {
            // A sync takes along all that was written before it.
            let synced = file.records.iter().rposition(|record| record.is_synced);
            file.records.truncate(synced.map_or(0, |last| last + 1));
        }
        let lost = self.strikes(Fault::DiskLost);
        if lost {
            self.journals.0.retain(|file| file.replica != replica);
        }
        lost
    }
}

impl World {
    /// Writes an outcome down; whether it is synced.
    pub async fn append(&self, owner: Group, outcome: &Outcome) -> bool {
        self.at("write the journal");
        if self.state().strikes(Fault::JournalFull) {
            self.state().has_no_journal(outcome.attempt_id);
            self.sleep(MILLI).await;
            return false;
        }
        let bytes = serde_json::to_vec(outcome).expect("an outcome");
        let id = {
            let mut state = self.state();
            let id = state.schedule.polls;
            let Some(file) = state.journals.file(owner) else { return false };
            let attempt_id = outcome.attempt_id;
            file.records.push(Record { id, attempt_id, bytes, is_synced: false });
            id
        };
        let time = self.state().dice.spread(MILLI, SECOND / 10);
        self.sleep(time).await;
        let mut state = self.state();
        let Some(file) = state.journals.file(owner) else { return false };
        let Some(record) = file.records.iter_mut().find(|record| record.id == id) else {
            return false;
        };
        record.is_synced = true;
        file.depth += 1;
        true
    }
}
