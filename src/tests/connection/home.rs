//! A refresh token has one home: whichever way it comes a second time, it is not stored twice, and
//! what is held stays.

use serde_json::json;
use sqlx::PgPool;
use time::Duration;
use uuid::Uuid;

use crate::{
    domain::{
        access::{Role, Scope},
        connection::{Connection, State},
        device::DeviceState,
        provider::{self, Profile},
        relink::Stage,
    },
    server::{
        app::{self, Actor, connection::device},
        store,
    },
    tests::support::{Browser, Stub, World, new_connection},
};

/// An answer with the refresh token that the first connection of the stub holds.
const SAME: &str = r#"{"access_token":"a1","refresh_token":"r0","expires_in":600}"#;
const OTHER: &str = r#"{"access_token":"a2","refresh_token":"r2","expires_in":600}"#;

/// A provider whose accounts have one refresh token each, with every way to a token.
struct Stingy {
    stub: Stub,
    client: Uuid,
    /// It holds `r0`.
    first: Connection,
}

impl Stingy {
    async fn new(world: &World) -> Self {
        let device = format!("{}/device_authorization", world.sandbox.url());
        let offers = |profile: &mut Profile| {
            profile.endpoints.device_authorization = Some(device);
            profile.endpoints.revocation = None;
            profile.grants.push(provider::GrantType::DeviceCode);
            profile.grants.push(provider::GrantType::TokenExchange);
        };
        let (stub, first) = world.stub_with(offers).await;
        let first = world.connection(first).await;
        stub.answers(SAME);
        Self { stub, client: first.client_id, first }
    }

    /// The first connection is as it was, and can be refreshed.
    async fn is_whole(&self, world: &World) {
        assert_eq!(world.connection(self.first.id).await, self.first);
        self.stub.answers(OTHER);
        app::connection::refresh(&world.app, &world.admin, self.first.id).await.expect("a refresh");
        assert_eq!(world.generation(self.first.id).await, 2);
    }
}

/// The connection that was made last, and where the browser goes to consent to it.
async fn begun(world: &World, browser: &mut Browser, client: Uuid) -> (String, Uuid) {
    let form = [("client_id", &*client.to_string()), ("label", "Second")];
    let start = browser.call("connection/connect", &form).await.location();
    let newest = "SELECT id FROM connections WHERE label = 'Second' ORDER BY id DESC LIMIT 1";
    (start, sqlx::query_scalar(newest).fetch_one(&world.pool).await.expect("a connection"))
}

#[sqlx::test]
async fn a_page_that_brings_the_token_of_another_connection_says_which(pool: PgPool) {
    let world = World::new(pool).await;
    let stingy = Stingy::new(&world).await;
    let mut browser = world.sign_in(Role::Admin).await;
    let (start, id) = begun(&world, &mut browser, stingy.client).await;
    let landed = world.consent(&mut browser, start, "alice").await;
    let home = stingy.first.id;
    assert_eq!(landed, format!("/connections/{id}?problem=already_connected&home={home}"));
    let page = browser.get(&landed).await.text;
    assert!(page.contains("This account is connected already"), "{page}");
    assert!(page.contains(&format!("href=\"/connections/{home}\"")), "{page}");
    assert_eq!(world.state(id).await, State::Pending);
    let told = world.audit("connection.consent_failed").await;
    assert_eq!(told[0].detail["outcome"], "already_connected");
    assert!(told[0].detail["why"].as_str().unwrap().contains(&home.to_string()), "{told:?}");
    stingy.is_whole(&world).await;

    // The next consent brings one that is nobody's.
    stingy.stub.answers(SAME);
    let again = browser.call("connection/reauthorize", &[("id", &id.to_string())]).await.location();
    let landed = world.consent(&mut browser, again, "alice").await;
    assert_eq!(landed, format!("/connections/{id}?connected=1"));
}

#[sqlx::test]
async fn a_relink_that_brings_the_token_of_another_connection_takes_nothing(pool: PgPool) {
    let world = World::new(pool).await;
    let stingy = Stingy::new(&world).await;
    let other = world.import_text(stingy.client, OTHER.into()).await.unwrap().id;
    let dead = "UPDATE connections SET state = 'needs_reauth', reason = 'revoked', due_at = NULL
                WHERE id = $1";
    sqlx::query(dead).bind(other).execute(&world.pool).await.unwrap();
    let before = world.connection(other).await;
    let made = app::relink::create(&world.app, &world.admin, other).await.unwrap();
    let token = made.url.rsplit('/').next().unwrap().to_owned();
    let mut visitor = world.browser();
    let start = visitor.begin_relink(&token).await.location();
    let landed = world.consent(&mut visitor, start, "alice").await;
    assert_eq!(landed, format!("/relink/{token}?outcome=already_connected"));
    let page = visitor.get(&landed).await.text;
    assert!(page.contains("This account is connected already"), "{page}");
    // A stranger is told of no other connection.
    assert!(!page.contains(&stingy.first.id.to_string()), "{page}");
    assert_eq!(world.connection(other).await, before);
    let sent = app::relink::list(&world.app, &Actor::System, other).await.unwrap();
    assert_eq!(Stage::of(&sent[0], world.now()), Stage::AlreadyConnected);
    assert!(sent[0].detail.as_deref().unwrap().contains(&stingy.first.id.to_string()));
    stingy.is_whole(&world).await;

    // The link still works, and its own token is no other's.
    let start = visitor.begin_relink(&token).await.location();
    stingy.stub.answers(r#"{"access_token":"a3","refresh_token":"r3","expires_in":600}"#);
    world.consent(&mut visitor, start, "alice").await;
    assert_eq!(world.state(other).await, State::Active);
}

/// The provider gives back what the connection itself has: nothing is wrong with that.
#[sqlx::test]
async fn a_connection_may_be_given_its_own_token_again(pool: PgPool) {
    let world = World::new(pool).await;
    let stingy = Stingy::new(&world).await;
    let id = stingy.first.id;
    let mut browser = world.sign_in(Role::Admin).await;
    let start = browser.call("connection/reauthorize", &[("id", &id.to_string())]).await.location();
    let landed = world.consent(&mut browser, start, "alice").await;
    assert_eq!(landed, format!("/connections/{id}?connected=1"));
    assert_eq!(world.generation(id).await, 2);
}

/// A dead connection sends its token no more; thrown away for its sake, a grant that lives would be lost.
#[sqlx::test]
async fn what_is_dead_is_no_home(pool: PgPool) {
    let world = World::new(pool).await;
    let stingy = Stingy::new(&world).await;
    let dead = "UPDATE connections SET state = 'needs_reauth', reason = 'revoked', due_at = NULL
                WHERE id = $1";
    sqlx::query(dead).bind(stingy.first.id).execute(&world.pool).await.unwrap();
    let mut browser = world.sign_in(Role::Admin).await;
    let (start, id) = begun(&world, &mut browser, stingy.client).await;
    let landed = world.consent(&mut browser, start, "alice").await;
    assert_eq!(landed, format!("/connections/{id}?connected=1"));
    assert_eq!(world.state(id).await, State::Active);
    // From now on it is one's alone, whatever becomes of the other.
    let held = "SELECT count(*) FROM token_sets WHERE sealed_refresh_token IS NOT NULL";
    assert_eq!(world.count(held).await, 1);
    app::connection::disconnect(&world.app, &world.admin, stingy.first.id, true).await.unwrap();
    stingy.stub.answers(OTHER);
    app::connection::refresh(&world.app, &world.admin, id).await.expect("a refresh");
}

/// An answer that comes late brings such a one back, and whoever sent its token too would end it.
#[sqlx::test]
async fn what_may_come_back_from_the_dead_keeps_its_token(pool: PgPool) {
    let world = World::new(pool).await;
    let stingy = Stingy::new(&world).await;
    world
        .execute("UPDATE connections SET state = 'needs_reauth', reason = 'rotation_lost', due_at = NULL")
        .await;
    let mut browser = world.sign_in(Role::Admin).await;
    let (start, id) = begun(&world, &mut browser, stingy.client).await;
    let landed = world.consent(&mut browser, start, "alice").await;
    let home = stingy.first.id;
    assert_eq!(landed, format!("/connections/{id}?problem=already_connected&home={home}"));
}

/// Whoever wants the account elsewhere lets the first one go, and does not tell the provider.
#[sqlx::test]
async fn what_was_disconnected_is_no_home(pool: PgPool) {
    let world = World::new(pool).await;
    let stingy = Stingy::new(&world).await;
    app::connection::disconnect(&world.app, &world.admin, stingy.first.id, false).await.unwrap();
    let mut browser = world.sign_in(Role::Admin).await;
    let (start, id) = begun(&world, &mut browser, stingy.client).await;
    world.consent(&mut browser, start, "alice").await;
    assert_eq!(world.state(id).await, State::Active);
}

#[sqlx::test]
async fn a_code_that_brings_the_token_of_another_connection_fails_with_its_name(pool: PgPool) {
    let world = World::new(pool).await;
    let stingy = Stingy::new(&world).await;
    let (made, _) =
        device::create(&world.app, &world.admin, new_connection(stingy.client)).await.unwrap();
    world.pass(Duration::seconds(5));
    assert_eq!(device::run_due(&world.app, 10).await.unwrap(), 1);
    let ended = device::get(&world.app, &world.admin, made.id).await.unwrap();
    assert_eq!(ended.state, DeviceState::Failed);
    assert!(ended.detail.as_deref().unwrap().contains(&stingy.first.id.to_string()), "{ended:?}");
    assert_eq!(world.state(made.id).await, State::Pending);
    stingy.is_whole(&world).await;
}

#[sqlx::test]
async fn an_exchange_and_a_grant_that_bring_the_token_of_another_connection_make_none(
    pool: PgPool,
) {
    let world = World::new(pool).await;
    let stingy = Stingy::new(&world).await;
    let program = world.program(&[Scope::ConnectionsWrite]).await;
    let kind = "urn:ietf:params:oauth:token-type:access_token";
    for body in [
        json!({ "grant": "token_exchange", "subject_token": "x", "subject_token_type": kind }),
        json!({ "grant": "client_credentials" }),
        json!({ "token_response": serde_json::from_str::<serde_json::Value>(SAME).unwrap() }),
    ] {
        let mut body = body;
        body["client_id"] = json!(stingy.client);
        let page = program.post("/connections", &body).await;
        assert_eq!(page.refusal(), (409, "conflict".into()), "{body}: {}", page.text);
        assert_eq!(page.json::<serde_json::Value>()["reason"], "already_connected");
        assert!(page.text.contains(&stingy.first.id.to_string()), "{}", page.text);
        assert_eq!(world.count("SELECT count(*) FROM connections").await, 1);
    }
    stingy.is_whole(&world).await;
}

/// Two consents at once that bring one token: the second waits for the first, and is refused.
#[sqlx::test]
async fn of_two_that_bring_one_token_at_once_one_is_stored(pool: PgPool) {
    let world = World::new(pool).await;
    let stingy = Stingy::new(&world).await;
    stingy.stub.answers(OTHER);
    let mut browser = world.sign_in(Role::Admin).await;
    let mut landing = Vec::new();
    for _ in 0..4 {
        let (start, _) = begun(&world, &mut browser, stingy.client).await;
        let callback = world.consent_only(&mut browser, start, "alice").await;
        let mut coming = browser.clone();
        landing.push(async move { coming.get(&callback).await.location() });
    }
    let landed = futures::future::join_all(landing).await;
    let connected = landed.iter().filter(|landed| landed.ends_with("?connected=1")).count();
    let refused = landed.iter().filter(|landed| landed.contains("=already_connected&")).count();
    assert_eq!((connected, refused), (1, 3), "{landed:?}");
    let homes = "SELECT count(*) FROM token_sets WHERE superseded_at IS NULL";
    assert_eq!(world.count(homes).await, 2);
}

const WAITS: &str = "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
                     WHERE l.locktype = 'advisory' AND NOT l.granted AND d.datname = current_database()";

/// Whoever waits for a token holds nothing that its holder may want: one order of locks for an import
/// of one connection, one of many, and consent.
#[sqlx::test]
async fn whoever_waits_for_a_token_holds_no_row(pool: PgPool) {
    let world = World::new(pool).await;
    let stingy = Stingy::new(&world).await;
    let mut browser = world.sign_in(Role::Admin).await;
    let (start, id) = begun(&world, &mut browser, stingy.client).await;
    let callback = world.consent_only(&mut browser, start, "alice").await;

    // As a batch of an import that has the same token, and the same external id after it.
    let print = world.app.keyring().fingerprint(&"r0".into());
    let mut batch = world.pool.begin().await.unwrap();
    store::token_set::hold_fingerprints(&mut batch, &[print]).await.unwrap();
    let named = app::connection::NewConnection {
        external_id: Some("7".into()),
        ..new_connection(stingy.client)
    };
    let body = serde_json::from_str(SAME).unwrap();
    let (running, actor) = (world.app.clone(), world.admin.clone());
    let import = tokio::spawn(async move {
        app::connection::import(&running, &actor, named, &body, None).await.map(|_| ())
    });
    let landing = tokio::spawn(async move { browser.get(&callback).await.location() });
    while world.count(WAITS).await < 2 {
        tokio::task::yield_now().await;
    }
    for wanted in [
        format!("SELECT FROM clients WHERE id = '{}' FOR UPDATE NOWAIT", stingy.client),
        format!("SELECT FROM connections WHERE id = '{id}' FOR UPDATE NOWAIT"),
        "SET LOCAL lock_timeout = '2s'".into(),
        format!(
            "INSERT INTO connections (id, client_id, external_id, label, tags, variables, grant_type,
                                      scopes_requested, state, state_since, created_at, updated_at)
             SELECT gen_random_uuid(), client_id, '7', '', '{{}}', '{{}}', 'import', '{{}}', 'pending',
                    now(), now(), now() FROM connections WHERE id = '{id}'"
        ),
    ] {
        let got = sqlx::query(sqlx::AssertSqlSafe(wanted.clone())).execute(&mut *batch).await;
        got.unwrap_or_else(|error| panic!("{wanted}: {error}"));
    }
    batch.rollback().await.unwrap();
    assert!(matches!(import.await.unwrap(), Err(app::Error::Conflict(_))));
    assert!(landing.await.unwrap().contains("already_connected"));
}

/// The provider gives no refresh token, and nobody knows whose the one is that is held.
#[sqlx::test]
async fn a_strangers_access_token_is_not_put_beside_what_is_held(pool: PgPool) {
    let world = World::new(pool).await;
    let named = |profile: &mut Profile| {
        let (from, pointer) = (provider::IdentityOrigin::Response, "/who".into());
        profile.response.account.id = vec![provider::AccountSource { from, pointer }];
    };
    let (stub, id) = world.stub_with(named).await;
    let before = world.connection(id).await;
    assert_eq!(before.account_id, None);
    stub.answers(r#"{"access_token":"a1","expires_in":600,"who":"mallory"}"#);
    let mut browser = world.sign_in(Role::Admin).await;
    let start = browser.call("connection/reauthorize", &[("id", &id.to_string())]).await.location();
    let landed = world.consent(&mut browser, start, "alice").await;
    assert_eq!(landed, format!("/connections/{id}?problem=failed"));
    assert_eq!(world.connection(id).await, before);
}
