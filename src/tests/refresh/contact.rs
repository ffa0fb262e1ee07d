//! Points 1 and 4 by the database's own clock: what a holder left is taken over only when whoever may
//! still hold an answer has had the time to bring it.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicI64, Ordering},
};

use sqlx::PgPool;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::{
    domain::connection::State,
    server::{
        app::{self, App},
        clock::Clock,
    },
    tests::support::World,
};

/// The system's clock as a process sees it, but for the time that passes: that is told.
struct Told {
    seconds: AtomicI64,
    /// How far it is off when it is next compared with the database's.
    off: Mutex<Duration>,
}

impl Told {
    fn new() -> Arc<Self> {
        Arc::new(Self { seconds: AtomicI64::new(0), off: Mutex::new(Duration::ZERO) })
    }

    fn pass(&self, seconds: i64) {
        self.seconds.fetch_add(seconds, Ordering::Relaxed);
    }
}

impl Clock for Told {
    fn now(&self) -> OffsetDateTime {
        crate::server::clock::SystemClock::new().now()
    }

    fn elapsed(&self) -> Duration {
        Duration::seconds(self.seconds.load(Ordering::Relaxed))
    }

    fn agree(&self, _shared: OffsetDateTime) -> Duration {
        std::mem::take(&mut self.off.lock().unwrap())
    }
}

/// Connections whose holder's lease is over, by the database's clock.
const ORPHANED: &str = "UPDATE connections SET lease_id = gen_random_uuid(),
     leased_until = clock_timestamp() - interval '1 second', due_at = clock_timestamp()";

async fn orphan(world: &World) -> Uuid {
    let client = world.client("one", |_| {}).await;
    let id = world.import(client).await;
    world.execute(ORPHANED).await;
    id
}

async fn look(app: &App) -> usize {
    app::refresh::run_due(app, 10).await.unwrap()
}

/// The database answers for long enough, though slowly: that is no silence.
fn keep_in_touch(clock: &Told, app: &App) {
    for _ in 0..3 {
        clock.pass(5);
        app.database_was_heard();
    }
}

#[sqlx::test]
async fn what_others_left_is_taken_over_after_a_while(pool: PgPool) {
    let world = World::new(pool).await;
    let id = orphan(&world).await;
    let clock = Told::new();
    let app = world.replica_by(clock.clone(), "another").await;
    assert_eq!(look(&app).await, 0, "it has only just come");
    keep_in_touch(&clock, &app);
    assert_eq!(look(&app).await, 1);
    assert_eq!((world.state(id).await, world.generation(id).await), (State::Active, 2));

    world.execute(ORPHANED).await;
    clock.pass(60);
    assert_eq!(look(&app).await, 0, "the database was away");
    clock.pass(15);
    assert_eq!(look(&app).await, 0, "it was away again at once");
    keep_in_touch(&clock, &app);
    assert_eq!(look(&app).await, 1);
}

/// Leases that ended because the clock was set may have holders that live.
#[sqlx::test]
async fn a_jump_of_the_databases_clock_takes_nothing_from_anyone(pool: PgPool) {
    let world = World::new(pool).await;
    orphan(&world).await;
    let clock = Told::new();
    let app = world.replica_by(clock.clone(), "another").await;
    look(&app).await;
    keep_in_touch(&clock, &app);
    *clock.off.lock().unwrap() = Duration::hours(-1);
    assert_eq!(look(&app).await, 0);
    for taken in [0, 0, 0, 0, 0, 0, 1] {
        clock.pass(3);
        assert_eq!(look(&app).await, taken);
    }
}

/// Whoever waits for such a connection waits for it to be taken over, and does not look without end.
#[sqlx::test]
async fn who_wants_what_others_left_waits_for_it(pool: PgPool) {
    let world = World::new(pool).await;
    let id = orphan(&world).await;
    let clock = Told::new();
    let app = world.replica_by(clock.clone(), "another").await;
    assert_eq!(look(&app).await, 0, "it has only just come");
    let (asking, admin) = (app.clone(), world.admin.clone());
    let asking =
        tokio::spawn(async move { app::connection::refresh(&asking, &admin, id).await.map(drop) });
    world.until_count("SELECT count(*) FROM audit WHERE action = 'connection.refresh'", 1).await;
    keep_in_touch(&clock, &app);
    asking.await.unwrap().unwrap();
    assert_eq!(world.generation(id).await, 2);
}
