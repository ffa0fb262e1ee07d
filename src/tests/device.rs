//! Consent on another device (RFC 8628): begun by a program or a browser, waited for by nobody but the
//! worker.

use axum::http::StatusCode;
use serde_json::{Value, json};
use sqlx::PgPool;
use time::Duration;
use uuid::Uuid;

use crate::{
    domain::{
        access::{Role, Scope},
        client,
        connection::{GrantType, State, StateName},
        device::{DeviceAuthorization, DeviceState},
        provider::{self, Profile},
    },
    sandbox::{Fault, Hold, TokenRequest},
    server::app::{self, Actor, App, connection::device},
    tests::support::{Browser, Program, World},
};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
const INTERVAL: Duration = Duration::seconds(5);

/// A client of a provider that offers codes.
async fn client(world: &World) -> Uuid {
    let endpoint = format!("{}/device_authorization", world.sandbox.url());
    let offers = |profile: &mut Profile| {
        profile.endpoints.device_authorization = Some(endpoint);
        profile.grants.push(provider::GrantType::DeviceCode);
    };
    world.provider("television", offers).await;
    world.client_of("television", "tv", |_| {}).await
}

struct Begun {
    id: Uuid,
    device: Value,
}

impl Begun {
    fn user_code(&self) -> &str {
        self.device["user_code"].as_str().expect("a code")
    }
}

async fn begin(admin: &Program, client: Uuid) -> Begun {
    let body = json!({ "client_id": client, "grant": "device_code", "label": "Screen" });
    let made = admin.post("/connections", &body).await.ok();
    let id = made["id"].as_str().expect("an id").parse().expect("an id");
    Begun { id, device: made["device"].clone() }
}

async fn now(world: &World, id: Uuid) -> DeviceAuthorization {
    device::get(&world.app, &Actor::System, id).await.expect("a device authorization")
}

async fn look(app: &App) -> usize {
    device::run_due(app, 100).await.expect("the worker's look")
}

fn polls(world: &World) -> Vec<TokenRequest> {
    let is_poll = |request: &TokenRequest| request.grant.as_deref() == Some(GRANT);
    world.sandbox.log().into_iter().filter(is_poll).collect()
}

#[sqlx::test]
async fn a_code_typed_elsewhere_connects(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = world.program(&[Scope::Admin]).await;
    let client = client(&world).await;
    let begun = begin(&admin, client).await;
    let page = format!("{}/device", world.sandbox.url());
    assert_eq!(begun.device["verification_uri"], page);
    let complete = format!("{page}?user_code={}", begun.user_code());
    assert_eq!(begun.device["verification_uri_complete"], complete);
    assert_eq!(begun.device["expires_at"], "2026-03-01T12:10:00Z");
    assert_eq!(begun.device["state"], "waiting");
    let path = format!("/connections/{}", begun.id);
    assert_eq!(admin.get(&path).await.ok()["state"]["name"], "pending");

    assert_eq!(look(&world.app).await, 0, "not before the interval is over");
    world.pass(INTERVAL);
    assert_eq!(look(&world.app).await, 1);
    assert_eq!(world.state(begun.id).await, State::Pending);
    assert_eq!(look(&world.app).await, 0);
    assert!(world.sandbox.approve_device(begun.user_code(), "alice"));
    world.pass(INTERVAL);
    assert_eq!(look(&world.app).await, 1);

    let connection = world.connection(begun.id).await;
    assert_eq!((connection.state, connection.generation), (State::Active, 1));
    assert_eq!(connection.grant_type, GrantType::DeviceCode);
    assert_eq!(connection.account_label.as_deref(), Some("alice@example.com"));
    assert_eq!(admin.get(&format!("{path}/device")).await.ok()["state"], "done");
    assert_eq!(world.audit("connection.connected").await.len(), 1);
    let sealed = "SELECT count(sealed_device_code) FROM device_codes";
    assert_eq!(world.count(sealed).await, 0, "what is spent is not kept");
    world.pass(INTERVAL);
    assert_eq!(look(&world.app).await, 0);
    assert_eq!(polls(&world).len(), 2);
    world.until_due(begun.id).await;
    assert_eq!(world.tick().await, 1);
    assert_eq!(world.generation(begun.id).await, 2);
}

#[sqlx::test]
async fn slow_down_is_heeded_from_then_on(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = world.program(&[Scope::Admin]).await;
    let client = client(&world).await;
    let begun = begin(&admin, client).await;
    world.pass(INTERVAL);
    assert_eq!(look(&world.app).await, 1);
    for interval in [10, 15] {
        // As if our clock had run ahead.
        world.execute("UPDATE device_codes SET due_at = created_at").await;
        assert_eq!(look(&world.app).await, 1);
        assert_eq!(now(&world, begun.id).await.interval_seconds, interval);
    }
    for _ in 0..2 {
        world.pass(Duration::seconds(15) - Duration::milliseconds(1));
        assert_eq!(look(&world.app).await, 0);
        world.pass(Duration::milliseconds(1));
        assert_eq!(look(&world.app).await, 1);
    }
    assert_eq!(now(&world, begun.id).await.interval_seconds, 15);
    let codes: Vec<_> = polls(&world).into_iter().filter_map(|poll| poll.error).collect();
    let (slow, wait) = ("slow_down", "authorization_pending");
    assert_eq!(codes, [wait, slow, slow, wait, wait]);
}

#[sqlx::test]
async fn a_code_that_nobody_types_expires_by_either_clock(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = world.program(&[Scope::Admin]).await;
    let client = client(&world).await;
    let ours = begin(&admin, client).await;
    world.pass(Duration::minutes(10));
    let seen = admin.get(&format!("/connections/{}/device", ours.id)).await.ok();
    assert_eq!(seen["state"], "expired", "even before the worker came by");
    assert_eq!(look(&world.app).await, 1);
    assert_eq!(now(&world, ours.id).await.state, DeviceState::Expired);
    assert!(polls(&world).is_empty());

    let theirs = begin(&admin, client).await;
    world
        .execute("UPDATE device_codes SET expires_at = expires_at + interval '1 hour' WHERE state = 'waiting'")
        .await;
    world.pass(Duration::minutes(10));
    assert_eq!(look(&world.app).await, 1);
    let ended = now(&world, theirs.id).await;
    assert_eq!(ended.state, DeviceState::Expired);
    assert!(ended.detail.unwrap().contains("expired"));
    assert_eq!(world.state(theirs.id).await, State::Pending);
    let told = world.audit("connection.consent_failed").await;
    let outcomes: Vec<_> = told.iter().map(|entry| entry.detail["outcome"].clone()).collect();
    assert_eq!(outcomes, ["expired", "expired"]);
    world.pass(Duration::days(8));
    app::upkeep::sweep(&world.app).await.unwrap();
    assert_eq!(world.count("SELECT count(*) FROM device_codes").await, 0);
    assert_eq!(world.count("SELECT count(*) FROM connections").await, 2);
}

#[sqlx::test]
async fn a_person_who_says_no_is_heard_and_can_be_asked_again(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = world.program(&[Scope::Admin]).await;
    let client = client(&world).await;
    let begun = begin(&admin, client).await;
    assert!(world.sandbox.deny_device(begun.user_code()));
    world.pass(INTERVAL);
    look(&world.app).await;
    assert_eq!(now(&world, begun.id).await.state, DeviceState::Denied);
    assert_eq!(world.state(begun.id).await, State::Pending);
    world.pass(INTERVAL);
    assert_eq!(look(&world.app).await, 0);

    let path = format!("/connections/{}/device", begun.id);
    let page = admin.press(&path).await;
    assert_eq!(page.status, StatusCode::CREATED);
    let code = page.ok()["user_code"].as_str().unwrap().to_owned();
    assert_ne!(code, begun.user_code());
    assert!(world.sandbox.approve_device(&code, "alice"));
    world.pass(INTERVAL);
    look(&world.app).await;
    assert_eq!(world.state(begun.id).await, State::Active);
}

#[sqlx::test]
async fn a_provider_that_is_away_is_asked_less_often_and_nothing_is_lost(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = world.program(&[Scope::Admin]).await;
    let client = client(&world).await;
    let begun = begin(&admin, client).await;
    assert!(world.sandbox.approve_device(begun.user_code(), "alice"));
    world.control().fail_next(Fault::Unavailable, 1);
    world.pass(INTERVAL);
    look(&world.app).await;
    world.control().fail_next(Fault::DropBefore, 1);
    world.pass(INTERVAL * 2);
    assert_eq!(look(&world.app).await, 1);
    assert_eq!(now(&world, begun.id).await.interval_seconds, 20);
    world.control().fail_next(Fault::RateLimited, 1);
    world.control().set(|settings| settings.retry_after = 50);
    world.pass(Duration::seconds(20));
    assert_eq!(look(&world.app).await, 1);
    world.pass(Duration::seconds(49));
    assert_eq!(look(&world.app).await, 0, "Retry-After is heeded");
    world.pass(Duration::seconds(1));
    assert_eq!(look(&world.app).await, 1);
    assert_eq!(world.state(begun.id).await, State::Active);
}

/// The code is spent with the answer that was lost, and the person is told so.
#[sqlx::test]
async fn a_lost_answer_is_told_apart_from_a_refusal(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = world.program(&[Scope::Admin]).await;
    let client = client(&world).await;
    let begun = begin(&admin, client).await;
    assert!(world.sandbox.approve_device(begun.user_code(), "alice"));
    world.control().fail_next(Fault::DropAfter, 1);
    world.pass(INTERVAL);
    look(&world.app).await;
    assert_eq!(now(&world, begun.id).await.state, DeviceState::Waiting, "it may not be spent");
    world.pass(INTERVAL * 2);
    assert_eq!(look(&world.app).await, 1);
    let ended = now(&world, begun.id).await;
    assert_eq!(ended.state, DeviceState::Failed);
    assert!(ended.detail.unwrap().contains("lost on the way"));
    assert_eq!(world.state(begun.id).await, State::Pending);
}

#[sqlx::test]
async fn two_processes_never_ask_at_once(pool: PgPool) {
    let world = World::new(pool).await;
    let second = world.replica("second").await;
    let admin = world.program(&[Scope::Admin]).await;
    let client = client(&world).await;
    let begun = begin(&admin, client).await;
    assert!(world.sandbox.approve_device(begun.user_code(), "alice"));
    world.pass(INTERVAL);
    world.control().hold(Hold::BeforeProcessing);
    let asked = device::begin_due(&world.app, 100).await.unwrap();
    assert_eq!(asked.len(), 1);
    world.control().until_held(1).await;
    assert_eq!(look(&second).await, 0);
    // Whoever began it may be gone by now; its process only stops when this is over.
    let (draining, app) = (world.app.clone(), world.app.clone());
    let drained = tokio::spawn(async move { draining.drain().await });
    world.control().release();
    drained.await.unwrap();
    assert!(app.stopping().is_cancelled());
    assert_eq!(world.state(begun.id).await, State::Active);
    assert_eq!(polls(&world).len(), 1);
}

/// Its tokens would be thrown away.
#[sqlx::test]
async fn a_code_that_is_being_redeemed_is_not_replaced(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = world.program(&[Scope::Admin]).await;
    let client = client(&world).await;
    let begun = begin(&admin, client).await;
    assert!(world.sandbox.approve_device(begun.user_code(), "alice"));
    world.pass(INTERVAL);
    world.control().hold(Hold::BeforeAnswering);
    let asked = device::begin_due(&world.app, 100).await.unwrap();
    world.control().until_held(1).await;
    // However long it takes until the answer is stored.
    world.pass(Duration::minutes(2));
    assert_eq!(look(&world.replica("second").await).await, 0);
    let again = device::authorize(&world.app, &world.admin, begun.id).await;
    assert!(matches!(again, Err(app::Error::Conflict(_))), "{again:?}");
    let ended = app::connection::disconnect(&world.app, &world.admin, begun.id, true).await;
    assert!(matches!(ended, Err(app::Error::Conflict(_))), "{ended:?}");
    world.control().release();
    futures::future::join_all(asked).await;
    assert_eq!(world.state(begun.id).await, State::Active);
}

#[sqlx::test]
async fn a_holder_that_died_holds_nobody_up(pool: PgPool) {
    let world = World::new(pool).await;
    let second = world.replica("second").await;
    let admin = world.program(&[Scope::Admin]).await;
    let client = client(&world).await;
    let begun = begin(&admin, client).await;
    let died = "UPDATE device_codes SET lease_id = gen_random_uuid(),
                leased_until = timestamptz '2026-03-01 12:01:05+00'";
    world.pass(INTERVAL);
    world.execute(died).await;
    assert!(world.sandbox.approve_device(begun.user_code(), "alice"));
    world.pass(Duration::seconds(59));
    assert_eq!(look(&second).await, 0);
    world.pass(Duration::seconds(1));
    assert_eq!(look(&second).await, 1);
    assert_eq!(world.state(begun.id).await, State::Active);

    // And when its answer died with it.
    let begun = begin(&admin, client).await;
    world.execute(died).await;
    world.execute("UPDATE device_codes SET due_at = created_at WHERE state = 'waiting'").await;
    assert!(world.sandbox.approve_device(begun.user_code(), "alice"));
    world.control().fail_next(Fault::InvalidGrant, 1);
    assert_eq!(look(&second).await, 1);
    let ended = now(&world, begun.id).await;
    assert_eq!(ended.state, DeviceState::Failed);
    assert!(ended.detail.unwrap().contains("lost on the way"));
}

/// A late loser's refusal changes nothing.
#[sqlx::test]
async fn who_lost_the_lease_condemns_nothing(pool: PgPool) {
    let world = World::new(pool).await;
    let second = world.replica("second").await;
    let admin = world.program(&[Scope::Admin]).await;
    let client = client(&world).await;
    let begun = begin(&admin, client).await;
    world.pass(INTERVAL);
    assert!(world.sandbox.deny_device(begun.user_code()));
    world.control().hold(Hold::BeforeAnswering);
    let late = device::begin_due(&world.app, 100).await.unwrap();
    world.control().until_held(1).await;
    // It is refused, and before it hears so another process takes over.
    world
        .execute(
            "UPDATE device_codes SET lease_id = gen_random_uuid(),
             leased_until = timestamptz '2026-03-01 12:00:06+00'",
        )
        .await;
    world.control().release();
    futures::future::join_all(late).await;
    assert_eq!(polls(&world)[0].error.as_deref(), Some("access_denied"));
    assert_eq!(now(&world, begun.id).await.state, DeviceState::Waiting);
    world.sandbox.approve_device(begun.user_code(), "alice");
    world.pass(INTERVAL);
    assert_eq!(look(&second).await, 1);
    assert_eq!(world.state(begun.id).await, State::Active);
}

#[sqlx::test]
async fn a_connection_comes_back_for_its_own_account_only(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = world.program(&[Scope::Admin]).await;
    let client = client(&world).await;
    let mut browser = world.sign_in(Role::Admin).await;
    let id = world.connect(&mut browser, client, "alice").await;
    world.sandbox.revoke_account("alice");
    world.until_due(id).await;
    world.tick().await;
    assert_eq!(world.state(id).await.name(), StateName::NeedsReauth);

    let path = format!("/connections/{id}/device");
    for (account, state, generation) in
        [("bob", DeviceState::WrongAccount, 1), ("alice", DeviceState::Done, 2)]
    {
        let code = admin.press(&path).await.ok()["user_code"].as_str().unwrap().to_owned();
        assert!(world.sandbox.approve_device(&code, account));
        world.pass(INTERVAL);
        assert_eq!(look(&world.app).await, 1);
        assert_eq!(now(&world, id).await.state, state);
        assert_eq!(world.generation(id).await, generation);
    }
    assert_eq!(world.state(id).await, State::Active);
    assert_eq!(world.audit("connection.reauthorized").await.len(), 1);
    let told = world.audit("connection.consent_failed").await;
    assert_eq!(told[0].detail["outcome"], "wrong_account");
}

#[sqlx::test]
async fn the_page_shows_the_code_to_whoever_may_use_it(pool: PgPool) {
    let world = World::new(pool).await;
    let client = client(&world).await;
    let mut browser = world.sign_in(Role::Admin).await;
    let form = format!("/connections/new?client={client}");
    assert!(browser.get(&form).await.text.contains("With a code on another device"));
    let fields = [("client_id", &*client.to_string()), ("label", "Screen"), ("scopes", "openid")];
    let page = browser.submit("connection/connect_device", &fields).await.location();
    let id: Uuid = page.rsplit('/').next().unwrap().parse().expect("an id");
    let code = now(&world, id).await.user_code;
    let shows = async |browser: &mut Browser| browser.get(&page).await.text.contains(&code);
    assert!(shows(&mut browser).await);
    for role in [Role::Support, Role::Auditor] {
        let mut other = world.sign_in(role).await;
        assert!(other.get(&page).await.text.contains("Screen"));
        assert!(!shows(&mut other).await, "{role:?}");
    }
    // The browser has gone; the worker goes on.
    let mut later = browser.clone();
    drop(browser);
    assert!(world.sandbox.approve_device(&code, "alice"));
    world.pass(INTERVAL);
    look(&world.app).await;
    assert!(!shows(&mut later).await);

    let again = [("id", &*id.to_string())];
    later.submit("connection/reauthorize_device", &again).await.location();
    let code = now(&world, id).await.user_code;
    assert!(later.get(&page).await.text.contains(&code));
    world.sandbox.deny_device(&code);
    world.pass(INTERVAL);
    look(&world.app).await;
    assert!(later.get(&page).await.text.contains("said no"));
}

#[sqlx::test]
async fn what_can_not_be_begun_leaves_nothing_behind(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = world.program(&[Scope::Admin]).await;
    let plain = world.client("plain", |_| {}).await;
    let television = client(&world).await;
    let refused = world
        .client_of("television", "no-codes", |client| client.grants.retain(|grant| *grant != GRANT))
        .await;
    let ask = |client: Uuid| json!({ "client_id": client, "grant": "device_code" });
    assert_eq!(admin.post("/connections", &ask(plain)).await.refusal(), (409, "conflict".into()));
    let answer = admin.post("/connections", &ask(refused)).await;
    assert_eq!(answer.refusal(), (409, "conflict".into()));
    assert!(answer.text.contains("unauthorized_client") || answer.text.contains("may not use"));
    let mut both = ask(television);
    both["subject_token"] = json!("x");
    assert_eq!(admin.post("/connections", &both).await.field(), "subject_token");
    assert_eq!(admin.post("/connections", &ask(Uuid::from_u128(7))).await.field(), "client_id");
    assert_eq!(world.count("SELECT count(*) FROM connections").await, 0);

    let begun = begin(&admin, television).await;
    let path = format!("/connections/{}", begun.id);
    assert_eq!(admin.press(&format!("{path}/disconnect")).await.ok()["provider"], "nothing");
    assert_eq!(admin.get(&format!("{path}/device")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(admin.press(&format!("{path}/device")).await.refusal().0, 409);
    world.pass(INTERVAL);
    assert_eq!(look(&world.app).await, 0);
}

/// A code is asked for while somebody changes what it is asked for.
#[sqlx::test]
async fn a_code_that_was_asked_for_before_a_change_is_not_kept(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = world.program(&[Scope::Admin]).await;
    let client = client(&world).await;
    let begun = begin(&admin, client).await;
    for change in ["disconnect", "client"] {
        world.control().hold(Hold::BeforeAnswering);
        let (app, actor, id) = (world.app.clone(), world.admin.clone(), begun.id);
        let asking = tokio::spawn(async move { device::authorize(&app, &actor, id).await });
        world.control().until_held(1).await;
        match change {
            "client" => world.execute("UPDATE clients SET oauth_client_id = 'another'").await,
            _ => {
                let ended = app::connection::disconnect(&world.app, &world.admin, id, false).await;
                ended.map(|_| ()).unwrap();
            }
        }
        world.control().release();
        let refused = asking.await.unwrap();
        assert!(matches!(refused, Err(app::Error::Conflict(_))), "{change}: {refused:?}");
        assert_eq!(
            world.count("SELECT count(*) FROM device_codes WHERE state = 'waiting'").await,
            0
        );
        world.execute("UPDATE connections SET state = 'pending', reason = NULL").await;
    }
}

/// And one that waits belongs to the client as it was.
#[sqlx::test]
async fn another_client_id_voids_the_codes_that_wait(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = world.program(&[Scope::Admin]).await;
    let client = client(&world).await;
    begin(&admin, client).await;
    let change = json!({ "oauth_client_id": "another", "client_secret": "another-secret" });
    admin.patch(&format!("/clients/{client}"), &change).await.ok();
    assert_eq!(world.count("SELECT count(*) FROM device_codes").await, 0);
}

#[sqlx::test]
async fn codes_of_a_client_that_is_switched_off_wait(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = world.program(&[Scope::Admin]).await;
    let id = client(&world).await;
    let begun = begin(&admin, id).await;
    assert!(world.sandbox.approve_device(begun.user_code(), "alice"));
    let path = format!("/clients/{id}");
    admin.patch(&path, &json!({ "disabled": true })).await.ok();
    assert_eq!(world.client_now(id).await.state, client::StateName::Disabled);
    world.pass(INTERVAL);
    assert_eq!(look(&world.app).await, 0);
    admin.patch(&path, &json!({ "disabled": false })).await.ok();
    assert_eq!(look(&world.app).await, 1);
    assert_eq!(world.state(begun.id).await, State::Active);
}
