//! Point 11: each client's limits are kept over all replicas and callers, and nobody else pays for
//! them.

use futures::FutureExt;
use sqlx::{AssertSqlSafe, PgPool};
use time::Duration;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::{
    domain::{
        access::{Role, Scope},
        attempt::Trigger,
        connection::State,
        problem::Code,
    },
    sandbox::{Fault, Hold, Rule},
    server::app::{
        self, App,
        refresh::{Ask, claim::One, intent::UNDER_WAY},
    },
    tests::support::World,
};

/// A client whose provider has such limits, and so many connections.
async fn limited(
    world: &World,
    name: &str,
    concurrency: Option<u32>,
    per_minute: Option<u32>,
    count: usize,
) -> (Uuid, Vec<Uuid>) {
    world
        .provider(name, |profile| {
            profile.policy.concurrency = concurrency;
            profile.policy.requests_per_minute = per_minute;
        })
        .await;
    let client = world.client_of(name, name, |_| {}).await;
    (client, connect(world, client, count).await)
}

async fn connect(world: &World, client: Uuid, count: usize) -> Vec<Uuid> {
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(world.import(client).await);
    }
    ids
}

async fn begin(app: &App) -> Vec<JoinHandle<()>> {
    app::refresh::begin_due(app, 100).await.unwrap()
}

async fn look(app: &App) -> usize {
    app::refresh::run_due(app, 100).await.unwrap()
}

async fn generations(world: &World, ids: &[Uuid]) -> Vec<i64> {
    let mut generations = Vec::new();
    for id in ids {
        generations.push(world.generation(*id).await);
    }
    generations
}

#[sqlx::test]
async fn concurrency_is_kept_over_replicas_and_callers(pool: PgPool) {
    let world = World::new(pool).await;
    let second = world.replica("second").await;
    let (_, ids) = limited(&world, "narrow", Some(3), None, 8).await;
    world.pass(Duration::hours(1));
    world.control().hold(Hold::BeforeProcessing);
    let (mut begun, more) = tokio::join!(begin(&world.app), begin(&second));
    begun.extend(more);
    begun.extend(begin(&second).await);
    begun.extend(begin(&world.app).await);
    assert_eq!(begun.len(), 3);
    world.control().until_held(3).await;
    // A reader waits for room like everybody.
    let (app, id) = (second.clone(), ids[7]);
    let reader = tokio::spawn(async move {
        app::connection::token(&app, &app::Actor::System, id, Duration::ZERO).await
    });
    let open = "SELECT count(*) FROM attempts WHERE verdict IS NULL";
    assert_eq!(world.count(open).await, 3);
    world.control().release();
    futures::future::join_all(begun).await;
    assert_eq!(reader.await.unwrap().unwrap().generation, 2);
    let mut left = 4;
    while left > 0 {
        let now = look(&world.app).await + look(&second).await;
        assert!((1..=6).contains(&now), "{now}");
        left -= now;
    }
    assert_eq!(generations(&world, &ids).await, [2; 8]);
}

/// What is asked together is answered together, and is not to wait for one another a second time.
#[sqlx::test]
async fn places_that_came_free_are_filled_in_portions(pool: PgPool) {
    let world = World::new(pool).await;
    limited(&world, "wide", Some(40), None, 24).await;
    world.pass(Duration::hours(1));
    for _ in 0..100 {
        world.app.flights().took(Duration::milliseconds(100));
    }
    world.control().hold(Hold::BeforeProcessing);
    let (mut begun, mut portions) = (Vec::new(), Vec::new());
    loop {
        let portion = app::refresh::fill_places(&world.app, 100).await.unwrap();
        portions.push(portion.len());
        begun.extend(portion);
        // Whether the next look follows at once.
        if world.app.places().now_or_never().is_none() {
            break;
        }
    }
    assert_eq!(portions, [16, 8, 0]);
    world.control().until_held(24).await;
    world.control().release();
    futures::future::join_all(begun).await;
}

/// However old what others have due is, each client that has room is served by each look.
#[sqlx::test]
async fn a_portion_leaves_no_client_out(pool: PgPool) {
    let world = World::new(pool).await;
    for number in 0..17 {
        limited(&world, &format!("old-{number}"), Some(2), None, 2).await;
    }
    world.pass(Duration::hours(1));
    let (_, late) = limited(&world, "late", Some(2), None, 1).await;
    world.pass(Duration::hours(1));
    for _ in 0..100 {
        world.app.flights().took(Duration::milliseconds(100));
    }
    let begun = app::refresh::fill_places(&world.app, 100).await.unwrap();
    assert_eq!(begun.len(), 18);
    futures::future::join_all(begun).await;
    assert_eq!(generations(&world, &late).await, [2]);
}

/// Two looks go side by side where answers take their time: of all clients each place is filled, and none twice.
#[sqlx::test]
async fn two_looks_at_once_fill_the_places_of_all(pool: PgPool) {
    let world = World::new(pool).await;
    let mut all = Vec::new();
    for number in 0..5 {
        all.push(limited(&world, &format!("client-{number}"), Some(3), None, 5).await);
    }
    world.pass(Duration::hours(1));
    for _ in 0..100 {
        world.app.flights().took(Duration::milliseconds(100));
    }
    world.control().hold(Hold::BeforeProcessing);
    let mut begun = begin(&world.app).await;
    assert_eq!((begun.len(), world.app.flights().hungry().len()), (15, 5));
    assert!(
        app::refresh::fill_places(&world.app, 100).await.unwrap().is_empty(),
        "nobody has room"
    );
    world.control().until_held(15).await;
    world.control().release();
    futures::future::join_all(begun).await;
    // Somebody holds one of the clients: all others are served, and that one by the next look.
    let mut other = world.pool.begin().await.unwrap();
    sqlx::query("SELECT FROM clients WHERE id = $1 FOR UPDATE")
        .bind(all[0].0)
        .execute(&mut *other)
        .await
        .unwrap();
    begun = app::refresh::fill_places(&world.app, 100).await.unwrap();
    assert_eq!(begun.len(), 8);
    other.rollback().await.unwrap();
    begun.extend(app::refresh::fill_places(&world.app, 100).await.unwrap());
    futures::future::join_all(begun).await;
    for (_, ids) in &all {
        assert_eq!(generations(&world, ids).await, [2; 5]);
    }
}

/// Of two looks at once one fails: what the other claimed is asked for all the same, since its intents are written.
#[sqlx::test]
async fn a_look_that_fails_costs_the_other_nothing(pool: PgPool) {
    let world = World::new(pool).await;
    let (_, served) = limited(&world, "served", Some(1), None, 2).await;
    let (broken, left) = limited(&world, "broken", Some(1), None, 2).await;
    world.pass(Duration::hours(1));
    for _ in 0..100 {
        world.app.flights().took(Duration::milliseconds(100));
    }
    assert_eq!(look(&world.app).await, 2);
    sqlx::raw_sql(AssertSqlSafe(format!(
        "CREATE FUNCTION break_off() RETURNS trigger LANGUAGE plpgsql
             AS $$ BEGIN RAISE EXCEPTION 'on purpose'; END $$;
         CREATE TRIGGER break_off BEFORE INSERT ON attempts FOR EACH ROW
             WHEN (new.client_id = '{broken}') EXECUTE FUNCTION break_off()"
    )))
    .execute(&world.pool)
    .await
    .unwrap();
    assert!(app::refresh::fill_places(&world.app, 100).await.is_err());
    world.until_count("SELECT count(*) FROM connections WHERE generation = 2", 3).await;
    assert_eq!(generations(&world, &served).await, [2; 2]);
    sqlx::raw_sql("DROP TRIGGER break_off ON attempts").execute(&world.pool).await.unwrap();
    assert_eq!(look(&world.app).await, 1);
    assert_eq!(generations(&world, &left).await, [2; 2]);
}

/// Who fills places knows who waits for them, and asks only what became of those since.
#[sqlx::test]
async fn places_are_filled_by_who_waits_for_them(pool: PgPool) {
    let world = World::new(pool).await;
    let (narrow, ids) = limited(&world, "narrow", Some(2), None, 6).await;
    world.pass(Duration::hours(1));
    assert_eq!(look(&world.app).await, 2);
    let (_, later) = limited(&world, "later", None, None, 1).await;
    world.pass(Duration::hours(1));
    let fill = || app::refresh::fill_places(&world.app, 100);
    futures::future::join_all(fill().await.unwrap()).await;
    assert_eq!(generations(&world, &later).await, [1], "it waits for nothing");
    sqlx::query("UPDATE clients SET state = 'disabled' WHERE id = $1")
        .bind(narrow)
        .execute(&world.pool)
        .await
        .unwrap();
    assert!(fill().await.unwrap().is_empty());
    assert_eq!(look(&world.app).await, 1);
    assert_eq!(generations(&world, &later).await, [2]);
    let renewed = generations(&world, &ids).await.into_iter().filter(|at| *at > 1).count();
    assert_eq!(renewed, 4);
}

/// Each claim costs the same, however few it finds.
#[sqlx::test]
async fn places_of_a_quick_provider_are_filled_at_once(pool: PgPool) {
    let world = World::new(pool).await;
    limited(&world, "wide", Some(40), None, 24).await;
    world.pass(Duration::hours(1));
    let begun = app::refresh::fill_places(&world.app, 100).await.unwrap();
    assert_eq!(begun.len(), 24);
    futures::future::join_all(begun).await;
}

/// What is answered and not yet stored takes no place, where it is known; and does not pile up.
#[sqlx::test]
async fn a_place_is_free_when_the_answer_is_there(pool: PgPool) {
    let world = World::new(pool).await;
    let second = world.replica("second").await;
    let (_, ids) = limited(&world, "narrow", Some(2), None, 7).await;
    world.pass(Duration::hours(1));
    let mut other = world.pool.begin().await.unwrap();
    sqlx::query("LOCK TABLE token_sets IN EXCLUSIVE MODE").execute(&mut *other).await.unwrap();
    let mut begun = begin(&world.app).await;
    assert_eq!(begun.len(), 2);
    until_answered(&world.app, 2).await;
    // Another replica can't know.
    assert_eq!(begin(&second).await.len(), 0);
    world.control().hold(Hold::BeforeProcessing);
    // A look leaves out a client that another has locked at that moment.
    let refilled = async {
        while begun.len() < 4 {
            begun.extend(begin(&world.app).await);
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), refilled).await.expect("free places");
    assert_eq!(begun.len(), 4);
    world.control().until_held(2).await;
    assert_eq!(begin(&world.app).await.len() + begin(&second).await.len(), 0);
    world.control().release();
    until_answered(&world.app, 4).await;
    assert_eq!(begin(&world.app).await.len(), 0, "as much waits to be stored as may be under way");
    other.rollback().await.unwrap();
    futures::future::join_all(begun).await;
    assert!(world.app.flights().answered().is_empty());
    let mut done = generations(&world, &ids).await;
    done.sort_unstable();
    assert_eq!(done, [1, 1, 1, 2, 2, 2, 2]);
    assert_eq!(look(&second).await + look(&world.app).await, 3);
    assert_eq!(world.refreshes().len(), 7);
}

async fn until_answered(app: &App, count: usize) {
    let answered = async {
        while app.flights().answered().len() < count {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), answered).await.expect("the answers");
}

/// The worker uses all places of a client that has few, but for one while somebody waits for a token.
#[sqlx::test]
async fn a_place_is_kept_while_somebody_waits(pool: PgPool) {
    let world = World::new(pool).await;
    let second = world.replica("second").await;
    let (_, ids) = limited(&world, "narrow", Some(8), None, 40).await;
    world.pass(Duration::hours(1));
    world.control().hold(Hold::BeforeProcessing);
    let begun = begin(&world.app).await;
    assert_eq!(begun.len(), 8);
    world.control().until_held(8).await;
    let (app, id) = (second.clone(), ids[39]);
    let reader = tokio::spawn(async move {
        app::connection::token(&app, &app::Actor::System, id, Duration::ZERO).await
    });
    let called = "SELECT count(*) FROM clients WHERE callers_until IS NOT NULL";
    world.until_count(called, 1).await;
    world.control().release();
    futures::future::join_all(begun).await;
    assert_eq!(reader.await.unwrap().unwrap().generation, 2);
    for (pass, wanted) in [(0, 7), (2, 8)] {
        world.pass(Duration::seconds(pass));
        assert_eq!(look(&world.app).await, wanted);
    }
}

/// Somebody called, and then the database's clock was set back.
#[sqlx::test]
async fn no_place_is_kept_for_who_called_at_another_time(pool: PgPool) {
    let world = World::new(pool).await;
    limited(&world, "narrow", Some(8), None, 8).await;
    world.pass(Duration::hours(1));
    sqlx::query("UPDATE clients SET callers_until = $1")
        .bind(world.now() + Duration::hours(1))
        .execute(&world.pool)
        .await
        .unwrap();
    assert_eq!(look(&world.app).await, 8);
}

/// Callers who wait for what another replica holds look for no room, and keep nobody from theirs.
#[sqlx::test]
async fn who_waits_for_another_replica_keeps_nobody_waiting(pool: PgPool) {
    let world = World::new(pool).await;
    let (_, ids) = limited(&world, "wide", Some(32), None, 9).await;
    let (free, held) = ids.split_last().unwrap();
    sqlx::query(
        "UPDATE connections SET lease_id = gen_random_uuid(), leased_until = $2 WHERE id = ANY ($1)",
    )
    .bind(held)
    .bind(world.now() + Duration::seconds(40))
    .execute(&world.pool)
    .await
    .unwrap();
    let waiting: Vec<_> = held
        .iter()
        .map(|id| {
            let (app, admin, id) = (world.app.clone(), world.admin.clone(), *id);
            tokio::spawn(async move { app::connection::refresh(&app, &admin, id).await })
        })
        .collect();
    let refreshed = app::connection::refresh(&world.app, &world.admin, *free);
    let refreshed = tokio::time::timeout(std::time::Duration::from_secs(10), refreshed).await;
    refreshed.expect("its turn").expect("a refresh");
    assert_eq!(world.generation(*free).await, 2);
    waiting.iter().for_each(JoinHandle::abort);
}

#[sqlx::test]
async fn a_rate_is_kept_over_replicas(pool: PgPool) {
    let world = World::new(pool).await;
    let second = world.replica("second").await;
    // One in two seconds, and three at once.
    let (_, ids) = limited(&world, "rated", None, Some(30), 20).await;
    world.pass(Duration::hours(1));
    let both = async || {
        let (one, two) = tokio::join!(look(&world.app), look(&second));
        one + two + look(&second).await
    };
    assert_eq!(both().await, 3);
    for (seconds, wanted) in [(1, 0), (1, 1), (2, 1), (1, 0), (3, 2), (60, 3), (0, 0)] {
        world.pass(Duration::seconds(seconds));
        assert_eq!(both().await, wanted, "after {seconds} seconds");
    }
    let asked = world.refreshes().len();
    assert_eq!(asked, 10);
    // A reader spends of the same.
    world.pass(Duration::seconds(6));
    let waiting = ids.iter().rev();
    let mut read = 0;
    for id in waiting {
        if world.generation(*id).await == 1 && read < 3 {
            assert_eq!(world.token(*id, Duration::ZERO).await.unwrap().generation, 2);
            read += 1;
        }
    }
    assert_eq!(both().await, 0);
    let mut minutes = 0;
    while world.refreshes().len() < 20 {
        world.pass(Duration::minutes(1));
        assert!(both().await <= 3);
        minutes += 1;
    }
    assert_eq!((minutes, generations(&world, &ids).await), (3, vec![2; 20]));
}

#[sqlx::test]
async fn a_pause_is_shared_by_all_of_a_clients_connections(pool: PgPool) {
    let world = World::new(pool).await;
    let second = world.replica("second").await;
    let program = world.program(&[Scope::ClientsWrite]).await;
    for (name, as_date) in [("seconds", false), ("date", true)] {
        let (client, ids) = limited(&world, name, Some(1), None, 4).await;
        let (_, others) = limited(&world, &format!("other-{name}"), None, None, 1).await;
        world.pass(Duration::hours(1));
        world.control().set(|settings| {
            settings.retry_after = 600;
            settings.retry_after_as_date = as_date;
        });
        let rule = Rule { next: 1, client: Some(name.into()), ..Rule::default() };
        world.control().rule(Fault::RateLimited, rule);
        let asked = world.refreshes().len();
        assert_eq!(look(&world.app).await, 2, "{name}: one of each client");
        assert_eq!(generations(&world, &others).await, [2], "another client does not pause");
        app::connection::disconnect(&world.app, &world.admin, others[0], false).await.unwrap();
        let until = world.client_now(client).await.paused_until.expect("a pause");
        let pause = until - world.now();
        assert!((Duration::seconds(599)..=Duration::seconds(600)).contains(&pause), "{pause}");
        let seen = program.get(&format!("/clients/{client}")).await.ok();
        assert!(seen["paused_until"].is_string());
        // Nobody asks: no worker, no button, no reader, on no replica.
        for app in [&world.app, &second] {
            assert_eq!(look(app).await, 0);
            for id in &ids {
                let pressed = app::connection::refresh(app, &world.admin, *id).await;
                let Err(app::Error::ProviderUnavailable { retry_after: Some(wait), .. }) = pressed
                else {
                    panic!("{:?}", pressed.map(drop))
                };
                assert!(wait <= pause && wait > Duration::minutes(9));
                assert!(world.token(*id, Duration::ZERO).await.is_err());
            }
        }
        assert_eq!(world.refreshes().len(), asked + 2);
        world.pass(pause - Duration::seconds(1));
        assert_eq!(look(&second).await, 0);
        world.pass(Duration::seconds(1));
        assert_eq!(world.client_now(client).await.paused_until, None);
        assert_eq!(look(&second).await, 1, "one at a time, as the provider wants it");
        world.pass(Duration::seconds(6));
        for _ in 0..3 {
            assert_eq!(look(&second).await, 1);
        }
        assert_eq!(generations(&world, &ids).await, [2; 4]);
        world.control().clear();
        for id in ids {
            app::connection::disconnect(&world.app, &world.admin, id, false).await.unwrap();
        }
    }
}

#[sqlx::test]
async fn an_admin_may_end_a_pause(pool: PgPool) {
    let world = World::new(pool).await;
    let (client, ids) = limited(&world, "one", Some(1), None, 2).await;
    world.pass(Duration::hours(1));
    world.control().set(|settings| settings.retry_after = 86_400);
    world.control().fail_next(Fault::RateLimited, 1);
    assert_eq!(look(&world.app).await, 1);
    let mut admin = world.sign_in(Role::Admin).await;
    let page = admin.get(&format!("/clients/{client}")).await;
    assert!(page.text.contains("The provider asked for a pause"), "{}", page.text);
    let id = client.to_string();
    let refused = admin.call("incident/condemn", &[("id", &id)]).await;
    assert_eq!(refused.problem().code, Code::Conflict);
    assert_eq!(admin.call("incident/resume", &[("id", &id)]).await.status, 200);
    let refused = admin.call("incident/resume", &[("id", &id)]).await;
    assert_eq!(refused.problem().code, Code::Conflict);
    assert_eq!(world.client_now(client).await.paused_until, None);
    assert_eq!(world.audit("client.resume").await[0].detail["paused"], true);
    world.pass(Duration::minutes(2));
    assert_eq!(look(&world.app).await, 1);
    // The one that was told to wait does so.
    let mut generations = generations(&world, &ids).await;
    generations.sort_unstable();
    assert_eq!(generations, [1, 2]);
}

#[sqlx::test]
async fn one_slow_provider_starves_no_other(pool: PgPool) {
    let world = World::new(pool).await;
    let (_, slow) = limited(&world, "slow", None, None, 40).await;
    let (_, quick) = limited(&world, "quick", None, None, 3).await;
    world.pass(Duration::minutes(9));
    for id in &quick {
        app::connection::refresh(&world.app, &world.admin, *id).await.unwrap();
    }
    world.control().hold(Hold::BeforeAnswering);
    let begun = begin(&world.app).await;
    assert_eq!(begun.len(), 31, "all that the worker may have under way for one client");
    world.control().until_held(31).await;
    world.control().hold_no_more();
    // Whoever waits for a token finds room all the same.
    let free = "SELECT id FROM connections WHERE lease_id IS NULL AND generation = 1 LIMIT 1";
    let free: Uuid = sqlx::query_scalar(free).fetch_one(&world.pool).await.unwrap();
    assert!(slow.contains(&free));
    assert_eq!(world.token(free, Duration::minutes(8)).await.unwrap().generation, 2);
    // And the others are refreshed as if nothing were.
    let again = "UPDATE connections n SET due_at = c.created_at FROM clients c
                 WHERE c.id = n.client_id AND c.name = 'Client quick'";
    world.execute(again).await;
    assert_eq!(look(&world.app).await, 3);
    assert_eq!(generations(&world, &quick).await, [3; 3]);
    assert!(begun.iter().all(|task| !task.is_finished()));
    world.control().release();
    futures::future::join_all(begun).await;
}

#[sqlx::test]
async fn a_backlog_delays_nobody_else(pool: PgPool) {
    let world = World::new(pool).await;
    limited(&world, "behind", None, None, 60).await;
    // The real ones are the oldest.
    let many = "INSERT INTO connections (id, client_id, grant_type, state, state_since, due_at, created_at,
                                         updated_at, generation)
                SELECT gen_random_uuid(), client_id, grant_type, state, state_since,
                       due_at + interval '4 hours', created_at, updated_at, generation
                FROM connections, generate_series(1, 20)";
    world.execute(many).await;
    world.pass(Duration::hours(5));
    let (_, fresh) = limited(&world, "fresh", None, None, 4).await;
    let (_, other) = limited(&world, "other", None, None, 2).await;
    world.pass(Duration::minutes(9));
    assert!(world.count("SELECT count(*) FROM connections WHERE due_at IS NOT NULL").await > 1200);
    world.control().hold(Hold::BeforeProcessing);
    // There is room for ten: each client gets its turns.
    let begun = app::refresh::begin_due(&world.app, 10).await.unwrap();
    assert_eq!(begun.len(), 10);
    let of = "SELECT count(*) FROM attempts a JOIN clients c ON c.id = a.client_id WHERE c.name = ";
    let count = async |name: &str| {
        let sql = format!("{of}'Client {name}'");
        sqlx::query_scalar::<_, i64>(sqlx::AssertSqlSafe(sql)).fetch_one(&world.pool).await.unwrap()
    };
    assert_eq!((count("behind").await, count("fresh").await, count("other").await), (4, 4, 2));
    // Of the backlog the oldest come first, and only what is taken is locked or leased.
    let leased = "SELECT count(*) FROM connections WHERE lease_id IS NOT NULL";
    assert_eq!(world.count(leased).await, 10);
    world.control().release();
    futures::future::join_all(begun).await;
    assert_eq!(generations(&world, &fresh).await, [2; 4]);
    assert_eq!(generations(&world, &other).await, [2; 2]);
}

/// A process died with a request under way, and its connection was disconnected before anybody took
/// it over: its place is free again all the same.
#[sqlx::test]
async fn a_slot_is_not_lost_with_its_holder(pool: PgPool) {
    let world = World::new(pool).await;
    let (_, ids) = limited(&world, "narrow", Some(1), None, 2).await;
    world.pass(Duration::hours(1));
    world.control().hold(Hold::BeforeProcessing);
    let begun = begin(&world.app).await;
    world.control().until_held(1).await;
    for task in begun {
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    }
    world.control().release();
    let lost = "SELECT id FROM connections WHERE lease_id IS NOT NULL";
    let lost: Uuid = sqlx::query_scalar(lost).fetch_one(&world.pool).await.unwrap();
    app::connection::disconnect(&world.app, &world.admin, lost, false).await.unwrap();
    assert_eq!(look(&world.app).await, 0);
    world.pass(UNDER_WAY);
    assert_eq!(look(&world.app).await, 1);
    let other = ids.into_iter().find(|id| *id != lost).unwrap();
    assert_eq!((world.state(other).await, world.generation(other).await), (State::Active, 2));
}

/// Whoever claims for a client keeps nobody who needs another one from the database.
#[sqlx::test]
async fn who_looks_for_room_waits_for_no_other(pool: PgPool) {
    let world = World::new(pool).await;
    let (client, ids) = limited(&world, "one", None, None, 1).await;
    let mut other = world.pool.begin().await.unwrap();
    sqlx::query("SELECT FROM clients FOR UPDATE").execute(&mut *other).await.unwrap();
    let ask = Ask::new(Trigger::Manual, &world.admin);
    let claim = app::refresh::claim::one(&world.app, ids[0], client, 1, &ask);
    let one = tokio::time::timeout(std::time::Duration::from_secs(10), claim).await;
    assert!(matches!(one.expect("it waits for the other"), Ok(One::NoRoom)));
    other.rollback().await.unwrap();
    let one = app::refresh::claim::one(&world.app, ids[0], client, 1, &ask).await;
    assert!(matches!(one, Ok(One::Claimed(_))));
}
