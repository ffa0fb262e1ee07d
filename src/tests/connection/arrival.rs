//! First grants, whichever way they come: a provider gives them once. What PostgreSQL does not take
//! waits beside it and is stored when it can be, once, fenced, and by the next start if need be.

use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{Json, Router, http::StatusCode, routing::get};
use secrecy::ExposeSecret;
use serde_json::json;
use sqlx::{PgPool, postgres::PgPoolOptions};
use tempfile::TempDir;
use time::Duration;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
use uuid::Uuid;

use crate::{
    domain::{
        connection::{State, StateName},
        device::DeviceState,
        provider::{AccountSource, GrantType, IdentityOrigin, Profile},
    },
    sandbox::{self, Hold, Issue},
    server::app::{
        self, Actor, App,
        connection::{
            NewConnection, device,
            exchange::{self, Subjected},
            flow,
        },
    },
    tests::support::{
        Browser, SECRET, World,
        journal::{left_in, until_journaled, with_journal, written_in},
        new_connection,
    },
};

const AWAY: &str = "
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'away'; END $$;
    CREATE TRIGGER away BEFORE INSERT ON token_sets FOR EACH ROW EXECUTE FUNCTION refuse()";
const BACK: &str = "DROP FUNCTION refuse CASCADE";
const SETS: &str = "SELECT count(*) FROM token_sets";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// How a first grant comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Page,
    Code,
    Exchange,
}

const WAYS: [Way; 3] = [Way::Page, Way::Code, Way::Exchange];

impl Way {
    fn account(self) -> &'static str {
        match self {
            Self::Page => "alice",
            Self::Code => "bob",
            Self::Exchange => "carol",
        }
    }

    fn action(self) -> &'static str {
        match self {
            Self::Page | Self::Code => "connection.connected",
            Self::Exchange => "connection.exchange",
        }
    }
}

/// Where the provider is about to be asked for a grant.
enum Ready {
    Page { browser: Browser, callback: String },
    Code,
    Exchange { new: NewConnection, subject: Subjected },
}

/// A client of a provider that gives in every way.
async fn client(world: &World) -> Uuid {
    client_with(world, |_| {}).await
}

async fn client_with(world: &World, change: impl FnOnce(&mut Profile)) -> Uuid {
    let endpoint = format!("{}/device_authorization", world.sandbox.url());
    let gives = |profile: &mut Profile| {
        profile.endpoints.device_authorization = Some(endpoint);
        profile.grants.extend([GrantType::DeviceCode, GrantType::TokenExchange]);
        change(profile);
    };
    world.provider("giver", gives).await;
    world.sandbox.add_client(sandbox::Client::confidential("other-system", SECRET));
    world.client_of("giver", "giver", |_| {}).await
}

/// Goes as far as the provider's answer is all that is missing.
async fn ready(world: &World, client: Uuid, way: Way) -> Ready {
    let new = NewConnection { label: format!("{way:?}"), ..new_connection(client) };
    match way {
        Way::Page => {
            let (_, start) = flow::create(&world.app, &world.admin, new).await.unwrap();
            page(world, start).await
        }
        Way::Code => {
            let (_, begun) = device::create(&world.app, &world.admin, new).await.unwrap();
            assert!(world.sandbox.approve_device(&begun.user_code, way.account()));
            world.pass(Duration::seconds(5));
            Ready::Code
        }
        Way::Exchange => {
            let realm = sandbox::Realm::Standard;
            let given = world.sandbox.grant(realm, "other-system", way.account(), None).unwrap();
            let subject = Subjected {
                token: given["access_token"].as_str().unwrap().into(),
                token_type: ACCESS_TOKEN.into(),
                audience: None,
                resource: None,
            };
            Ready::Exchange { new, subject }
        }
    }
}

/// Alice has consented, and her browser is about to come back.
async fn page(world: &World, start: String) -> Ready {
    let mut browser = world.browser();
    let callback = world.consent_only(&mut browser, start, Way::Page.account()).await;
    Ready::Page { browser, callback }
}

/// Has a process ask the provider, and waits for what comes of it.
fn ask(world: &World, app: &App, ready: Ready) -> JoinHandle<()> {
    let app = app.clone();
    match ready {
        Ready::Page { browser, callback } => {
            let mut browser = world.browser_at(&app, &browser);
            tokio::spawn(async move { drop(browser.get(&callback).await) })
        }
        Ready::Code => tokio::spawn(async move { drop(device::run_due(&app, 10).await) }),
        Ready::Exchange { new, subject } => tokio::spawn(async move {
            drop(exchange::create(&app, &Actor::Operator, new, subject).await);
        }),
    }
}

async fn find(world: &World, way: Way) -> Option<Uuid> {
    let find = "SELECT id FROM connections WHERE label = $1";
    let found = sqlx::query_scalar(find).bind(format!("{way:?}"));
    found.fetch_optional(&world.pool).await.unwrap()
}

/// A process whose database can be taken away for good, and where it writes down what comes then.
async fn dying(world: &World) -> (App, PgPool, TempDir) {
    let pool = PgPoolOptions::new().connect_lazy_with((*world.pool.connect_options()).clone());
    let (dying, dir) = (world.replica_on(&pool, "dying").await, tempfile::tempdir().unwrap());
    assert!(with_journal(&dying, dir.path()).is_empty());
    (dying, pool, dir)
}

/// A process that loses its database for good before the provider answers, and is killed once it has
/// written that answer down. What it leaves.
async fn killed_with_a_grant(world: &World, ready: Ready) -> TempDir {
    let (dying, pool, dir) = dying(world).await;
    world.control().hold(Hold::BeforeAnswering);
    let asking = ask(world, &dying, ready);
    world.control().until_held(1).await;
    pool.close().await;
    world.control().release();
    until_journaled(&dying, 1).await;
    asking.abort();
    left_in(dir.path())
}

/// A process that starts on what another left.
async fn start_on(world: &World, left: &TempDir) {
    start_on_records(world, left, 1).await;
}

async fn start_on_records(world: &World, left: &TempDir, count: usize) {
    let next = world.replica("next").await;
    let found = with_journal(&next, left.path());
    assert_eq!(found.iter().map(|leftover| leftover.entries.len()).sum::<usize>(), count);
    app::refresh::leftovers(&next, found).await;
    // The start waits for them a while only.
    while next.in_flight() > 0 {
        tokio::task::yield_now().await;
    }
    assert!(with_journal(&world.replica("third").await, left.path()).is_empty(), "it is kept");
}

#[sqlx::test]
async fn what_the_database_does_not_take_is_stored_when_it_is_back(pool: PgPool) {
    let world = World::new(pool).await;
    let dir = tempfile::tempdir().unwrap();
    with_journal(&world.app, dir.path());
    let client = client(&world).await;
    for (at, way) in (1..).zip(WAYS) {
        let ready = ready(&world, client, way).await;
        world.execute(AWAY).await;
        let asking = ask(&world, &world.app, ready);
        until_journaled(&world.app, 1).await;
        world.execute(BACK).await;
        asking.await.unwrap();
        let id = find(&world, way).await.expect("a connection");
        assert_eq!(
            (world.state(id).await, world.generation(id).await),
            (State::Active, 1),
            "{way:?}"
        );
        assert_eq!(world.count(SETS).await, at, "{way:?}");
        assert_eq!(world.app.journal().unwrap().depth(), 0, "{way:?}");
    }
    assert_eq!(world.audit("connection.connected").await.len(), 2);
    assert_eq!(world.audit("connection.exchange").await.len(), 1);
}

/// Somebody has the connection's row and does not let it go: no error, only silence.
#[sqlx::test]
async fn a_locked_row_costs_time_and_no_grant(pool: PgPool) {
    let world = World::new(pool).await;
    let dir = tempfile::tempdir().unwrap();
    with_journal(&world.app, dir.path());
    let client = client(&world).await;
    let ready = ready(&world, client, Way::Page).await;
    let id = find(&world, Way::Page).await.unwrap();
    let mut hanging = world.pool.begin().await.unwrap();
    let lock = "SELECT id FROM connections WHERE id = $1 FOR UPDATE";
    sqlx::query(lock).bind(id).execute(&mut *hanging).await.unwrap();
    let asking = ask(&world, &world.app, ready);
    until_journaled(&world.app, 1).await;
    hanging.rollback().await.unwrap();
    asking.await.unwrap();
    assert_eq!((world.state(id).await, world.generation(id).await), (State::Active, 1));
    assert_eq!(world.app.journal().unwrap().depth(), 0);
}

#[sqlx::test]
async fn the_next_start_stores_what_a_killed_process_was_given_and_only_once(pool: PgPool) {
    let world = World::new(pool).await;
    let client = client(&world).await;
    for way in WAYS {
        let ready = ready(&world, client, way).await;
        let left = killed_with_a_grant(&world, ready).await;
        let again = left_in(left.path());
        let late = left_in(left.path());
        // However long it was away.
        world.pass(Duration::days(2));
        app::upkeep::sweep(&world.app).await.unwrap();
        start_on(&world, &left).await;
        let id = find(&world, way).await.expect("a connection");
        let connection = world.connection(id).await;
        assert_eq!((connection.state, connection.generation), (State::Active, 1), "{way:?}");
        let account = format!("{}@example.com", way.account());
        assert_eq!(connection.account_label, Some(account), "{way:?}");
        let told = world.audit(way.action()).await;
        assert_eq!(told[0].subject_id, Some(id.to_string()), "{way:?}");

        world.until_due(id).await;
        assert_eq!(world.tick().await, 1, "{way:?}");
        let (newer, sets) = (world.connection(id).await, world.count(SETS).await);
        start_on(&world, &again).await;
        assert_eq!(world.connection(id).await, newer, "{way:?}");
        assert_eq!(world.count(SETS).await, sets, "{way:?}");
        assert_eq!(world.audit(way.action()).await.len(), told.len(), "{way:?}");

        // Nor does it bring back what was ended.
        app::connection::delete(&world.app, &world.admin, id, false).await.unwrap();
        start_on(&world, &late).await;
        assert_eq!(find(&world, way).await, None, "{way:?}");
    }
}

#[sqlx::test]
async fn nothing_of_a_record_can_be_read(pool: PgPool) {
    let world = World::new(pool).await;
    let client = client(&world).await;
    for way in WAYS {
        let ready = ready(&world, client, way).await;
        let left = killed_with_a_grant(&world, ready).await;
        let bytes = written_in(left.path());
        start_on(&world, &left).await;
        let id = find(&world, way).await.unwrap();
        let text = String::from_utf8_lossy(&bytes);
        let token = world.token(id, Duration::ZERO).await.unwrap().access_token;
        let words = [
            "arrival",
            "token",
            "sealed",
            "consent",
            "giver",
            way.account(),
            token.expose_secret(),
        ];
        assert!(bytes.len() > 500, "there is a record");
        for word in words.into_iter().chain([&*id.to_string(), &*format!("{way:?}")]) {
            assert!(!text.contains(word), "{way:?}: {word}");
        }
    }
}

/// The tokens belong to what the client was.
#[sqlx::test]
async fn what_came_for_another_client_is_not_stored(pool: PgPool) {
    let world = World::new(pool).await;
    let client = client(&world).await;
    let mut left = Vec::new();
    for way in WAYS {
        let ready = ready(&world, client, way).await;
        left.push(killed_with_a_grant(&world, ready).await);
    }
    world.execute("UPDATE clients SET oauth_client_id = 'another'").await;
    for left in &left {
        start_on(&world, left).await;
    }
    assert_eq!(world.count(SETS).await, 0);
    assert_eq!(world.count("SELECT count(*) FROM flows").await, 0);
    for way in [Way::Page, Way::Code] {
        let id = find(&world, way).await.unwrap();
        assert_eq!(world.state(id).await.name(), StateName::Pending, "{way:?}");
    }
    assert_eq!(find(&world, Way::Exchange).await, None);
    let code = find(&world, Way::Code).await.unwrap();
    let device = device::get(&world.app, &world.admin, code).await.unwrap();
    assert_eq!(device.state, DeviceState::Failed);
    let told = world.audit("connection.consent_failed").await;
    assert_eq!(told.len(), 2);
    for entry in told {
        assert_eq!(entry.detail["why"], "the client's settings changed meanwhile");
    }
    assert_eq!(world.audit("connection.exchange_failed").await.len(), 1);
}

/// The older of two consents is not put over the newer.
#[sqlx::test]
async fn a_newer_consent_stays(pool: PgPool) {
    let world = World::new(pool).await;
    let client = client(&world).await;
    let ready = ready(&world, client, Way::Page).await;
    let id = find(&world, Way::Page).await.unwrap();
    let start = app::connection::authorize(&world.app, &world.admin, id).await.unwrap();
    let left = killed_with_a_grant(&world, ready).await;
    world.pass(Duration::minutes(1));
    let newer = page(&world, start).await;
    ask(&world, &world.app, newer).await.unwrap();
    let stands = world.connection(id).await;
    assert_eq!((&stands.state, stands.generation), (&State::Active, 1));
    start_on(&world, &left).await;
    assert_eq!(world.connection(id).await, stands);
    let told = world.audit("connection.consent_failed").await;
    assert!(told[0].detail["why"].as_str().unwrap().contains("consented anew"), "{told:?}");
}

/// The grant goes on with the refresh token that is stored: that must be the one that the refresh brought.
#[sqlx::test]
async fn what_a_refresh_came_to_is_stored_before_a_grant_that_goes_on_with_it(pool: PgPool) {
    let world = World::new(pool).await;
    let client = client(&world).await;
    let first = ready(&world, client, Way::Page).await;
    ask(&world, &world.app, first).await.unwrap();
    let id = find(&world, Way::Page).await.unwrap();
    // Like a provider that gives a refresh token at the first consent only.
    let mut silent = sandbox::Client::confidential("giver", SECRET);
    silent.refresh.issue = Issue::Never;
    world.sandbox.add_client(silent);
    world.until_due(id).await;
    let start = app::connection::authorize(&world.app, &world.admin, id).await.unwrap();
    let again = page(&world, start).await;
    let (dying, pool, dir) = dying(&world).await;
    world.control().hold(Hold::BeforeAnswering);
    let asking = ask(&world, &dying, again);
    world.control().until_held(1).await;
    let begun = app::refresh::begin_due(&dying, 10).await.unwrap();
    world.control().until_held(2).await;
    pool.close().await;
    world.control().release();
    until_journaled(&dying, 2).await;
    asking.abort();
    begun.iter().for_each(JoinHandle::abort);
    let left = left_in(dir.path());

    world.pass(app::refresh::LEASE + Duration::seconds(1));
    // What the refresh came to is not taken at once; all else is.
    world
        .execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'away'; END $$;
             CREATE TRIGGER away BEFORE UPDATE ON attempts FOR EACH ROW
                 WHEN (NEW.verdict = 'refreshed') EXECUTE FUNCTION refuse()",
        )
        .await;
    let next = world.replica("next").await;
    let found = with_journal(&next, left.path());
    assert_eq!(found.iter().map(|leftover| leftover.entries.len()).sum::<usize>(), 2);
    app::refresh::leftovers(&next, found).await;
    world.execute(BACK).await;
    while next.in_flight() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!((world.state(id).await, world.generation(id).await), (State::Active, 3));
    assert!(with_journal(&world.replica("third").await, left.path()).is_empty(), "it is kept");
    world.until_due(id).await;
    assert_eq!(world.tick().await, 1);
    assert_eq!((world.state(id).await, world.generation(id).await), (State::Active, 4));
}

/// A start without its folder of providers: nothing is given up for that.
#[sqlx::test]
async fn what_came_from_a_provider_that_is_not_known_now_waits_for_it(pool: PgPool) {
    let world = World::new(pool).await;
    let client = client(&world).await;
    for way in WAYS {
        let ready = ready(&world, client, way).await;
        let left = killed_with_a_grant(&world, ready).await;
        world.execute("UPDATE clients SET provider = 'elsewhere'").await;
        let next = world.replica("next").await;
        let found = with_journal(&next, left.path());
        app::refresh::leftovers(&next, found).await;
        while next.in_flight() > 0 {
            tokio::task::yield_now().await;
        }
        world.execute("UPDATE clients SET provider = 'giver'").await;
        start_on(&world, &left).await;
        let id = find(&world, way).await.expect("a connection");
        assert_eq!(world.state(id).await, State::Active, "{way:?}");
    }
    assert!(world.audit("connection.exchange_failed").await.is_empty());
}

/// What was stored over one that waited for its first consent has that one's id.
#[sqlx::test]
async fn what_took_the_place_of_one_that_waited_is_made_once(pool: PgPool) {
    let world = World::new(pool).await;
    let client = client(&world).await;
    let external_id = Some("7".to_owned());
    let waiting = NewConnection { external_id: external_id.clone(), ..new_connection(client) };
    let waiting = flow::create(&world.app, &world.admin, waiting).await.unwrap().0.id;
    let Ready::Exchange { new, subject } = ready(&world, client, Way::Exchange).await else {
        panic!("another way");
    };
    let new = NewConnection { external_id, ..new };
    let left = killed_with_a_grant(&world, Ready::Exchange { new, subject }).await;
    let late = left_in(left.path());
    start_on(&world, &left).await;
    assert_eq!(world.state(waiting).await, State::Active);
    app::connection::delete(&world.app, &world.admin, waiting, false).await.unwrap();
    start_on(&world, &late).await;
    assert_eq!(world.count("SELECT count(*) FROM connections").await, 0);
}

/// What the database is there for and does not take keeps nobody from ending the connection for ever.
#[sqlx::test]
async fn what_can_not_be_stored_is_held_on_to_for_an_hour(pool: PgPool) {
    let world = World::new(pool).await;
    let dir = tempfile::tempdir().unwrap();
    with_journal(&world.app, dir.path());
    let client = client(&world).await;
    let ready = ready(&world, client, Way::Page).await;
    let id = find(&world, Way::Page).await.unwrap();
    world.execute(AWAY).await;
    let asking = ask(&world, &world.app, ready);
    until_journaled(&world.app, 1).await;
    world.pass(Duration::minutes(59));
    let held = "SELECT count(*) FROM flows WHERE used_at >= created_at + interval '59 minutes'";
    world.until_count(held, 1).await;
    world.pass(Duration::minutes(10));
    app::connection::disconnect(&world.app, &world.admin, id, false).await.unwrap();
    world.execute(BACK).await;
    asking.await.unwrap();
    assert_eq!(world.count(SETS).await, 0);
}

/// A provider that says whose a grant is when it is asked.
struct Teller {
    answer: watch::Sender<u16>,
    asked: AtomicUsize,
}

impl Teller {
    /// It never answers.
    const SILENCE: u16 = 0;
    /// It answers when it is told what.
    const HELD: u16 = 1;

    /// It answers so from now on; how often it was asked.
    fn answers(&self, status: u16) -> usize {
        self.answer.send_replace(status);
        self.asked.load(Ordering::SeqCst)
    }
}

async fn teller() -> (Arc<Teller>, String) {
    let teller = Arc::new(Teller { answer: watch::Sender::new(200), asked: AtomicUsize::new(0) });
    let asked = teller.clone();
    let answer = move || {
        let teller = asked.clone();
        async move {
            teller.asked.fetch_add(1, Ordering::SeqCst);
            let mut answer = teller.answer.subscribe();
            let answer = *answer.wait_for(|answer| *answer != Teller::HELD).await.unwrap();
            match answer {
                Teller::SILENCE => std::future::pending().await,
                200 => Ok(Json(json!({ "sub": "account-1" }))),
                status => Err(StatusCode::from_u16(status).unwrap()),
            }
        }
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/me", get(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (teller, format!("http://{address}/me"))
}

/// A connection whose account is known, to which its owner has consented again; the answer is about to come.
async fn consented_again(world: &World, told_at: String) -> (Uuid, Ready) {
    let client = client_with(world, |profile| {
        profile.endpoints.userinfo = Some(told_at);
        profile.response.id_token.clear();
        let (from, pointer) = (IdentityOrigin::Userinfo, "/sub".into());
        profile.response.account.id = vec![AccountSource { from, pointer }];
    })
    .await;
    let ready = ready(world, client, Way::Page).await;
    ask(world, &world.app, ready).await.unwrap();
    let id = find(world, Way::Page).await.unwrap();
    assert_eq!(world.connection(id).await.account_id.as_deref(), Some("account-1"));
    world.pass(Duration::minutes(1));
    let start = app::connection::authorize(&world.app, &world.admin, id).await.unwrap();
    (id, page(world, start).await)
}

/// Its code is spent when the provider is asked whose it is: by then it is written down.
#[sqlx::test]
async fn what_has_no_account_yet_is_written_down_before_the_provider_is_asked(pool: PgPool) {
    let world = World::new(pool).await;
    let (teller, address) = teller().await;
    let (id, again) = consented_again(&world, address).await;
    let before = teller.answers(Teller::SILENCE);
    let (dying, dir) = (world.replica("dying").await, tempfile::tempdir().unwrap());
    with_journal(&dying, dir.path());
    let asking = ask(&world, &dying, again);
    while teller.asked.load(Ordering::SeqCst) == before {
        tokio::task::yield_now().await;
    }
    assert_eq!(dying.journal().unwrap().depth(), 1);
    let left = left_in(dir.path());
    asking.abort();
    assert_eq!(world.generation(id).await, 1);

    teller.answers(200);
    start_on(&world, &left).await;
    assert_eq!((world.state(id).await, world.generation(id).await), (State::Active, 2));
    assert!(teller.answers(200) > before + 1, "it is asked again");
}

/// Its account was found out, its process died, and by the next start the access token has ended: nobody can ask
/// any more, and nobody has to. So it is if that start could not store it either, and was who had asked.
#[sqlx::test]
async fn whose_a_grant_is_is_written_down_when_it_is_known(pool: PgPool) {
    let world = World::new(pool).await;
    let (teller, address) = teller().await;
    let (id, again) = consented_again(&world, address).await;
    let (dying, gone, dir) = dying(&world).await;
    teller.answers(Teller::HELD);
    world.execute(AWAY).await;
    ask(&world, &dying, again);
    until_journaled(&dying, 1).await;
    let nameless = left_in(dir.path());
    teller.answers(200);
    until_journaled(&dying, 2).await;
    gone.close().await;
    let named = left_in(dir.path());

    let gone = PgPoolOptions::new().connect_lazy_with((*world.pool.connect_options()).clone());
    let next = world.replica_on(&gone, "next").await;
    let found = with_journal(&next, nameless.path());
    tokio::spawn({
        let next = next.clone();
        async move { app::refresh::leftovers(&next, found).await }
    });
    until_journaled(&next, 1).await;
    gone.close().await;
    let named_later = left_in(nameless.path());

    world.execute(BACK).await;
    world.pass(Duration::hours(2));
    let asked = teller.answers(401);
    for left in [named, named_later] {
        start_on_records(&world, &left, 2).await;
        assert_eq!((world.state(id).await, world.generation(id).await), (State::Active, 2));
    }
    assert!(world.audit("connection.consent_failed").await.is_empty());
    assert_eq!(teller.answers(401), asked);
}

/// What is here and not stored yet says so on its row, for as long as that takes.
#[sqlx::test]
async fn nobody_voids_what_waits_to_be_stored(pool: PgPool) {
    let world = World::new(pool).await;
    let dir = tempfile::tempdir().unwrap();
    with_journal(&world.app, dir.path());
    let client = client(&world).await;
    for way in [Way::Page, Way::Code] {
        let ready = ready(&world, client, way).await;
        let id = find(&world, way).await.unwrap();
        world.execute(AWAY).await;
        let asking = ask(&world, &world.app, ready);
        until_journaled(&world.app, 1).await;
        world.pass(Duration::minutes(3));
        let held = match way {
            Way::Page => {
                "SELECT count(*) FROM flows WHERE used_at >= created_at + interval '3 minutes'"
            }
            _ => {
                "SELECT count(*) FROM device_codes WHERE leased_until > created_at + interval '6 minutes'"
            }
        };
        world.until_count(held, 1).await;
        world.pass(Duration::minutes(3));
        let refused = app::connection::disconnect(&world.app, &world.admin, id, false).await;
        assert!(matches!(refused, Err(app::Error::Conflict(_))), "{way:?}: {refused:?}");
        world.execute(BACK).await;
        asking.await.unwrap();
        assert_eq!(world.state(id).await, State::Active, "{way:?}");
    }
}

#[sqlx::test]
async fn a_visitor_is_told_that_it_takes_a_while(pool: PgPool) {
    let world = World::new(pool).await;
    let page = world.browser().get("/relink/outcome/being_stored").await;
    assert!(page.text.contains("takes longer than usual"), "{}", page.text);
}
