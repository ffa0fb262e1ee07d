//! A password that is replaced while somebody is about to use the old one: whichever comes first, nothing of
//! the old one is left.

use axum::http::StatusCode;
use futures::future::join;
use sqlx::{PgPool, Postgres, Transaction};
use uuid::Uuid;

use crate::{
    domain::{access::Role, problem::Code},
    server::{app, store},
    tests::support::{PASSWORD, World, email},
};

type Tx = Transaction<'static, Postgres>;

const ANOTHER: &str = "what the admin gave them";

/// Whoever waits for a row or a table that another transaction holds.
const WAITS: &str = "SELECT count(*) FROM pg_stat_activity
                     WHERE datname = current_database() AND wait_event_type = 'Lock'";

/// A transaction in which somebody's row can't be changed by others.
async fn holds(world: &World, id: Uuid) -> Tx {
    let mut tx = world.pool.begin().await.unwrap();
    store::user::find_for_update(&mut tx, id).await.unwrap();
    tx
}

/// One in which no session can be stored by others.
async fn keeps_sessions(world: &World) -> Tx {
    let mut tx = world.pool.begin().await.unwrap();
    sqlx::query("LOCK TABLE sessions IN SHARE MODE").execute(&mut *tx).await.unwrap();
    tx
}

/// Once the work waits for the transaction, that does what [`app::user::set_password`] does, and ends.
async fn overtaken<T>(world: &World, mut tx: Tx, id: Uuid, work: impl Future<Output = T>) -> T {
    let resets = async {
        world.until_count(WAITS, 1).await;
        let hash = app::session::hash_password(&world.app, "password", ANOTHER.into());
        store::user::set_password(&mut tx, id, &hash.await.unwrap()).await.unwrap();
        store::session::delete_of_user(&mut tx, id).await.unwrap();
        tx.commit().await.unwrap();
    };
    join(work, resets).await.0
}

#[sqlx::test]
async fn a_login_that_was_checked_before_the_reset_is_refused(pool: PgPool) {
    let world = World::new(pool).await;
    let id = world.person(Role::Support).await;
    let (tx, mut thief) = (holds(&world, id).await, world.browser());
    let login = overtaken(&world, tx, id, thief.sign_in("support", PASSWORD)).await;
    assert_eq!(login.problem().code, Code::Invalid);
    assert_eq!(thief.viewer().await, None);
    assert_eq!(world.audit("session.begin").await.len(), 0);
    assert_eq!(thief.sign_in("support", ANOTHER).await.status, StatusCode::OK);
}

#[sqlx::test]
async fn a_session_that_is_stored_after_the_reset_is_void(pool: PgPool) {
    let world = World::new(pool).await;
    let id = world.person(Role::Support).await;
    let (tx, mut thief) = (keeps_sessions(&world).await, world.browser());
    let login = overtaken(&world, tx, id, thief.sign_in("support", PASSWORD)).await;
    assert_eq!(login.status, StatusCode::OK, "it came before");
    assert_eq!(thief.cookies.len(), 1);
    assert_eq!(thief.viewer().await, None);
    assert_eq!(world.count("SELECT count(*) FROM sessions").await, 0);
}

#[sqlx::test]
async fn a_session_that_is_stored_after_its_person_was_shut_out_stays_void(pool: PgPool) {
    let world = World::new(pool).await;
    let id = world.person(Role::Support).await;
    let (mut admin, mut thief) = (keeps_sessions(&world).await, world.browser());
    let shuts_out = async {
        world.until_count(WAITS, 1).await;
        let out = Some(world.now());
        for disabled_at in [out, None] {
            store::user::set_disabled(&mut admin, id, disabled_at).await.unwrap();
        }
        admin.commit().await.unwrap();
    };
    join(thief.sign_in("support", PASSWORD), shuts_out).await;
    assert_eq!((thief.cookies.len(), thief.viewer().await), (1, None));
}

/// Whoever has the old password and a session writes over what the admin gave.
#[sqlx::test]
async fn ones_own_change_does_not_overtake_the_reset(pool: PgPool) {
    let world = World::new(pool).await;
    let mut thief = world.sign_in(Role::Support).await;
    let id = thief.viewer().await.unwrap().id;
    let tx = holds(&world, id).await;
    let form = [("current", PASSWORD), ("new", PASSWORD)];
    let change = thief.call("session/change_password", &form);
    let changed = overtaken(&world, tx, id, change).await;
    assert_eq!(changed.problem().code, Code::Unauthenticated);
    assert_eq!(thief.viewer().await, None);
    assert_eq!(thief.sign_in("support", PASSWORD).await.problem().code, Code::Invalid);
    assert_eq!(thief.sign_in("support", ANOTHER).await.status, StatusCode::OK);
}

/// What an admin shows by a password that was theirs decides nothing any more.
#[sqlx::test]
async fn whoever_is_proved_by_an_old_password_does_nothing(pool: PgPool) {
    let world = World::new(pool).await;
    let victim = world.person(Role::Support).await.to_string();
    let mut thief = world.sign_in(Role::Admin).await;
    let id = thief.viewer().await.unwrap().id;
    let tx = holds(&world, id).await;
    let form = [("id", &*victim), ("password", "of the thief's choice"), ("own", PASSWORD)];
    let set = overtaken(&world, tx, id, thief.call("user/set_password", &form)).await;
    assert_eq!(set.problem().code, Code::Unauthenticated);
    let mut support = world.browser();
    assert_eq!(support.sign_in("support", PASSWORD).await.status, StatusCode::OK);
}

/// Two admins who give each other new passwords at once wait for each other, and for nothing else.
#[sqlx::test]
async fn two_admins_do_not_stand_in_each_others_way(pool: PgPool) {
    let world = World::new(pool).await;
    let mut ids = Vec::new();
    for name in ["one", "other"] {
        ids.push(world.person_named(name, Role::Admin).await.to_string());
    }
    let (mut one, mut other) = (world.browser(), world.browser());
    one.sign_in("one", PASSWORD).await;
    other.sign_in("other", PASSWORD).await;
    let [first, second] = [0, 1]
        .map(|at: usize| [("id", ids[1 - at].as_str()), ("password", ANOTHER), ("own", PASSWORD)]);
    let (one, other) =
        join(one.call("user/set_password", &first), other.call("user/set_password", &second)).await;
    let statuses = [one.status, other.status];
    assert!(statuses.contains(&StatusCode::OK), "{statuses:?}");
    // Whoever was slower has proved themselves by a password that is gone.
    let slower = [one, other].into_iter().find(|page| page.status != StatusCode::OK);
    assert!(slower.is_none_or(|page| page.problem().code == Code::Unauthenticated));
}

/// Who knows an address keeps nobody from their work.
#[sqlx::test]
async fn wrong_logins_do_not_lock_whoever_is_signed_in(pool: PgPool) {
    let world = World::new(pool).await;
    let mut admin = world.sign_in(Role::Admin).await;
    let support = world.person(Role::Support).await.to_string();
    let mut stranger = world.browser();
    stranger.address = [192, 0, 2, 66].into();
    for _ in 0..10 {
        assert_eq!(stranger.sign_in("admin", "wrong").await.problem().code, Code::Invalid);
    }
    assert_eq!(stranger.sign_in("admin", PASSWORD).await.problem().code, Code::RateLimited);
    let form = |own| [("id", support.as_str()), ("password", ANOTHER), ("own", own)];
    assert_eq!(admin.call("user/set_password", &form(PASSWORD)).await.status, StatusCode::OK);
    // How often they may be wrong themselves is counted all the same.
    for _ in 0..10 {
        let wrong = admin.call("user/set_password", &form("wrong")).await.problem();
        assert!(wrong.field("own").is_some(), "{wrong:?}");
    }
    let refused = admin.call("user/set_password", &form(PASSWORD)).await.problem();
    assert_eq!(refused.code, Code::RateLimited);
    assert!(admin.viewer().await.is_some_and(|viewer| viewer.email == email("admin")));
}
