//! Point 6, the client's part: a refused client condemns nobody, over all replicas; and a secret is
//! replaced with a rehearsal, which costs nothing when it fails.

use sqlx::{AssertSqlSafe, PgPool};
use time::Duration;
use uuid::Uuid;

use crate::{
    domain::{
        access::{Role, Scope},
        attempt::{Trigger, Verdict},
        client::{Client, ClientPatch, StateName},
        connection::State,
        rehearsal::{NextSecret, UNREADABLE},
    },
    sandbox::{Fault, Hold, Realm},
    server::{
        app::{self, App, client::rehearsal},
        store,
    },
    tests::support::{SECRET, World},
};

const NEW: &str = "another secret";

async fn with(world: &World, count: usize) -> (Uuid, Vec<Uuid>) {
    let client = world.client("one", |_| {}).await;
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(world.import(client).await);
    }
    (client, ids)
}

async fn set(world: &World, client: Uuid, secret: &str) -> Client {
    rehearsal::set(&world.app, &world.admin, client, secret.into()).await.unwrap()
}

async fn next(world: &World, client: Uuid) -> Option<NextSecret> {
    world.client_now(client).await.next_secret
}

async fn look(app: &App) -> usize {
    app::refresh::run_due(app, 100).await.unwrap()
}

async fn rehearsals(world: &World) -> i64 {
    world.count("SELECT count(*) FROM attempts WHERE trigger = 'rehearsal'").await
}

/// The secret that the sandbox wants from now on.
fn provider_wants(world: &World, secret: &str) {
    world.sandbox.replace_secret(Realm::Standard, "one", secret);
}

#[sqlx::test]
async fn all_replicas_stop_asking_and_all_go_on(pool: PgPool) {
    let world = World::new(pool).await;
    let second = world.replica("second").await;
    let (client, ids) = with(&world, 8).await;
    world.pass(Duration::minutes(9));
    provider_wants(&world, NEW);
    let (one, two) =
        tokio::join!(app::refresh::run_due(&world.app, 3), app::refresh::run_due(&second, 3));
    assert!(one.unwrap() + two.unwrap() >= 3);
    let asked = world.refreshes().len();
    assert_eq!(world.client_now(client).await.state, StateName::CredentialsRejected);
    for app in [&world.app, &second] {
        assert_eq!(look(app).await, 0);
        let pressed = app::connection::refresh(app, &world.admin, ids[7]).await;
        assert!(matches!(pressed, Err(app::Error::Conflict(_))));
    }
    assert_eq!(world.refreshes().len(), asked);
    assert_eq!(world.audit("client.credentials_rejected").await.len(), 1);

    let secret = Some(NEW.into());
    app::client::replace_secret(&second, &world.admin, client, secret).await.unwrap();
    world.pass(Duration::minutes(2));
    let (one, two) = tokio::join!(look(&world.app), look(&second));
    assert_eq!(one + two + look(&second).await, 8);
    for id in ids {
        assert_eq!((world.state(id).await, world.generation(id).await), (State::Active, 2));
    }
    assert_eq!(world.audit("connection.condemned").await, []);
}

#[sqlx::test]
async fn a_rehearsal_that_works_puts_the_secret_in_its_place(pool: PgPool) {
    let world = World::new(pool).await;
    let second = world.replica("second").await;
    let (client, ids) = with(&world, 4).await;
    world.pass(Duration::minutes(9));
    provider_wants(&world, NEW);
    look(&world.app).await;
    assert_eq!(world.client_now(client).await.state, StateName::CredentialsRejected);
    let asked = world.refreshes().len();

    let seen = set(&world, client, NEW).await;
    let waiting = seen.next_secret.unwrap();
    assert_eq!((waiting.tried, waiting.refused, waiting.try_at), (0, None, Some(world.now())));
    assert_eq!(seen.state, StateName::CredentialsRejected, "nothing is mended by hope");
    let (one, two) = tokio::join!(look(&world.app), look(&second));
    assert_eq!(one + two, 1, "one connection, by one replica");
    assert_eq!(world.refreshes().len(), asked + 1);
    let seen = world.client_now(client).await;
    assert_eq!((seen.state, seen.next_secret), (StateName::Ready, None));
    assert_eq!(seen.secret_set_at, Some(world.now()));
    let promoted = world.audit("client.secret_promoted").await;
    assert_eq!((promoted.len(), promoted[0].actor_kind.as_str()), (1, "system"));
    let proved = async || {
        let found = app::client::rehearsal::prospects(&world.app, &world.admin, client).await;
        found.map(|found| found.proved_at)
    };
    assert_eq!(proved().await.unwrap(), Some(world.now()));
    let page = world.sign_in(Role::Admin).await.get(&format!("/clients/{client}")).await.text;
    assert!(page.contains("The rehearsal went well"), "{page}");

    let mut due = Vec::new();
    for id in &ids {
        let connection = world.connection(*id).await;
        if connection.generation == 1 {
            due.push(connection.due_at.unwrap());
            continue;
        }
        let attempts = world.attempts(*id).await;
        let granted = attempts.iter().find(|one| one.verdict == Some(Verdict::Refreshed)).unwrap();
        assert_eq!(granted.trigger, Trigger::Rehearsal);
    }
    assert_eq!(due.len(), 3);
    let spread = world.now()..=world.now() + Duration::minutes(2);
    assert!(due.iter().all(|at| spread.contains(at)), "with jitter");
    world.pass(Duration::minutes(2));
    assert_eq!(look(&second).await, 3);
    for id in ids {
        assert_eq!((world.state(id).await, world.generation(id).await), (State::Active, 2));
    }
}

#[sqlx::test]
async fn a_rehearsal_that_is_refused_has_changed_nothing(pool: PgPool) {
    let world = World::new(pool).await;
    let (client, ids) = with(&world, 1).await;
    let before = world.connection(ids[0]).await;
    set(&world, client, NEW).await;
    assert_eq!(look(&world.app).await, 1);
    let seen = world.client_now(client).await;
    assert_eq!(seen.state, StateName::Ready);
    let refused = seen.next_secret.unwrap();
    assert_eq!(refused.refused.as_deref(), Some("invalid_client"));
    assert_eq!((refused.tried, refused.try_at), (1, None));
    assert_eq!(world.audit("client.next_secret_refused").await.len(), 1);
    assert_eq!(world.audit("client.credentials_rejected").await, []);
    let after = world.connection(ids[0]).await;
    assert_eq!((&after.state, after.generation), (&before.state, before.generation));
    assert_eq!(after.due_at, before.due_at);
    // It goes on with the secret in use, and the refused one is not tried again by itself.
    world.pass(Duration::minutes(9));
    assert_eq!(look(&world.app).await, 1);
    assert_eq!(world.generation(ids[0]).await, 2);
    assert_eq!(rehearsals(&world).await, 1);
    // The provider takes it over later; somebody asks for another try.
    provider_wants(&world, NEW);
    rehearsal::begin(&world.app, &world.admin, client).await.unwrap();
    assert_eq!(next(&world, client).await.unwrap().refused, None);
    assert_eq!(look(&world.app).await, 1);
    assert_eq!((next(&world, client).await, world.generation(ids[0]).await), (None, 3));
}

#[sqlx::test]
async fn a_rehearsal_without_an_answer_is_made_again_with_patience(pool: PgPool) {
    let world = World::new(pool).await;
    let (client, ids) = with(&world, 3).await;
    set(&world, client, NEW).await;
    for made in 1..=2 {
        // The second time the one that failed before is due as well.
        world.control().fail_next(Fault::Unavailable, 2);
        assert_eq!(look(&world.app).await, usize::try_from(made).unwrap());
        world.control().clear();
        let waiting = next(&world, client).await.unwrap();
        assert_eq!((waiting.tried, waiting.refused), (made, None));
        let wait = waiting.try_at.unwrap() - world.now();
        assert!(wait >= Duration::minutes(1 << (made - 1)) && wait < Duration::minutes(3));
        assert_eq!(rehearsals(&world).await, i64::from(made));
        world.clock.set(waiting.try_at.unwrap());
        assert_eq!(world.client_now(client).await.state, StateName::Ready);
    }
    provider_wants(&world, NEW);
    look(&world.app).await;
    assert_eq!(world.client_now(client).await.state, StateName::Ready);
    assert_eq!(next(&world, client).await, None);
    for id in ids {
        assert_eq!(world.reason(id).await, None);
    }
}

/// Some servers answer to a wrong secret as to a dead grant.
#[sqlx::test]
async fn a_rehearsal_condemns_no_connection(pool: PgPool) {
    let world = World::new(pool).await;
    let (client, ids) = with(&world, 1).await;
    set(&world, client, "wrong secret").await;
    world.control().fail_next(Fault::InvalidGrant, 1);
    assert_eq!(look(&world.app).await, 1);
    assert!(matches!(world.state(ids[0]).await, State::Retrying { .. }));
    assert_eq!(world.attempts(ids[0]).await[0].verdict, Some(Verdict::Suspended));
    assert_eq!(world.audit("connection.condemned").await, []);
    assert_eq!(next(&world, client).await.unwrap().refused, None);
    // With the secret in use it is what it was.
    rehearsal::drop(&world.app, &world.admin, client).await.unwrap();
    world.until_due(ids[0]).await;
    assert_eq!(look(&world.app).await, 1);
    assert_eq!(world.generation(ids[0]).await, 2);
}

#[sqlx::test]
async fn a_late_success_does_not_promote_another_secret(pool: PgPool) {
    let world = World::new(pool).await;
    let (client, ids) = with(&world, 1).await;
    provider_wants(&world, NEW);
    set(&world, client, NEW).await;
    world.control().hold(Hold::BeforeAnswering);
    let begun = app::refresh::begin_due(&world.app, 10).await.unwrap();
    world.control().until_held(1).await;
    set(&world, client, "a third secret").await;
    world.control().release();
    futures::future::join_all(begun).await;
    assert_eq!(world.generation(ids[0]).await, 2, "the grant is kept");
    assert_eq!(world.audit("client.secret_promoted").await, []);
    assert_eq!(next(&world, client).await.unwrap().tried, 0);
    assert_eq!(look(&world.app).await, 1);
    assert_eq!(next(&world, client).await.unwrap().refused.as_deref(), Some("invalid_client"));
}

#[sqlx::test]
async fn what_is_in_doubt_or_in_use_is_not_tried_with(pool: PgPool) {
    let world = World::new(pool).await;
    let (client, ids) = with(&world, 1).await;
    world.control().fail_next(Fault::DropAfter, 1);
    app::connection::refresh(&world.app, &world.admin, ids[0]).await.unwrap();
    let refused = rehearsal::set(&world.app, &world.admin, client, NEW.into()).await;
    assert!(matches!(refused, Err(app::Error::Conflict(_))));
    let other = world.import(client).await;
    set(&world, client, NEW).await;
    world.control().hold(Hold::BeforeProcessing);
    let (app, admin) = (world.app.clone(), world.admin.clone());
    let pressed =
        tokio::spawn(async move { app::connection::refresh(&app, &admin, other).await.map(drop) });
    world.control().until_held(1).await;
    assert_eq!(look(&world.app).await, 0, "there is nothing to try it with");
    assert_eq!(rehearsals(&world).await, 0);
    world.control().release();
    pressed.await.unwrap().unwrap();
    let at = next(&world, client).await.unwrap().try_at.unwrap();
    world.clock.set(at);
    look(&world.app).await;
    assert_eq!(world.attempts(other).await.pop().unwrap().trigger, Trigger::Rehearsal);
}

#[sqlx::test]
async fn a_next_secret_goes_nowhere_else_and_an_old_one_does_not_open(pool: PgPool) {
    let world = World::new(pool).await;
    let (client, ids) = with(&world, 1).await;
    set(&world, client, "the first").await;
    world.execute("CREATE TABLE kept AS SELECT * FROM clients").await;
    set(&world, client, "the second").await;
    let put_back = "UPDATE clients SET sealed_next_secret = kept.sealed_next_secret FROM kept
                    WHERE kept.id = clients.id";
    world.execute(put_back).await;
    assert_eq!(look(&world.app).await, 0);
    assert_eq!(world.refreshes().len(), 0, "an old secret is not sent");
    // Nor does the one in use open in the place of the next.
    let moved =
        "UPDATE clients SET sealed_next_secret = sealed_client_secret, rehearsal_at = created_at,
                                    next_secret_generation = secret_generation";
    world.execute(moved).await;
    assert_eq!(look(&world.app).await, 0);
    assert_eq!(rehearsals(&world).await, 0);

    // Another client id is another client: the secret does not follow.
    let (client, other) = {
        let client = world.client("two", |_| {}).await;
        (client, world.import(client).await)
    };
    set(&world, client, NEW).await;
    for id in [ids[0], other] {
        app::connection::disconnect(&world.app, &world.admin, id, false).await.unwrap();
    }
    let patch = ClientPatch { oauth_client_id: Some("three".into()), ..ClientPatch::default() };
    let secret = Some(SECRET.into());
    let seen = app::client::update(&world.app, &world.admin, client, patch, secret).await.unwrap();
    assert_eq!(seen.next_secret, None);
    let stored = format!(
        "SELECT count(*) FROM clients WHERE id = '{client}' AND sealed_next_secret IS NULL"
    );
    let count: i64 =
        sqlx::query_scalar(AssertSqlSafe(stored)).fetch_one(&world.pool).await.unwrap();
    assert_eq!(count, 1);
}

#[sqlx::test]
async fn programs_and_people_can_rehearse(pool: PgPool) {
    let world = World::new(pool).await;
    let (client, _) = with(&world, 1).await;
    let program = world.program(&[Scope::ClientsWrite]).await;
    let path = format!("/clients/{client}");
    let next_secret = format!("{path}/next-secret");
    assert_eq!(program.press(&format!("{path}/rehearse")).await.refusal().0, 409);
    let empty = serde_json::json!({ "client_secret": "" });
    assert_eq!(program.put(&next_secret, &empty).await.field(), "client_secret");
    let body = serde_json::json!({ "client_secret": NEW });
    let seen = program.put(&next_secret, &body).await;
    assert!(!seen.text.contains(NEW));
    assert_eq!(seen.ok()["next_secret"]["tried"], 0);
    look(&world.app).await;
    assert_eq!(program.get(&path).await.ok()["next_secret"]["refused"], "invalid_client");
    assert_eq!(program.press(&format!("{path}/rehearse")).await.ok()["next_secret"]["tried"], 1);
    assert_eq!(program.delete(&next_secret).await.status, 204);
    assert_eq!(program.delete(&next_secret).await.status, 204);
    assert_eq!(program.get(&path).await.ok()["next_secret"], serde_json::Value::Null);

    let mut admin = world.sign_in(Role::Admin).await;
    let id = client.to_string();
    let page = format!("/clients/{client}");
    assert!(admin.get(&page).await.text.contains("Try it"));
    let form = [("id", id.as_str()), ("client_secret", NEW)];
    assert_eq!(admin.call("rehearsal/set", &form).await.status, 200);
    assert!(admin.get(&page).await.text.contains("The next secret waits to be tried"));
    look(&world.app).await;
    let seen = admin.get(&page).await.text;
    assert!(seen.contains("The provider refused the next secret") && !seen.contains(NEW));
    assert_eq!(admin.call("rehearsal/drop", &form[..1]).await.status, 200);
    assert_eq!(next(&world, client).await, None);
}

/// Where nothing is refreshed there is nothing to try a secret with: that stands there before it is asked for.
#[sqlx::test]
async fn a_rehearsal_is_offered_only_where_there_can_be_one(pool: PgPool) {
    let world = World::new(pool).await;
    let (client, ids) = with(&world, 1).await;
    let mut admin = world.sign_in(Role::Admin).await;
    let page = format!("/clients/{client}");
    for (rests, offered) in [(false, true), (true, false)] {
        if rests {
            app::connection::pause(&world.app, &world.admin, ids[0]).await.unwrap();
        }
        let seen = admin.get(&page).await.text;
        assert_eq!(seen.contains("One connection is refreshed with it."), offered, "{seen}");
        assert_eq!(seen.contains("be tried with one first"), !offered, "{seen}");
        assert!(seen.contains("Replace it at once, untried"), "{seen}");
    }
}

/// The button above the field tries the one that is kept only where nothing was typed below.
#[sqlx::test]
async fn what_stands_in_the_field_is_what_is_tried(pool: PgPool) {
    let world = World::new(pool).await;
    let (client, _) = with(&world, 1).await;
    let mut admin = world.sign_in(Role::Admin).await;
    let id = client.to_string();
    let again = |secret| [("id", id.as_str()), ("client_secret", secret), ("again", "true")];
    set(&world, client, NEW).await;
    look(&world.app).await;
    let page = admin.get(&format!("/clients/{client}")).await.text;
    assert!(page.contains("form=\"next-secret\"") && page.contains("id=\"next-secret\""), "{page}");
    assert_eq!(admin.call("rehearsal/set", &again("")).await.status, 200);
    assert_eq!(next(&world, client).await.unwrap().refused, None, "it waits to be tried again");
    look(&world.app).await;
    assert!(next(&world, client).await.unwrap().refused.is_some());
    assert_eq!(rehearsals(&world).await, 2);
    assert_eq!(admin.call("rehearsal/set", &again(SECRET)).await.status, 200);
    look(&world.app).await;
    assert_eq!((next(&world, client).await, rehearsals(&world).await), (None, 3));
    // With neither a secret nor the word to try again nothing is kept.
    let empty = [("id", id.as_str()), ("client_secret", "")];
    assert_ne!(admin.call("rehearsal/set", &empty).await.status, 200);
    assert_eq!(next(&world, client).await, None);
}

/// What was set earlier does not take the place of a secret that came later, although it still works.
#[sqlx::test]
async fn a_secret_replaced_at_once_ends_the_rehearsal(pool: PgPool) {
    let world = World::new(pool).await;
    let (client, _) = with(&world, 2).await;
    set(&world, client, NEW).await;
    let secret = Some("newer still".into());
    app::client::replace_secret(&world.app, &world.admin, client, secret).await.unwrap();
    assert_eq!(next(&world, client).await, None);
    provider_wants(&world, NEW);
    assert_eq!(look(&world.app).await, 0);
    assert_eq!(rehearsals(&world).await, 0);
}

/// Nobody looks again and again at a rehearsal that can't be made.
#[sqlx::test]
async fn a_rehearsal_waits_for_its_client(pool: PgPool) {
    let world = World::new(pool).await;
    let (client, _) = with(&world, 1).await;
    set(&world, client, NEW).await;
    let due = async || {
        let mut conn = world.pool.acquire().await.unwrap();
        store::client::next_secret::list_due(&mut conn, world.now()).await.unwrap()
    };
    assert_eq!(due().await, [client]);
    for (change, wanted) in [
        ("UPDATE clients SET state = 'disabled'", vec![]),
        ("UPDATE clients SET state = 'ready', paused_until = now() + interval '9 years'", vec![]),
        ("UPDATE clients SET paused_until = NULL", vec![client]),
    ] {
        world.execute(change).await;
        assert_eq!(due().await, wanted, "{change}");
    }
}

/// What is kept of a secret does not open when the provider has accepted it.
#[sqlx::test]
async fn a_next_secret_that_does_not_open_is_not_tried_without_end(pool: PgPool) {
    let world = World::new(pool).await;
    let (client, ids) = with(&world, 1).await;
    provider_wants(&world, NEW);
    set(&world, client, NEW).await;
    world.control().hold(Hold::BeforeAnswering);
    let begun = app::refresh::begin_due(&world.app, 10).await.unwrap();
    world.control().until_held(1).await;
    world.execute("UPDATE clients SET sealed_next_secret = sealed_client_secret").await;
    world.control().release();
    futures::future::join_all(begun).await;
    assert_eq!(world.generation(ids[0]).await, 2, "what it was granted is stored");
    let left = next(&world, client).await.unwrap();
    assert_eq!((left.refused.as_deref(), left.try_at), (Some(UNREADABLE), None));
    assert_eq!(world.audit("client.next_secret_refused").await.len(), 1);
    world.pass(Duration::hours(2));
    look(&world.app).await;
    assert_eq!(rehearsals(&world).await, 1);
}
