//! Point 4: what PostgreSQL does not take waits beside it, sealed, and is stored when it can be: fenced,
//! and by the next start if need be. Point 2, from the other side: a grant that comes late is not thrown
//! away while nothing newer is there.

use sqlx::PgPool;
use tempfile::TempDir;
use time::Duration;
use uuid::Uuid;

use crate::{
    domain::{
        attempt::Verdict,
        connection::{Reason, State, StateName},
    },
    sandbox::{Client, Hold, OnReuse},
    server::app::{self, refresh::LEASE},
    tests::support::{
        World,
        journal::{until_journaled, with_journal, written_in},
    },
};

const AWAY: &str = "
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'away'; END $$;
    CREATE TRIGGER away BEFORE INSERT ON token_sets FOR EACH ROW EXECUTE FUNCTION refuse();
    CREATE TRIGGER away BEFORE UPDATE OF verdict ON attempts FOR EACH ROW EXECUTE FUNCTION refuse()";
const BACK: &str = "DROP FUNCTION refuse CASCADE";

/// A replica that has an answer which PostgreSQL does not take, and is killed then.
async fn killed_with_an_answer(world: &World, dir: &TempDir, id: Uuid) {
    let dying = world.replica("dying").await;
    assert!(with_journal(&dying, dir.path()).is_empty());
    world.until_due(id).await;
    world.execute(AWAY).await;
    let begun = app::refresh::begin_due(&dying, 10).await.unwrap();
    assert_eq!(begun.len(), 1);
    until_journaled(&dying, 1).await;
    for task in begun {
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    }
}

#[sqlx::test]
async fn the_next_start_stores_what_a_killed_process_had_obtained(pool: PgPool) {
    let world = World::new(pool).await;
    let dir = tempfile::tempdir().unwrap();
    let client = world.client("strict", |_| {}).await;
    let id = world.import(client).await;
    killed_with_an_answer(&world, &dir, id).await;
    world.execute(BACK).await;
    assert_eq!(world.generation(id).await, 1);

    let next = world.replica("next").await;
    let found = with_journal(&next, dir.path());
    assert_eq!(found.iter().map(|leftover| leftover.entries.len()).sum::<usize>(), 1);
    app::refresh::leftovers(&next, found).await;
    assert_eq!((world.state(id).await, world.generation(id).await), (State::Active, 2));
    let attempts = world.attempts(id).await;
    assert_eq!(attempts.len(), 1);
    assert_eq!(attempts[0].verdict, Some(Verdict::Refreshed));
    // The same journal again changes nothing, and there is none left.
    assert!(with_journal(&world.replica("third").await, dir.path()).is_empty());
    world.until_due(id).await;
    assert_eq!(world.tick().await, 1);
    assert_eq!(world.generation(id).await, 3);
    assert_eq!(world.refreshes().len(), 2);
}

/// Two processes start at once on one folder: one of them has what was left there, and the other does not
/// see it. If the one dies before it has stored it, it is left for the next.
#[sqlx::test]
async fn of_two_that_start_at_once_one_has_the_journal(pool: PgPool) {
    let world = World::new(pool).await;
    let dir = tempfile::tempdir().unwrap();
    let client = world.client("strict", |_| {}).await;
    let id = world.import(client).await;
    killed_with_an_answer(&world, &dir, id).await;
    let start = async |names: [&str; 2]| {
        let apps = [world.replica(names[0]).await, world.replica(names[1]).await];
        let at_once = std::sync::Barrier::new(2);
        let found = std::thread::scope(|scope| {
            let starts = apps.each_ref().map(|app| {
                scope.spawn(|| {
                    at_once.wait();
                    with_journal(app, dir.path())
                })
            });
            starts.map(|start| start.join().unwrap())
        });
        assert_eq!(found.iter().flatten().map(|left| left.entries.len()).sum::<usize>(), 1);
        (apps, found)
    };
    // Whoever has it comes to its end while the database is still away.
    drop(start(["one", "other"]).await);

    world.execute(BACK).await;
    let ([one, two], [of_one, of_two]) = start(["third", "fourth"]).await;
    tokio::join!(app::refresh::leftovers(&one, of_one), app::refresh::leftovers(&two, of_two));
    assert_eq!((world.state(id).await, world.generation(id).await), (State::Active, 2));
    let verdicts: Vec<_> = world.attempts(id).await.iter().map(|a| a.verdict).collect();
    assert_eq!(verdicts, [Some(Verdict::Refreshed)]);
    let counted = "SELECT sum(attempts)::bigint FROM attempt_windows WHERE verdict = 'refreshed'";
    assert_eq!(world.count(counted).await, 1);
    assert!(with_journal(&world.replica("last").await, dir.path()).is_empty());
    assert_eq!(world.refreshes().len(), 1);
}

#[sqlx::test]
async fn nothing_of_a_record_can_be_read(pool: PgPool) {
    let world = World::new(pool).await;
    let dir = tempfile::tempdir().unwrap();
    let client = world.client("strict", |_| {}).await;
    let id = world.import(client).await;
    killed_with_an_answer(&world, &dir, id).await;
    let bytes = written_in(dir.path());
    assert!(bytes.len() > 200, "there is a record");
    let text = String::from_utf8_lossy(&bytes);
    for word in ["sealed", "connection", "generation", "Renew", "verdict", &id.to_string()] {
        assert!(!text.contains(word), "{word}");
    }
}

#[sqlx::test]
async fn a_process_stores_its_own_journal_when_the_database_is_back(pool: PgPool) {
    let world = World::new(pool).await;
    let dir = tempfile::tempdir().unwrap();
    with_journal(&world.app, dir.path());
    let client = world.client("strict", |_| {}).await;
    let id = world.import(client).await;
    world.until_due(id).await;
    world.execute(AWAY).await;
    let begun = app::refresh::begin_due(&world.app, 10).await.unwrap();
    until_journaled(&world.app, 1).await;
    world.execute(BACK).await;
    futures::future::join_all(begun).await;
    assert_eq!((world.state(id).await, world.generation(id).await), (State::Active, 2));
    assert_eq!(world.app.journal().unwrap().depth(), 0);
    assert_eq!(world.refreshes().len(), 1);
}

#[sqlx::test]
async fn a_journal_does_not_overwrite_what_is_newer(pool: PgPool) {
    let world = World::new(pool).await;
    let dir = tempfile::tempdir().unwrap();
    // A server with a grace window gives the next holder another token for the same one.
    let client =
        world.client("forgiving", |client| client.refresh.grace = time::Duration::hours(1)).await;
    let id = world.import(client).await;
    killed_with_an_answer(&world, &dir, id).await;
    world.execute(BACK).await;
    world.pass(LEASE);
    assert_eq!(world.tick().await, 1);
    let newer = world.connection(id).await;
    assert_eq!(newer.generation, 2);

    let next = world.replica("next").await;
    let found = with_journal(&next, dir.path());
    app::refresh::leftovers(&next, found).await;
    assert_eq!(world.connection(id).await, newer);
    let verdicts: Vec<_> = world.attempts(id).await.iter().map(|a| a.verdict).collect();
    assert_eq!(verdicts, [Some(Verdict::Superseded), Some(Verdict::Refreshed)]);
}

#[sqlx::test]
async fn a_journal_does_not_bring_back_what_was_ended(pool: PgPool) {
    let world = World::new(pool).await;
    let dir = tempfile::tempdir().unwrap();
    let client = world.client("strict", |_| {}).await;
    let id = world.import(client).await;
    killed_with_an_answer(&world, &dir, id).await;
    world.execute(BACK).await;
    app::connection::disconnect(&world.app, &world.admin, id, false).await.unwrap();
    let next = world.replica("next").await;
    let found = with_journal(&next, dir.path());
    app::refresh::leftovers(&next, found).await;
    assert_eq!(world.state(id).await.name(), StateName::Disconnected);
    let kept = "SELECT count(*) FROM token_sets WHERE sealed_refresh_token IS NOT NULL";
    assert_eq!(world.count(kept).await, 0);
}

/// One is slow, the other finds its lease over and asks with the token that is rotated by then. What the
/// slow one brings is all that is left.
#[sqlx::test]
async fn a_late_grant_saves_what_another_has_given_up(pool: PgPool) {
    let world = World::new(pool).await;
    let second = world.replica("second").await;
    let strict = |client: &mut Client| client.refresh.on_reuse = OnReuse::Refuse;
    let client = world.client("strict", strict).await;
    let id = world.import(client).await;
    world.until_due(id).await;
    world.control().hold(Hold::BeforeAnswering);
    let late = app::refresh::begin_due(&world.app, 10).await.unwrap();
    world.control().until_held(1).await;
    world.control().hold_no_more();
    world.pass(LEASE);
    assert_eq!(app::refresh::run_due(&second, 10).await.unwrap(), 1);
    assert_eq!(world.reason(id).await, Some(Reason::RotationLost));

    world.control().release();
    futures::future::join_all(late).await;
    assert_eq!((world.state(id).await, world.generation(id).await), (State::Active, 2));
    // It is tried at once, to know.
    assert_eq!(world.tick().await, 1);
    assert_eq!((world.state(id).await, world.generation(id).await), (State::Active, 3));
}

/// As above, at a server that revokes the whole family on reuse: then it is told what happened.
#[sqlx::test]
async fn a_late_grant_of_a_revoked_family_is_known_as_lost(pool: PgPool) {
    let world = World::new(pool).await;
    let second = world.replica("second").await;
    let client = world.client("strictest", |_| {}).await;
    let id = world.import(client).await;
    world.until_due(id).await;
    world.control().hold(Hold::BeforeAnswering);
    let late = app::refresh::begin_due(&world.app, 10).await.unwrap();
    world.control().until_held(1).await;
    world.control().hold_no_more();
    world.pass(LEASE);
    assert_eq!(app::refresh::run_due(&second, 10).await.unwrap(), 1);
    world.control().release();
    futures::future::join_all(late).await;
    world.tick().await;
    assert_eq!(world.reason(id).await, Some(Reason::RotationLost));
}

/// What a process has in hand it does not take over from itself, whatever became of the lease: the
/// answer may be here, and the token that is stored spent.
#[sqlx::test]
async fn a_process_never_takes_over_what_it_has_in_hand(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("strictest", |_| {}).await;
    let (id, other) = (world.import(client).await, world.import_of(client, "bob").await);
    world.until_due(id).await;
    world.until_due(other).await;
    world.execute(AWAY).await;
    let begun = app::refresh::begin_due(&world.app, 10).await.unwrap();
    assert_eq!(begun.len(), 2);
    while world.refreshes().len() < 2 {
        tokio::task::yield_now().await;
    }
    world.pass(LEASE);
    assert_eq!(world.tick().await, 0);
    // Nor is it let go to others: the leases of all that was claimed together are prolonged, and what
    // a save has locked at the moment is the next time.
    let over = "SELECT count(*) FROM connections WHERE leased_until <= $1";
    let over = || sqlx::query_scalar::<_, i64>(over).bind(world.now()).fetch_one(&world.pool);
    while over().await.unwrap() > 0 {
        app::refresh::prolong(&world.app).await.unwrap();
    }
    assert_eq!(app::refresh::run_due(&world.replica("second").await, 10).await.unwrap(), 0);
    world.execute(BACK).await;
    futures::future::join_all(begun).await;
    for id in [id, other] {
        assert_eq!((world.state(id).await, world.generation(id).await), (State::Active, 2));
    }
    assert_eq!(world.refreshes().len(), 2);
}

/// A transaction that hangs keeps its own row from being prolonged, and no other.
#[sqlx::test]
async fn a_locked_row_keeps_no_other_lease_from_being_prolonged(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let (id, other) = (world.import(client).await, world.import_of(client, "bob").await);
    world.until_due(id).await;
    world.until_due(other).await;
    world.control().hold(Hold::BeforeAnswering);
    let begun = app::refresh::begin_due(&world.app, 10).await.unwrap();
    world.control().until_held(2).await;
    let mut hanging = world.pool.begin().await.unwrap();
    let lock = "SELECT id FROM connections WHERE id = $1 FOR UPDATE";
    sqlx::query(lock).bind(id).execute(&mut *hanging).await.unwrap();

    world.pass(Duration::seconds(30));
    let patience = std::time::Duration::from_secs(10);
    let prolonged = tokio::time::timeout(patience, app::refresh::prolong(&world.app)).await;
    prolonged.expect("it waits for the locked row").unwrap();
    world.pass(LEASE - Duration::seconds(30));
    let over = "SELECT id FROM connections WHERE leased_until <= $1";
    let over: Vec<Uuid> =
        sqlx::query_scalar(over).bind(world.now()).fetch_all(&world.pool).await.unwrap();
    assert_eq!(over, [id]);

    hanging.rollback().await.unwrap();
    world.control().release();
    futures::future::join_all(begun).await;
}
