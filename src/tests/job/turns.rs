//! Jobs take turns, and nobody has all of them.

use sqlx::{PgConnection, PgPool, Postgres, Transaction};
use time::Duration;
use uuid::Uuid;

use super::{admin, begin, crowd, inherits, now, on, on_all, run};
use crate::{
    domain::{
        access::Role,
        audit::AuditEntry,
        job::{Action, Job, JobState, Outcome},
        problem::Obstacle,
    },
    sandbox::Hold,
    server::{
        app::{
            self, Actor,
            demo::{Life, Plan},
        },
        store::{
            self,
            job::item::{self, Came},
        },
    },
    tests::support::{World, email},
};

/// Has the provider of a client ask for a pause of twelve hours.
async fn pause(world: &World, client: Uuid) {
    let until = world.now() + Duration::hours(12);
    let mut conn = world.pool.acquire().await.unwrap();
    store::client::limit::pause(&mut conn, client, until).await.unwrap();
}

/// Customers on the telephone do not wait for a job of thousands.
#[sqlx::test]
async fn a_short_job_does_not_wait_for_a_long_one(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = admin(&world).await;
    crowd(&world, 200).await;
    let client = world.client("one", |_| {}).await;
    let one = world.import(client).await;
    let long = begin(&world, &admin, on_all(Action::Pause)).await;
    world.pass(Duration::seconds(1));
    let short = begin(&world, &admin, on(Action::Refresh, &[one])).await;
    assert_eq!(run(&world.app).await, 2);
    for job in [&long, &short] {
        assert_eq!(now(&world, job).await.state, JobState::Done);
    }
    // Each change of a row has a number; they are given out in order.
    let earlier = "SELECT (SELECT xmin::text::bigint FROM jobs WHERE action = 'refresh')
                        < (SELECT xmin::text::bigint FROM jobs WHERE action = 'pause')";
    let earlier = format!("SELECT ({earlier})::int::bigint");
    let earlier: i64 =
        sqlx::query_scalar(sqlx::AssertSqlSafe(earlier)).fetch_one(&world.pool).await.unwrap();
    assert_eq!(earlier, 1, "the short one was over first");
}

/// A provider that asked for a pause is no reason to give its connections up; those of others go on.
#[sqlx::test]
async fn what_has_no_turn_now_waits_for_it(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = admin(&world).await;
    let (paused, free) = (world.client("one", |_| {}).await, world.client("two", |_| {}).await);
    let mut ids = Vec::new();
    for client in [free, paused, paused, free, paused] {
        ids.push(world.import(client).await);
    }
    let until = world.now() + Duration::minutes(5);
    let mut conn = world.pool.acquire().await.unwrap();
    store::client::limit::pause(&mut conn, paused, until).await.unwrap();
    let job = begin(&world, &admin, on(Action::Refresh, &ids)).await;
    assert_eq!(run(&world.app).await, 0);
    let halfway = now(&world, &job).await;
    assert_eq!((halfway.state, halfway.done, halfway.worked()), (JobState::Running, 2, 2));
    assert_eq!(world.refreshes().len(), 2);
    // An admin ends the pause: it is seen within a minute.
    store::client::limit::end_pause(&mut conn, paused).await.unwrap();
    assert_eq!(run(&world.app).await, 0, "it rests");
    world.pass(Duration::seconds(61));
    assert_eq!(run(&world.app).await, 1);
    let over = now(&world, &job).await;
    assert_eq!((over.state, over.done, over.worked()), (JobState::Done, 5, 5));
    assert_eq!(world.refreshes().len(), 5, "each once");
}

/// What came in bulk of one client lies in one block, before what is another's.
#[sqlx::test]
async fn many_that_wait_do_not_hold_up_those_behind_them(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = admin(&world).await;
    let waits = crowd(&world, 140).await;
    let free = world.client("free", |_| {}).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(world.import(free).await);
    }
    pause(&world, waits).await;
    let job = begin(&world, &admin, on_all(Action::Refresh)).await;
    let behind = "UPDATE job_items SET number = number + 1000 WHERE client = 'Client free'";
    world.execute(behind).await;
    assert_eq!(run(&world.app).await, 0);
    let halfway = now(&world, &job).await;
    assert_eq!((halfway.total, halfway.done, halfway.worked()), (143, 3, 3));
    for id in ids {
        assert_eq!(world.generation(id).await, 2);
    }
    // What is left comes to its end, too.
    let mut conn = world.pool.acquire().await.unwrap();
    store::client::limit::end_pause(&mut conn, waits).await.unwrap();
    world.pass(Duration::seconds(61));
    assert_eq!(run(&world.app).await, 1);
    let over = now(&world, &job).await;
    assert_eq!((over.state, over.worked()), (JobState::Done, 143));
}

/// More clients wait than a turn can find out.
#[sqlx::test]
async fn many_clients_that_wait_do_not_hold_up_those_behind_them(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = admin(&world).await;
    let mut clients = Vec::new();
    for name in ["c1", "c2", "c3", "c4", "c5"] {
        clients.push(world.client(name, inherits).await);
    }
    let life = Life::Even { lifetime: Duration::hours(1), way: 0.1..0.1 };
    let plan = Plan { clients: clients.clone(), numbers: 0..175, attempts: 1, seed: 1, life };
    app::demo::fill(&world.app, &Actor::Operator, plan).await.expect("sample data");
    for client in clients {
        pause(&world, client).await;
    }
    let free = world.client("c6", |_| {}).await;
    let one = world.import(free).await;
    let job = begin(&world, &admin, on_all(Action::Refresh)).await;
    let in_blocks = "UPDATE job_items SET number = number + 1000 * right(client, 1)::bigint";
    world.execute(in_blocks).await;
    assert_eq!(run(&world.app).await, 0);
    assert_eq!(now(&world, &job).await.worked(), 0, "it is not reached yet");
    world.pass(Duration::seconds(1));
    assert_eq!(run(&world.app).await, 0);
    let halfway = now(&world, &job).await;
    assert_eq!((halfway.done, halfway.worked()), (1, 1));
    assert_eq!(world.generation(one).await, 2);
}

/// How many rows this transaction has read of what jobs work on, whether an index led to them or not.
async fn read(conn: &mut PgConnection) -> i64 {
    let sql = "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint FROM pg_stat_xact_user_tables
               WHERE relname IN ('job_items', 'connections')";
    sqlx::query_scalar(sql).fetch_one(conn).await.expect("what was read")
}

/// How a query may be planned: for what is asked, or for anything.
const PLANS: [&str; 2] = ["force_custom_plan", "force_generic_plan"];

async fn planned(world: &World, plan: &str) -> Transaction<'static, Postgres> {
    let mut tx = world.pool.begin().await.unwrap();
    let plan = format!("SET LOCAL plan_cache_mode = {plan}");
    sqlx::query(sqlx::AssertSqlSafe(plan)).execute(&mut *tx).await.unwrap();
    tx
}

/// What is open in a job, after a number and but for some clients: which they are, and how many rows were read.
async fn look(world: &World, job: &Job, after: i64, without: &[Uuid]) -> Vec<(Vec<i64>, i64)> {
    let mut looks = Vec::new();
    for plan in PLANS {
        let mut tx = planned(world, plan).await;
        let before = read(&mut tx).await;
        let items = item::list_open(&mut tx, job.id, after, without, 32).await.unwrap();
        let rows = read(&mut tx).await - before;
        looks.push((items.into_iter().map(|item| item.number).collect(), rows));
    }
    looks
}

/// A block of one client waits, and what is another's lies behind it.
#[sqlx::test]
async fn what_is_open_is_found_without_a_look_at_what_waits(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = admin(&world).await;
    let waits = crowd(&world, 3000).await;
    let free = world.client("free", |_| {}).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(world.import(free).await);
    }
    // Then the planner knows of one job, and nothing of the other.
    begin(&world, &admin, on(Action::Pause, &ids)).await;
    world.execute("ANALYZE job_items").await;
    let job = begin(&world, &admin, on_all(Action::Refresh)).await;
    let behind = "UPDATE job_items SET number = number + 5000
                  WHERE client = 'Client free' AND job_id = (SELECT id FROM jobs WHERE action = 'refresh')";
    world.execute(behind).await;
    for statistics in ["SELECT 1", "ANALYZE"] {
        world.execute(statistics).await;
        for (numbers, rows) in look(&world, &job, 0, &[waits]).await {
            assert_eq!(numbers.len(), 3);
            assert!(numbers.iter().all(|number| *number > 5000), "{numbers:?}");
            assert!(rows < 20, "{rows} rows are read");
        }
        for (numbers, rows) in look(&world, &job, 32, &[]).await {
            assert!(numbers.into_iter().eq(33..65), "in order, whoever's they are");
            assert!(rows < 120, "{rows} rows are read");
        }
        assert!(
            look(&world, &job, 0, &[waits, free]).await.iter().all(|(none, _)| none.is_empty())
        );
    }
    // One that is put off stands before all that are done.
    world.execute("UPDATE job_items SET outcome = 'done' WHERE number BETWEEN 2 AND 2990").await;
    for (numbers, rows) in look(&world, &job, 1, &[]).await {
        assert_eq!((numbers.len(), numbers[0]), (13, 2991));
        assert!(rows < 60, "{rows} rows are read");
    }
}

/// Nor is it when what came of some is written, before the planner knows how many there are.
#[sqlx::test]
async fn what_came_of_some_is_written_without_a_look_at_the_rest(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = admin(&world).await;
    crowd(&world, 3000).await;
    let client = world.client("one", |_| {}).await;
    let one = world.import(client).await;
    begin(&world, &admin, on(Action::Pause, &[one])).await;
    world.execute("ANALYZE job_items").await;
    let job = begin(&world, &admin, on_all(Action::Refresh)).await;
    let done = |number| Came { number, outcome: Outcome::Done, detail: String::new(), link: None };
    let came: Vec<Came> = (41..44).map(done).collect();
    for plan in PLANS {
        let mut tx = planned(&world, plan).await;
        let before = read(&mut tx).await;
        item::record(&mut tx, job.id, &came, world.now()).await.unwrap();
        let rows = read(&mut tx).await - before;
        assert!(rows < 20, "{rows} rows are read");
        let done =
            "SELECT count(*) FROM job_items WHERE outcome = 'done' AND number BETWEEN 41 AND 43";
        let done: i64 = sqlx::query_scalar(done).fetch_one(&mut *tx).await.unwrap();
        assert_eq!(done, 3);
    }
}

/// It wrote down of none whose it is.
#[sqlx::test]
async fn what_an_older_version_chose_is_done_as_well(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = admin(&world).await;
    let (paused, free) = (world.client("one", |_| {}).await, world.client("two", |_| {}).await);
    let mut ids = Vec::new();
    for client in [paused, free, paused, free] {
        ids.push(world.import(client).await);
    }
    let gone = world.import(free).await;
    ids.push(gone);
    pause(&world, paused).await;
    let job = begin(&world, &admin, on(Action::Refresh, &ids)).await;
    world.execute("UPDATE jobs SET clients = '{}'").await;
    world.execute("UPDATE job_items SET client_id = NULL").await;
    app::connection::delete(&world.app, &admin, gone, false).await.unwrap();
    assert_eq!(run(&world.app).await, 0);
    let halfway = now(&world, &job).await;
    assert_eq!((halfway.done, halfway.skipped, halfway.worked()), (2, 1, 3));
    let mut conn = world.pool.acquire().await.unwrap();
    let left = item::list_open(&mut conn, job.id, 0, &[free], 9).await.unwrap();
    assert_eq!(left.len(), 2);
    assert!(item::list_open(&mut conn, job.id, 0, &[paused], 9).await.unwrap().is_empty());
    store::client::limit::end_pause(&mut conn, paused).await.unwrap();
    world.pass(Duration::seconds(61));
    assert_eq!(run(&world.app).await, 1);
    assert_eq!(now(&world, &job).await.done, 4);
}

/// What the audit log has of refreshes that were asked for.
async fn asked(world: &World) -> Vec<AuditEntry> {
    let mut entries = world.audit("connection.refresh").await;
    entries.retain(|entry| entry.action == "connection.refresh");
    entries
}

/// Whoever reads the audit log sees who refreshed what, and not how often a job came by in vain.
#[sqlx::test]
async fn what_waits_for_its_turn_does_not_fill_the_audit_log(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = admin(&world).await;
    let (waits, free) = (world.client("one", |_| {}).await, world.client("two", |_| {}).await);
    let (one, other) = (world.import(waits).await, world.import(free).await);
    pause(&world, waits).await;
    let job = begin(&world, &admin, on(Action::Refresh, &[one, other])).await;
    let noted = async || {
        let failed = world.audit("connection.refresh_failed").await;
        assert!(failed.is_empty(), "{failed:?}");
        let entries = asked(&world).await;
        assert!(entries.iter().all(|entry| entry.actor_label == email("chief")));
        entries.into_iter().filter_map(|entry| entry.subject_id).collect::<Vec<_>>()
    };
    for _ in 0..3 {
        assert_eq!(run(&world.app).await, 0);
        assert_eq!(noted().await, [other.to_string()]);
        world.pass(Duration::seconds(61));
    }
    let mut conn = world.pool.acquire().await.unwrap();
    store::client::limit::end_pause(&mut conn, waits).await.unwrap();
    assert_eq!(run(&world.app).await, 1);
    assert_eq!(now(&world, &job).await.done, 2);
    assert_eq!(noted().await, [one.to_string(), other.to_string()], "the newest first");
}

/// The job is stopped while a provider is being asked: whoever worked at it leaves all as it is.
#[sqlx::test]
async fn what_was_asked_of_a_provider_is_in_the_audit_log_though_its_job_is_stopped(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = admin(&world).await;
    let client = world.client("one", |_| {}).await;
    let id = world.import(client).await;
    world.control().hold(Hold::BeforeAnswering);
    let job = begin(&world, &admin, on(Action::Refresh, &[id])).await;
    let working = tokio::spawn({
        let app = world.app.clone();
        async move { run(&app).await }
    });
    world.control().until_held(1).await;
    app::job::stop(&world.app, &admin, job.id).await.unwrap();
    working.abort();
    assert!(working.await.is_err());
    world.control().release();
    world.until_count("SELECT count(*) FROM connections WHERE generation = 2", 1).await;
    let noted = asked(&world).await;
    assert_eq!(noted.len(), 1);
    assert_eq!(noted[0].actor_label, email("chief"));
    assert_eq!(noted[0].subject_id.as_deref(), Some(id.to_string().as_str()));
}

#[sqlx::test]
async fn nobody_has_more_jobs_under_way_than_may_be(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = admin(&world).await;
    let client = world.client("one", |_| {}).await;
    let one = world.import(client).await;
    let new = on(Action::Refresh, &[one]);
    for _ in 0..20 {
        begin(&world, &admin, new.clone()).await;
    }
    let refused = app::job::create(&world.app, &admin, &new).await.unwrap_err();
    let app::Error::Conflict(conflict) = refused else { panic!("{refused}") };
    assert_eq!(conflict.obstacle, Obstacle::LimitReached);
    assert!(conflict.why.contains("20 jobs"), "{}", conflict.why);
    let id = world.person_named("desk", Role::Support).await;
    let other = Actor::User { id, email: email("desk"), role: Role::Support };
    begin(&world, &other, new.clone()).await;
    run(&world.app).await;
    begin(&world, &admin, new).await;
}
