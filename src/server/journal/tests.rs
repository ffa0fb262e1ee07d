use super::*;

fn entry(n: u8) -> Entry {
    Entry {
        id: Uuid::from_u128(n.into()),
        generation: n.into(),
        sealed: vec![n; usize::from(n) * 100],
    }
}

fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

/// As when the process is killed: nothing is tidied up, and the lock goes with it.
fn crash(journal: Journal) -> Vec<u8> {
    let path = journal.0.path.clone();
    let bytes = fs::read(&path).expect("the file");
    drop(journal);
    fs::write(&path, &bytes).expect("put back");
    bytes
}

#[tokio::test]
async fn what_a_process_leaves_behind_is_found_by_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, found) = Journal::open(dir.path(), id(1)).unwrap();
    assert!(found.is_empty());
    let (one, two) = tokio::join!(journal.append(entry(1)), journal.append(entry(2)));
    let _kept = (one.unwrap(), two.unwrap());
    assert_eq!(journal.depth(), 2);
    // It lives, so what it holds is its own.
    assert!(leftovers(dir.path()).unwrap().is_empty());
    let bytes = fs::read(&journal.0.path).unwrap();
    drop((_kept, journal));
    fs::write(dir.path().join("left.journal"), bytes).unwrap();

    let (_next, found) = Journal::open(dir.path(), id(2)).unwrap();
    let mut entries: Vec<Entry> =
        found.iter().flat_map(|leftover| leftover.entries.clone()).collect();
    entries.sort_by_key(|entry| entry.id);
    entries.dedup();
    assert_eq!(entries, [entry(1), entry(2)]);
    for leftover in found {
        assert_eq!(leftover.torn, 0);
        leftover.done();
    }
    assert!(leftovers(dir.path()).unwrap().is_empty());
}

#[tokio::test]
async fn settled_records_leave_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(dir.path(), id(1)).unwrap();
    let records =
        [journal.append(entry(1)).await.unwrap(), journal.append(entry(2)).await.unwrap()];
    for record in records {
        record.settle();
    }
    assert_eq!(journal.depth(), 0);
    assert_eq!(fs::read(&journal.0.path).unwrap(), HEADER);
    // It goes on where it was emptied.
    let _kept = journal.append(entry(3)).await.unwrap();
    assert_eq!(read(&fs::read(&journal.0.path).unwrap()), (vec![entry(3)], 0));
}

#[tokio::test]
async fn a_tail_cut_anywhere_costs_only_its_own_record() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(dir.path(), id(1)).unwrap();
    let _one = journal.append(entry(1)).await.unwrap();
    let whole = fs::read(&journal.0.path).unwrap().len();
    let _two = journal.append(entry(2)).await.unwrap();
    let bytes = crash(journal);
    for end in whole..bytes.len() {
        assert_eq!(read(&bytes[..end]), (vec![entry(1)], end - whole), "cut at {end}");
    }
    for at in whole..bytes.len() {
        let mut spoilt = bytes.clone();
        spoilt[at] ^= 0x40;
        assert_eq!(read(&spoilt).0, [entry(1)], "spoilt at {at}");
    }
    assert_eq!(read(b"something else"), (vec![], 14));
}

/// What a file holds.
fn written(journal: &Journal) -> Vec<Entry> {
    let (entries, torn) = read(&fs::read(&journal.0.path).unwrap());
    assert_eq!(torn, 0);
    entries
}

/// Waits until so many records are on the disk that are not settled.
async fn until_depth(journal: &Journal, depth: usize) {
    let reached = async {
        while journal.depth() != depth {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), reached).await.expect("in time");
}

/// Gives up at once, again and again, as one outcome does while the disk hangs.
async fn give_up(journal: &Journal, entry: &Entry) {
    for _ in 0..3 {
        let mut writing = std::pin::pin!(journal.append(entry.clone()));
        assert!(futures::poll!(&mut writing).is_pending());
        // Whoever is to write comes to stand before the disk.
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_nobody_waited_for_does_not_keep_the_journal_from_being_emptied() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, _) = Journal::open(dir.path(), id(1)).unwrap();
    Arc::get_mut(&mut journal.0).expect("nobody else has it").kept = Duration::ZERO;
    let hanging = journal.0.file.lock().await;
    give_up(&journal, &entry(1)).await;
    assert_eq!(lock(&journal.0.waiting).len(), 1, "one copy of it waits");
    drop(hanging);
    let other = journal.append(entry(2)).await.unwrap();
    other.settle();
    until_depth(&journal, 0).await;
    // It is emptied when nobody writes; what comes next leaves nothing behind in any case.
    journal.append(entry(3)).await.unwrap().settle();
    assert_eq!(fs::read(&journal.0.path).unwrap(), HEADER);
}

#[tokio::test]
async fn who_gave_up_waiting_comes_back_to_what_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(dir.path(), id(1)).unwrap();
    let hanging = journal.0.file.lock().await;
    give_up(&journal, &entry(1)).await;
    drop(hanging);
    until_depth(&journal, 1).await;
    while lock(&journal.0.unclaimed).is_empty() {
        tokio::task::yield_now().await;
    }
    let record = journal.append(entry(1)).await.unwrap();
    assert_eq!((journal.depth(), written(&journal)), (1, vec![entry(1)]));
    record.settle();
    assert_eq!(fs::read(&journal.0.path).unwrap(), HEADER);
}
