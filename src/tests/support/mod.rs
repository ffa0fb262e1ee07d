//! The world a flow happens in: Regrant on a database of its own, and a provider that refuses
//! whatever a real one would.

mod browser;
mod clock;
pub mod journal;
mod people;
mod program;
mod provider;
mod questions;
mod reading;
mod stub;

use std::{net::Ipv4Addr, sync::Arc};

use axum::Router;
use sqlx::PgPool;
use time::{Duration, OffsetDateTime, macros::datetime};
use url::Url;
use uuid::Uuid;

pub use self::{
    browser::{Browser, Ear, Page, form_of},
    clock::Told,
    people::{PASSWORD, email},
    program::Program,
    provider::{PROVIDER, SECRET, new_connection},
    questions::Questions,
    stub::Stub,
};
use crate::{
    domain::access::Role,
    sandbox::{self, Control, Running, Sandbox},
    server::{
        app::{self, Actor, App, Parts},
        assets::Site,
        clock::{Clock, ManualClock, SeededRng},
        http,
        provider::{Catalog, DEADLINE, Http, guard},
        secret::{master::MasterKey, seal::Keyring},
    },
};

/// When every test begins.
pub const START: OffsetDateTime = datetime!(2026-03-01 12:00 UTC);
/// Where browsers reach us, unless a test says otherwise.
pub const PUBLIC_URL: &str = "http://127.0.0.1:3000";
/// A master key, of 32 bytes in base64.
pub const MASTER_KEY: &str = "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=";

pub struct World {
    pub clock: Arc<ManualClock>,
    pub rng: Arc<SeededRng>,
    pub pool: PgPool,
    pub app: App,
    pub sandbox: Sandbox,
    pub admin: Actor,
    public_url: Url,
    _running: Running,
}

impl World {
    pub async fn new(pool: PgPool) -> Self {
        Self::at(pool, PUBLIC_URL).await
    }

    /// A world whose public address is `public_url`.
    pub async fn at(pool: PgPool, public_url: &str) -> Self {
        let clock = Arc::new(ManualClock::new(START));
        let rng = Arc::new(SeededRng::new(7));
        let running =
            sandbox::serve((Ipv4Addr::LOCALHOST, 0).into(), clock.clone(), rng.clone()).await;
        let running = running.expect("a free port");
        let public_url = Url::parse(public_url).expect("an address");
        let admin = Actor::User {
            id: Uuid::from_u128(1),
            email: "admin@regrant.test".into(),
            role: Role::Admin,
        };
        let sandbox = running.sandbox.clone();
        let keyring = app::keys::open(&pool, &master_key(), rng.as_ref(), clock.now()).await;
        let keyring = keyring.expect("the first data keys");
        let app = assemble(&pool, keyring, clock.clone(), &rng, &public_url, "first");
        let world = Self { clock, rng, pool, app, sandbox, admin, public_url, _running: running };
        world.provider(PROVIDER, |_| {}).await;
        world
    }

    /// Another process on the same database, with keys it opened by itself.
    pub async fn replica(&self, name: &str) -> App {
        self.replica_on(&self.pool, name).await
    }

    /// [`World::replica`], with a pool of its own.
    pub async fn replica_on(&self, pool: &PgPool, name: &str) -> App {
        let (rng, now) = (self.rng.as_ref(), self.now());
        let keyring = app::keys::open(&self.pool, &master_key(), rng, now).await;
        let keyring = keyring.expect("the data keys open");
        assemble(pool, keyring, self.clock.clone(), &self.rng, &self.public_url, name)
    }

    /// [`World::replica`], with a clock of its own.
    pub async fn replica_by(&self, clock: Arc<dyn Clock>, name: &str) -> App {
        let (rng, now) = (self.rng.as_ref(), self.now());
        let keyring = app::keys::open(&self.pool, &master_key(), rng, now).await;
        let keyring = keyring.expect("the data keys open");
        assemble(&self.pool, keyring, clock, &self.rng, &self.public_url, name)
    }

    pub fn router(&self) -> Router {
        self.router_of(&self.app)
    }

    /// The router of another process.
    pub fn router_of(&self, app: &App) -> Router {
        let options = http::Options {
            site: Arc::new(Site::default()),
            metrics: Arc::new(String::new),
            trusted_proxies: Vec::new(),
        };
        http::router(app.clone(), options)
    }

    pub fn browser(&self) -> Browser {
        Browser::new(self.router(), self.public_url.clone())
    }

    /// The same browser, led to another process.
    pub fn browser_at(&self, app: &App, browser: &Browser) -> Browser {
        let mut led = Browser::new(self.router_of(app), self.public_url.clone());
        led.cookies.clone_from(&browser.cookies);
        led
    }

    pub fn control(&self) -> &Control {
        self.sandbox.control()
    }

    pub fn now(&self) -> OffsetDateTime {
        self.clock.now()
    }

    pub fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }

    /// What the worker does at each look; how many refreshes that were.
    pub async fn tick(&self) -> usize {
        app::refresh::run_due(&self.app, 1000).await.expect("the worker's look")
    }
}

fn assemble(
    pool: &PgPool,
    keyring: Keyring,
    clock: Arc<dyn Clock>,
    rng: &Arc<SeededRng>,
    public_url: &Url,
    replica: &str,
) -> App {
    let policy = guard::Policy { allow_private_networks: true, deadline: DEADLINE };
    App::new(Parts {
        pool: pool.clone(),
        keyring,
        master: master_key(),
        http: Http::new(policy, clock.clone(), rng.clone()).expect("a client"),
        catalog: Catalog::load(None).expect("presets"),
        public_url: public_url.clone(),
        replica: replica.into(),
        clock,
        rng: rng.clone(),
    })
}

pub fn master_key() -> MasterKey {
    MasterKey::parse(&MASTER_KEY.into()).expect("a master key")
}
