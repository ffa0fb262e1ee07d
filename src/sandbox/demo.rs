//! Sample data for `regrant demo`: one connection in each state that a person will meet, made by
//! the use cases themselves against the sandbox.
//!
//! The sandbox forgets everything when it ends, so the sample data begins anew at each start. To do
//! no harm it lives in a data folder of its own, and a database that holds anything else is refused.

mod crowd;

use std::{collections::BTreeMap, fmt, net::SocketAddr, sync::Arc};

use anyhow::{Context, bail};
use secrecy::ExposeSecret;
use serde_json::Value;
use time::Duration;
use uuid::Uuid;

pub use self::crowd::Crowd;
use super::{Client, Fault, Realm, Rule, Running, serve};
use crate::{
    domain::{access::Role, catalog::SAMPLE, provider::Profile, voice},
    server::{
        app::{self, Actor, App, client::NewClient, connection},
        clock::{SystemClock, SystemRng},
        config::Config,
        secret::token,
    },
};

const ADMIN: &str = "admin@example.com";
const SUPPORT: &str = "support@example.com";
const PROVIDER: &str = "sandbox";
const ACTOR: &Actor = &Actor::Operator;

/// The demo's settings: its own data folder, and calls to loopback allowed.
pub fn settings(config: Config) -> anyhow::Result<Config> {
    let mut config = config.apart("demo")?;
    config.allow_private_networks = true;
    Ok(config)
}

/// A demo that is ready to be served.
pub struct Ready {
    url: String,
    password: String,
    sandbox: Running,
}

impl Ready {
    /// Ends the sandbox.
    pub async fn end(self) {
        self.sandbox.shutdown().await;
    }
}

impl fmt::Display for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, password, sandbox } = self;
        writeln!(f)?;
        writeln!(f, "  Regrant demo     {url}")?;
        writeln!(f, "  sign in as       {ADMIN}   (support staff: {SUPPORT})")?;
        writeln!(f, "  password         {password}")?;
        writeln!(f, "  sandbox provider {}", sandbox.url)?;
        writeln!(
            f,
            "  a client there   demo   (secret demo-secret; warehouse's new one: another-secret)"
        )
    }
}

/// Starts the sandbox and fills the database, if wanted with a crowd besides. Says what it is at, for whoever
/// waits.
pub async fn prepare(
    app: &App,
    listen: SocketAddr,
    crowd: Option<Crowd>,
    tell: impl Fn(&str),
) -> anyhow::Result<Ready> {
    tell("starting the sandbox, a provider to try things with");
    let sandbox = serve(listen, Arc::new(SystemClock::new()), Arc::new(SystemRng))
        .await
        .with_context(|| format!("the sandbox can't listen on {listen} (see --sandbox-listen)"))?;
    let providers = [crowd::providers(), vec![PROVIDER.to_owned()]].concat();
    let providers: Vec<&str> = providers.iter().map(String::as_str).collect();
    if !app::demo::clear(app, &[ADMIN, SUPPORT], &providers).await.map_err(words)? {
        bail!(
            "this database holds more than a demo; unset DATABASE_URL, and the demo makes its own"
        );
    }
    tell("making people, clients and connections");
    let password = token::make(&SystemRng, "").expose_secret().chars().take(16).collect::<String>();
    for (email, role) in [(ADMIN, Role::Admin), (SUPPORT, Role::Support)] {
        app::user::create(app, ACTOR, email, role, password.clone().into()).await.map_err(words)?;
    }
    let provider = fill(app, &sandbox).await?;
    if let Some(crowd) = crowd {
        tell(&format!("making {} more connections", crowd.size));
        crowd::gather(app, &sandbox.sandbox, &provider, crowd).await?;
    }
    let url = app.public_url().as_str().trim_end_matches('/').to_owned();
    Ok(Ready { url, password, sandbox })
}

fn words(error: app::Error) -> anyhow::Error {
    match error {
        app::Error::Internal(error) => error,
        other => anyhow::anyhow!("{}", other.problem()),
    }
}

async fn fill(app: &App, running: &Running) -> anyhow::Result<Profile> {
    let sandbox = &running.sandbox;
    let found = app::provider::discover(app, ACTOR, &running.url).await.map_err(words)?;
    let provider = Profile {
        slug: PROVIDER.into(),
        name: "Sandbox".into(),
        category: Some(SAMPLE.into()),
        notes: Some(voice::SAMPLE_PROVIDER.into()),
        ..found
    };
    app::provider::create(app, ACTOR, provider.clone()).await.map_err(words)?;
    // Registrations of their own: the sandbox then changes the secret of one behind our back, and does not
    // answer the other's refreshes for as long as it runs.
    for name in ["warehouse", "contacts"] {
        let mut client = Client::confidential(name, &format!("{name}-secret"));
        client.redirect_uris = demo_redirects();
        sandbox.add_client(client);
    }
    let slug = PROVIDER;
    let desk = client(app, slug, "Support desk", "demo", "demo-secret").await?;
    let stock = client(app, slug, "Warehouse sync", "warehouse", "warehouse-secret").await?;
    let book = client(app, slug, "Address book", "contacts", "contacts-secret").await?;

    let grant = |client: &str, account: &str, scope: &str| {
        sandbox
            .grant(Realm::Standard, client, account, Some(scope))
            .map_err(|error| anyhow::anyhow!("the sandbox gave no grant: {error}"))
    };
    for (label, account, scope) in [
        ("Alice's calendar", "alice", "openid email offline_access ttl:3600"),
        ("Alice's inbox", "alice", "openid email offline_access ttl:900"),
        ("Carol's calendar", "carol", "openid email offline_access ttl:28800"),
        ("Carol's files", "carol", "openid email offline_access ttl:120"),
    ] {
        let made = import(app, desk, label, grant("demo", account, scope)?).await?;
        refresh(app, made).await;
    }
    // No refresh token: a person is needed when the access token ends.
    let mut soon = grant("demo", "carol", "openid email ttl:86400")?;
    if let Some(fields) = soon.as_object_mut() {
        fields.remove("refresh_token");
    }
    import(app, desk, "Carol's newsletter", soon).await?;

    let dead = import(app, desk, "Bob's calendar", grant("demo", "bob", OFFLINE)?).await?;
    sandbox.revoke_account("bob");
    refresh(app, dead).await;

    let retrying =
        import(app, book, "Alice's contacts", grant("contacts", "alice", OFFLINE)?).await?;
    let unanswered = Rule {
        probability: 1.0,
        client: Some("contacts".into()),
        grant: Some("refresh_token".into()),
        ..Rule::default()
    };
    sandbox.control().rule(Fault::Unavailable, unanswered);
    refresh(app, retrying).await;

    let new = new_connection(desk, "Dave's calendar");
    connection::connect(app, ACTOR, new).await.map_err(words)?;
    let gone = import(app, desk, "Old intranet", grant("demo", "carol", OFFLINE)?).await?;
    connection::disconnect(app, ACTOR, gone, true).await.map_err(words)?;

    for (label, account) in [("Berlin warehouse", "alice"), ("Hamburg warehouse", "carol")] {
        let made = import(app, stock, label, grant("warehouse", account, OFFLINE)?).await?;
        if label.starts_with("Berlin") {
            sandbox.replace_secret(Realm::Standard, "warehouse", "another-secret");
            refresh(app, made).await;
        }
    }
    Ok(provider)
}

const OFFLINE: &str = "openid email offline_access ttl:1800";

fn demo_redirects() -> Vec<super::RedirectUri> {
    vec![super::RedirectUri::PathEndsWith("/oauth/callback".into())]
}

async fn client(
    app: &App,
    provider: &str,
    name: &str,
    oauth_client_id: &str,
    secret: &str,
) -> anyhow::Result<Uuid> {
    let new = NewClient {
        provider: provider.into(),
        name: name.into(),
        oauth_client_id: oauth_client_id.into(),
        client_secret: Some(secret.into()),
        scopes: ["openid", "email", "offline_access"].map(Into::into).to_vec(),
        variables: Default::default(),
    };
    Ok(app::client::create(app, ACTOR, new).await.map_err(words)?.id)
}

fn new_connection(client_id: Uuid, label: &str) -> connection::NewConnection {
    connection::NewConnection {
        client_id,
        label: label.into(),
        external_id: None,
        scopes: None,
        tags: Vec::new(),
        variables: BTreeMap::new(),
    }
}

async fn import(app: &App, client: Uuid, label: &str, response: Value) -> anyhow::Result<Uuid> {
    let now = app.now() - Duration::seconds(1);
    let new = new_connection(client, label);
    let (made, _) =
        connection::import(app, ACTOR, new, &response, Some(now)).await.map_err(words)?;
    Ok(made.id)
}

/// Refreshes once; that it may fail is the point.
async fn refresh(app: &App, id: Uuid) {
    if let Err(error) = connection::refresh(app, ACTOR, id).await {
        tracing::debug!(connection = %id, %error, "the sample refresh failed, as it may");
    }
}
