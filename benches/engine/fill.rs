//! A database full of connections.

use regrant::{
    domain::{provider::Profile, schedule},
    server::app::{
        self, App,
        client::NewClient,
        demo::{Life, Plan},
    },
};
use uuid::Uuid;

use super::{ACTOR, said};

const PROVIDER: &str = "bench";

#[derive(clap::Args)]
pub struct Filling {
    token_url: String,
    #[arg(long)]
    clients: u32,
    /// How many requests of one client may be under way
    #[arg(long)]
    concurrency: Option<u32>,
    #[arg(long)]
    from: u64,
    #[arg(long)]
    to: u64,
    /// In seconds
    #[arg(long)]
    lifetime: u64,
    /// How far on the way from issue (0) to the next refresh (1) they are
    #[arg(long)]
    way_from: f64,
    #[arg(long)]
    way_to: f64,
}

pub async fn run(app: &App, filling: &Filling) -> anyhow::Result<()> {
    let plan = Plan {
        clients: clients(app, filling).await?,
        numbers: filling.from..filling.to,
        attempts: 0,
        seed: 1,
        life: Life::Even {
            lifetime: schedule::seconds(filling.lifetime),
            way: filling.way_from..filling.way_to,
        },
    };
    app::demo::fill(app, ACTOR, plan).await.map_err(said)
}

/// The clients; the first time they are made.
async fn clients(app: &App, filling: &Filling) -> anyhow::Result<Vec<Uuid>> {
    let known = app::client::list(app, ACTOR).await.map_err(said)?;
    if !known.is_empty() {
        return Ok(known.into_iter().map(|client| client.id).collect());
    }
    let mut profile = Profile::new(PROVIDER, "Bench");
    profile.endpoints.token = Some(filling.token_url.clone());
    profile.endpoints.authorization = Some(filling.token_url.clone());
    profile.policy.concurrency = filling.concurrency;
    app::provider::create(app, ACTOR, profile).await.map_err(said)?;
    let mut clients = Vec::new();
    for number in 1..=filling.clients {
        let new = NewClient {
            provider: PROVIDER.into(),
            name: format!("Client {number}"),
            oauth_client_id: format!("client-{number}"),
            client_secret: Some("secret-of-the-client".into()),
            scopes: Vec::new(),
            variables: Default::default(),
        };
        clients.push(app::client::create(app, ACTOR, new).await.map_err(said)?.id);
    }
    Ok(clients)
}
