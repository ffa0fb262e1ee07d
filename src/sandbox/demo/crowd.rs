//! As many sample connections as one likes, of clients at many providers. The sandbox stands in for
//! all of these providers, so the worker keeps the crowd alive as it would real connections.

use time::Duration;
use uuid::Uuid;

use super::{ACTOR, demo_redirects, words};
use crate::{
    domain::{
        provider::{Profile, RefreshLifetime},
        schedule,
    },
    sandbox::{Client, Sandbox},
    server::app::{
        self, App,
        client::NewClient,
        demo::{Life, Plan, REFRESH_TOKEN},
    },
};

/// The services whose names and lifetimes the sample providers have: the kinds that tokens come in,
/// from half an hour to a day.
const SERVICES: [&str; 20] = [
    "apiax",
    "asana",
    "atlassian",
    "box",
    "calendly",
    "docusign",
    "dropbox",
    "gitlab",
    "google",
    "hubspot",
    "linear",
    "microsoft-entra",
    "pipedrive",
    "quickbooks",
    "salesforce",
    "spotify",
    "strava",
    "xero",
    "zendesk",
    "zoom",
];

/// How large the crowd is.
#[derive(Clone, Copy, Debug)]
pub struct Crowd {
    pub size: u64,
    /// How many attempts each has behind it.
    pub attempts: u32,
    pub seed: u64,
}

/// The slugs of the sample providers.
pub fn providers() -> Vec<String> {
    SERVICES.iter().map(|service| format!("sample-{service}")).collect()
}

/// Registers the clients and fills in their connections. `provider` is the sandbox's own profile.
pub async fn gather(
    app: &App,
    sandbox: &Sandbox,
    provider: &Profile,
    crowd: Crowd,
) -> anyhow::Result<()> {
    let mut clients = Vec::with_capacity(SERVICES.len());
    for service in SERVICES {
        clients.push(register(app, sandbox, provider, service).await?);
    }
    let plan = Plan {
        clients,
        numbers: 0..crowd.size,
        attempts: crowd.attempts,
        seed: crowd.seed,
        life: Life::Grown,
    };
    app::demo::fill(app, ACTOR, plan).await.map_err(words)
}

async fn register(
    app: &App,
    sandbox: &Sandbox,
    provider: &Profile,
    service: &str,
) -> anyhow::Result<Uuid> {
    let preset = app::provider::get(app, ACTOR, service).await.map_err(words)?.profile;
    let profile = Profile {
        slug: format!("sample-{service}"),
        name: format!("{} (sample)", preset.name),
        lifetimes: preset.lifetimes,
        policy: preset.policy,
        ..provider.clone()
    };
    let secret = format!("{service}-secret");
    let mut client = Client::confidential(&profile.slug, &secret);
    client.redirect_uris = demo_redirects();
    client.access_ttl =
        profile.lifetimes.access_seconds.map_or(Duration::hours(1), schedule::seconds);
    client.refresh.lifetime = profile.lifetimes.refresh_seconds.map(schedule::seconds);
    client.refresh.sliding = profile.lifetimes.refresh_kind == RefreshLifetime::Sliding;
    client.inherits = Some(REFRESH_TOKEN);
    sandbox.add_client(client);
    let new = NewClient {
        provider: profile.slug.clone(),
        name: preset.name,
        oauth_client_id: profile.slug.clone(),
        client_secret: Some(secret.into()),
        scopes: ["openid", "email", "offline_access"].map(Into::into).to_vec(),
        variables: Default::default(),
    };
    app::provider::create(app, ACTOR, profile).await.map_err(words)?;
    Ok(app::client::create(app, ACTOR, new).await.map_err(words)?.id)
}
